"""Every check of `curation/sql/checks` over the tables: each returns no rows on sound ones."""

from pathlib import Path

from curation.db import answer, checks, connect, views
from curation.errors import Errors
from curation.progress import progress

ROWS_SHOWN = 3


def check(params: Path = Path("params.yaml")) -> dict[str, int]:
    """The number of rows each check returned, all 0. Raises Errors naming the check and its first rows otherwise."""
    found, lines = {}, []
    with connect(params) as connection:
        present = set(views(connection))
        possible = {name: text for name, text in checks().items() if _tables(text) <= present}
        with progress("check", len(possible), "checks") as shown:
            for name, text in possible.items():
                (rows,) = answer(connection, text)
                if not rows.is_empty():
                    lines.append(f"check {name}: {rows.height} row(s), such as {rows.head(ROWS_SHOWN).rows()}")
                found[name] = rows.height
                shown.advance(note=name)
    if lines:
        raise Errors(lines)
    return found


def _tables(text: str) -> set[str]:
    """The tables a check names in its first line, `-- tables: a, b`."""
    return {name.strip() for name in text.splitlines()[0].removeprefix("-- tables:").split(",")}
