"""Every check of `curation/tables/sql/checks` over the tables: each returns no rows on sound ones."""

import sys
from collections.abc import Collection, Mapping, Set
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import polars as pl
from duckdb import DuckDBPyConnection
from pydantic import Field

from curation.core.errors import Errors
from curation.core.messages import did_you_mean, show_value
from curation.core.params import Strict, read
from curation.core.progress import progress
from curation.core.ranges import Share
from curation.core.study import Study
from curation.tables.ask import answer
from curation.tables.db import SQL, VIEWS, checks, connect, views
from curation.tables.ids import database

ROWS_SHOWN = 3
HEAD = "-- tables:"
AFTER_TRAINING = {"results", "comparisons", "contrasts"}  # the tables that are made then

When: TypeAlias = Literal["before_training", "after_training"]

Ratio = Annotated[float, Field(ge=1, le=1e6, description="1 warns of any difference")]


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

    @property
    def when(self) -> When:
        """Whether it looks at trained runs."""
        return "after_training" if self.tables & AFTER_TRAINING else "before_training"


class Findings(NamedTuple):
    """What one should see of a subset: its row of `findings`, but for its name, and a sentence for each check of it
    that warns."""

    metrics: dict[str, int]
    messages: list[str]


class Fits(NamedTuple):
    """What methods make of arms: the rows of `fits`, and a sentence for each check that stops and that warns."""

    rows: pl.DataFrame
    stops: list[str]
    warnings: list[str]


OF_A_SUBSET = {"findings", "unpaired", "subset_rules", "reliability", "ranking_judges"}


def examine(study: Study, subsets: Collection[str]) -> dict[str, Findings]:
    """What the checks find that read nothing but findings and unpaired examples, of each of the subsets, whose files
    are there; of the judge that it ranks by, as far as reliability was measured before. Of no pairs there are no
    findings."""
    found = {name: Findings({}, []) for name in subsets}
    with connect(study, subsets=subsets) as connection:
        present = set(views(connection))
        _keep_summaries(connection, present)
        for rows in answer(connection, "select * from findings") if "findings" in present else ():
            found |= {row.pop("selection"): Findings(row, []) for row in rows.to_dicts()}
        for parsed in read_checks().values():
            for rows in answer(connection, parsed.text) if parsed.tables <= OF_A_SUBSET & present else ():
                for name, message in rows.select("selection", "finding").rows():
                    if name in found:
                        found[name].messages.append(message)
    return found


def examine_fits(examples: pl.DataFrame) -> Fits:
    """What the checks find that read nothing but `fits`, of rows of `examples`."""
    with database().cursor() as connection:
        connection.register("examples", examples.to_arrow())
        connection.execute(f"create temp table fits as {(SQL / 'fits.sql').read_text()}")
        (rows,) = answer(connection, "select * from fits")
        sentences: dict[bool, list[str]] = {True: [], False: []}
        for parsed in read_checks().values():
            for found in answer(connection, parsed.text) if parsed.tables == {"fits"} else ():
                named = found.select("selection", "finding").rows()
                sentences[parsed.blocking] += [f"{arm}: {finding}" for arm, finding in named]
    return Fits(rows, sentences[True], sentences[False])


def check(when: When | Literal["all"], params: Path = Path("params.yaml")) -> dict[str, int]:
    """The number of rows that each check returned, of those whose tables are there.

    Warnings go to stderr. Raises Errors naming each blocking check that returned rows, and its first ones, or each
    check whose head is wrong.
    """
    study, known = read(params), read_checks()
    with connect(study) as connection:
        return _run_checks(connection, study, known, when)


def audit(params: Path = Path("params.yaml")) -> dict[str, Any]:
    """What `check` returns before training, and under `findings` every subset's row of them, by its name. Raises as
    `check` does."""
    study, known = read(params), read_checks()
    with connect(study) as connection:
        counts = _run_checks(connection, study, known, "before_training")
        found = answer(connection, "select * from findings") if "findings" in views(connection) else []
    return {**counts, "findings": {row.pop("selection"): row for rows in found for row in rows.to_dicts()}}


def _run_checks(
    connection: DuckDBPyConnection, study: Study, known: Mapping[str, Check], when: When | Literal["all"]
) -> dict[str, int]:
    """What `check` returns, from the tables that are open."""
    thresholds, counts, lines = study.audit.model_dump(), dict[str, int](), []
    present = set(views(connection))
    possible = {
        name: parsed for name, parsed in known.items() if parsed.tables <= present and when in ("all", parsed.when)
    }
    _keep_summaries(connection, frozenset().union(*(parsed.tables for parsed in possible.values())))
    with progress("check" if when == "after_training" else "audit", len(possible), "checks") as shown:
        for name, (_, blocking, text) in possible.items():
            values = {key: value for key, value in thresholds.items() if f"${key}" in text}
            (rows,) = answer(connection, text, values)
            counts[name] = rows.height
            shown.advance(note=name)
            if rows.is_empty():
                continue
            line = f"check {name}: {rows.height} row(s), such as {_format_rows(rows.head(ROWS_SHOWN))}"
            if blocking:
                lines.append(line)
            else:
                print(f"warning: {line}", file=sys.stderr)
    if lines:
        raise Errors(lines)
    return counts


def _keep_summaries(connection: DuckDBPyConnection, tables: Set[str]) -> None:
    """The rows of those of `tables` that are `findings` and `fits`, worked out once for all checks."""
    for name in {"findings", "fits"} & tables:
        connection.execute(f"create temp table {name} as select * from main.{name}")


def _format_rows(rows: pl.DataFrame) -> str:
    if "finding" in rows.columns:
        return "; ".join(f"{subset}: {finding}" for subset, finding in rows.select("selection", "finding").rows())
    return "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in rows.to_dicts())


def read_checks() -> dict[str, Check]:
    """Every check by its name. Raises Errors with a line about each file whose head does not say which tables it
    reads, since a check of a table that there never is would be left out without a word."""
    parsed, lines = dict[str, Check](), []
    for name, text in checks().items():
        try:
            parsed[name] = _parse(text)
        except ValueError as error:
            lines.append(f"{SQL / 'checks' / name}.sql: {error}")
    if lines:
        raise Errors(lines)
    return parsed


def _parse(text: str) -> Check:
    """A check by its head: `-- tables: a, b`, and `-- warning` after it if it does not stop anything."""
    first, second, *_ = [*text.splitlines(), "", ""]
    if not first.startswith(HEAD):
        raise ValueError(f"{show_value(first)} is not its head; begin with `{HEAD} a, b`, the tables that it reads")
    tables = [name.strip() for name in first.removeprefix(HEAD).split(",")]
    if wrong := [name for name in tables if name not in VIEWS]:
        raise ValueError(f"{HEAD} {show_value(wrong[0])} is no table{did_you_mean(wrong[0], VIEWS)}")
    return Check(frozenset(tables), second != "-- warning", text)
