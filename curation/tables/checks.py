"""Every check of `curation/tables/sql/checks` over the tables: each returns no rows on sound ones."""

import re
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import polars as pl
from pydantic import Field

from curation.core.errors import Errors
from curation.core.params import Share, Strict, read
from curation.core.progress import progress
from curation.tables.db import answer, checks, connect, views

ROWS_SHOWN = 3
AFTER = {"results", "comparisons"}  # tables that are made after training

Ratio = Annotated[float, Field(ge=1)]


class Params(Strict):
    """`audit` in params.yaml: the thresholds beyond which a check warns.

    `identical`: the share of candidates whose two texts are identical. `generator`: the share of one side of a subset
    that one generator wrote. `length`: the ratio of the sides' lengths, as geometric means. `kto`: the ratio of the
    weights of desirable and undesirable examples, either way round.
    """

    identical: Share
    generator: Share
    length: Ratio
    kto: Ratio


class Check(NamedTuple):
    """One SQL check: what it reads, whether what it finds stops the study, and its text."""

    tables: frozenset[str]
    blocking: bool
    text: str


def check(after: bool | None, params: Path = Path("params.yaml")) -> dict[str, int]:
    """The number of rows that each check returned: of those that look at trained runs, of those that do not, or of all
    (None).

    Warnings go to stderr. Raises Errors naming each blocking check that returned rows, and its first ones.
    """
    study = read(params)
    thresholds, counts, lines = study.audit.model_dump(), dict[str, int](), []
    with connect(study) as connection:
        present = set(views(connection))
        possible = {
            name: parsed
            for name, parsed in ((name, _parse(text)) for name, text in checks().items())
            if parsed.tables <= present and after in (None, bool(parsed.tables & AFTER))
        }
        with progress("check" if after else "audit", len(possible), "checks") as shown:
            for name, (_, blocking, text) in possible.items():
                values = {key: value for key, value in thresholds.items() if f"${key}" in text}
                (rows,) = answer(connection, text, values)
                counts[name] = rows.height
                shown.advance(note=name)
                if rows.is_empty():
                    continue
                line = f"check {name}: {rows.height} row(s), such as {_listed(rows.head(ROWS_SHOWN))}"
                if blocking:
                    lines.append(line)
                else:
                    print(f"warning: {line}", file=sys.stderr)
    if lines:
        raise Errors(lines)
    return counts


def _listed(rows: pl.DataFrame) -> str:
    return "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in rows.to_dicts())


def _parse(text: str) -> Check:
    """A check by its head: `-- tables: a, b`, and `-- warning` after it if it does not stop anything."""
    first, second = text.splitlines()[:2]
    return Check(frozenset(re.findall(r"\w+", first.removeprefix("-- tables:"))), second != "-- warning", text)
