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
AFTER = {"results", "comparisons"}  # the tables that there are only after training

Ratio = Annotated[float, Field(ge=1)]


class Params(Strict):
    """`audit` in params.yaml: beyond what a check warns. Shares of `identical` pairs among the candidates and of one
    `generator` on a side of a subset; how many times as long, by geometric mean, one side of a subset may be as
    the other (`length`); and the most that desirable examples may weigh for each that undesirable ones do, and
    they for those, where KTO learns (`kto`)."""

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

    Warnings are said on stderr. Raises Errors naming each blocking check that returned rows, and its first ones.
    """
    study = read(params)
    thresholds, found, lines = study.audit.model_dump(), dict[str, int](), []
    with connect(study) as connection:
        present = set(views(connection))
        possible = {
            name: one
            for name, text in checks().items()
            if (one := _read(text)).tables <= present and after in (None, bool(one.tables & AFTER))
        }
        with progress("check" if after else "audit", len(possible), "checks") as shown:
            for name, one in possible.items():
                (rows,) = answer(
                    connection, one.text, {key: value for key, value in thresholds.items() if f"${key}" in one.text}
                )
                found[name] = rows.height
                shown.advance(note=name)
                if not rows.is_empty():
                    said = f"check {name}: {rows.height} row(s), such as {_named(rows.head(ROWS_SHOWN))}"
                    if one.blocking:
                        lines.append(said)
                    else:
                        print(f"warning: {said}", file=sys.stderr)
    if lines:
        raise Errors(lines)
    return found


def _named(rows: pl.DataFrame) -> str:
    return "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in rows.to_dicts())


def _read(text: str) -> Check:
    """A check's head: `-- tables: a, b`, and `-- warning` after it if it does not stop anything."""
    first, second = text.splitlines()[:2]
    return Check(frozenset(re.findall(r"\w+", first.removeprefix("-- tables:"))), second != "-- warning", text)
