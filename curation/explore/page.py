"""Pages of HTML: one file, no script, nothing from elsewhere. What traces, judges and files say is data: it is
escaped, and what shows nothing or turns the text around is spelled out, as on a terminal."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from curation.core.text import neutralize
from curation.explore.lines import (
    flatten,
    say_call,
    say_facts,
    say_number,
    say_role,
    say_score,
    say_short,
    say_value,
    say_verdict,
)
from curation.explore.prose import typeset
from curation.explore.scores import put_beside
from curation.explore.words import mark_differences

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> bytes:
    """The page that `curation/explore/templates/<template>` makes of the values, in UTF-8."""
    return environment().get_template(template).render(values).encode(errors="backslashreplace")


@cache
def environment() -> "Environment":
    """Where templates are found and how they are filled: every value is escaped. `macros.html` has what pages share:
    `sides` (two traces beside each other), `scores` of both, `trace`, `texts`, `text`, `ways` (to show texts), `facts`,
    `bar`."""
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("curation.explore"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters |= {"number": say_number, "score": say_score, "short": say_short}
    made.filters |= {"facts": say_facts, "flat": flatten, "value": say_value}
    made.filters |= {"verdict": say_verdict, "role": say_role, "called": say_call, "json": _show_json}
    made.filters["typeset"] = typeset
    made.globals |= {"mark_differences": mark_differences, "put_beside": put_beside}
    return made


def _show_json(value: Any) -> str:
    """As JSON, in the letters that it has; it is escaped as any text."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def _finalize(value: Any) -> Any:
    """A value as it is escaped and written: text neutralized, nothing for None."""
    if value is None:
        return ""
    return neutralize(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
