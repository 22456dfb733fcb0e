"""What the address of a list asks for, so that it can be kept, sent and gone back to."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

FACETS = ("chosen", "rejected", "selection", "reason", "arm", "judge", "says")
OF_FACET = {"reason": "selection", "says": "judge"}  # which says nothing without the other
MOST_COLUMNS = 30
MOST_PAGE = 10**9
INSIDE = {"": "prompt or either trace", "prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}


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

    def address(self, path: str = "/", **changes: Any) -> str:
        """Where it is found, with some of it changed."""
        new = self._replace(**changes)
        named = [("where", new.where), ("text", new.text), ("in", new.inside), ("sort", new.sort)]
        named += [("order", "down" if new.down else ""), *(("column", text) for text in new.columns), *new.chosen]
        named += [("page", str(new.page or "")), ("at", "" if new.at is None else str(new.at))]
        query = urlencode([(name, value) for name, value in named if value], errors="replace")
        return f"{path}?{query}" if query else path

    @property
    def facets(self) -> Mapping[str, str]:
        """What is chosen of each facet."""
        return dict(self.chosen)


def read_asked(query: QueryParams) -> Asked:
    """What an address asks for. What is no number, or no name that a list has, counts as not said."""
    columns = tuple(dict.fromkeys(text.strip() for text in query.getlist("column") if text.strip()))
    inside = query.get("in", "")
    return Asked(
        where=query.get("where", "").strip(),
        text=query.get("text", ""),
        inside=inside if inside in INSIDE else "",
        sort=query.get("sort", "").strip(),
        down=query.get("order") == "down",
        columns=columns[:MOST_COLUMNS],
        chosen=tuple((name, query[name]) for name in FACETS if query.get(name) and query.get(OF_FACET.get(name, name))),
        page=_number(query.get("page")) or 0,
        at=_number(query.get("at")),
    )


def _number(text: str | None) -> int | None:
    return min(int(text), MOST_PAGE) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
