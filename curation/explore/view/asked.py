"""What the address of a list asks for, so that it can be kept, sent and gone back to."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

MOST_COLUMNS = 30
MOST_PAGE = 10**9


class Form(NamedTuple):
    """What can be asked of a list: of which `kind` its rows are, each of which has the page `/<kind>/<id>`; its `path`
    and `title`; by its name in the address how each facet is called, those that are `under` another, without which they
    say nothing, and `inside` which texts one searches."""

    kind: str
    path: str
    title: str
    facets: Mapping[str, str]
    under: Mapping[str, str]
    inside: Mapping[str, str]


PAIRS = Form(
    "pair", "/", "Pairs",
    {"chosen": "chosen by", "rejected": "rejected by", "selection": "selection", "reason": "its verdict", "arm": "arm",
     "judge": "judge and dimension", "says": "it says"},
    {"reason": "selection", "says": "judge"},
    {"": "prompt or either trace", "prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
)  # fmt: skip
TRACES = Form(
    "trace", "/traces", "Traces",
    {"generator": "generator", "status": "status", "selection": "selection", "label": "its label",
     "reason": "its verdict", "judge": "judge and dimension", "score": "its score"},
    {"label": "selection", "reason": "selection", "score": "judge"},
    {"": "prompt or trace", "prompt": "prompt", "trace": "trace"},
)  # fmt: skip
PROMPTS = Form(
    "prompt", "/prompts", "Prompts",
    {"source": "source", "task": "task", "split": "split", "reason": "decontamination"}, {}, {"": "prompt"},
)  # fmt: skip
FORMS = {form.kind: form for form in (PAIRS, TRACES, PROMPTS)}


class Asked(NamedTuple):
    """A list: which rows, of what else, in which order, which page of it from 0 on; `at`, which of its rows."""

    where: str = ""
    text: str = ""
    inside: str = ""
    sort: str = ""
    down: bool = False
    columns: tuple[str, ...] = ()
    chosen: tuple[tuple[str, str], ...] = ()  # of facets
    page: int = 0
    at: int | None = None
    form: Form = PAIRS

    def address(self, path: str | None = None, **changes: Any) -> str:
        """Where it is found, with some of it changed."""
        new, path = self._replace(**changes), path or self.form.path
        named = [("where", new.where), ("text", new.text), ("in", new.inside), ("sort", new.sort)]
        named += [("order", "down" if new.down else ""), *(("column", text) for text in new.columns), *new.chosen]
        named += [("page", str(new.page or "")), ("at", "" if new.at is None else str(new.at))]
        query = urlencode([(name, value) for name, value in named if value], errors="replace")
        return f"{path}?{query}" if query else path

    @property
    def facets(self) -> Mapping[str, str]:
        """What is chosen of each facet."""
        return dict(self.chosen)


def read_asked(query: QueryParams, form: Form = PAIRS) -> Asked:
    """What an address asks for. What is no number, or no name that the list has, counts as not said."""
    columns = tuple(dict.fromkeys(text.strip() for text in query.getlist("column") if text.strip()))
    inside = query.get("in", "")
    chosen = [(name, query[name]) for name in form.facets if query.get(name) and query.get(form.under.get(name, name))]
    return Asked(
        where=query.get("where", "").strip(),
        text=query.get("text", ""),
        inside=inside if inside in form.inside else "",
        sort=query.get("sort", "").strip(),
        down=query.get("order") == "down",
        columns=columns[:MOST_COLUMNS],
        chosen=tuple(chosen),
        page=_number(query.get("page")) or 0,
        at=_number(query.get("at")),
        form=form,
    )


def _number(text: str | None) -> int | None:
    return min(int(text), MOST_PAGE) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
