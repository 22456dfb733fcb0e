"""What of a study's tables a release holds: every row that selections read, and of texts those of its own rows alone.

So a selection that is run again sees all candidates, and gives the same bytes.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.core.canonical import list_texts
from curation.core.errors import require_existing
from curation.core.study import Study
from curation.exchange.release.licences import Origin
from curation.selection.column_names import CARRIED
from curation.tables import contracts, parquet
from curation.tables.contracts import SIDES
from curation.tables.measurements import PAIR_SCORES
from curation.tables.table import Table

CALLS = "recorded/calls.parquet"  # within the data of the study
NOTHING: Any = pl.lit(None)
UNSAID = pl.when(pl.col("completion").is_not_null()).then(pl.lit(""))
UNTHOUGHT = pl.when(pl.col("reasoning").is_not_null()).then(pl.lit(""))
UNASKED = pl.col("prompt").list.eval(pl.struct(pl.element().struct["role"], pl.lit("").alias("content")))
BLANKS: dict[str, dict[str, pl.Expr]] = {  # of rows that are not released: what stands in the place of their texts
    "prompts": {"prompt": UNASKED, **dict.fromkeys(
        ("answer", "answers", "entry", "external_id", "messages", "tools"), NOTHING)},
    "traces": {"reasoning": UNTHOUGHT, "completion": UNSAID, "external_id": NOTHING},
    "responses": {"reasoning": UNTHOUGHT, "completion": UNSAID, "external_id": NOTHING, "carried": NOTHING},
    "listed_pairs": {"external_id": NOTHING, "carried": NOTHING},
    "renderings": {"prompt_left_out": NOTHING, "fault": NOTHING},
    "judgments": {"rationale": NOTHING},
    "preferences": {"rationale": NOTHING},
}  # fmt: skip


class Released(NamedTuple):
    """What the rows of a release are made of: the ids of their prompts, traces and pairs."""

    prompts: pl.Series
    traces: pl.Series
    pairs: pl.Series


def find_released(subsets: Iterable[pl.DataFrame], unpaired: Iterable[pl.DataFrame]) -> Released:
    """The ids that rows of `subsets` and of `unpaired` name."""
    ids: dict[str, list[pl.Series]] = {"prompt_id": [], "trace_id": [], "pair_id": []}
    for rows in subsets:
        ids["pair_id"].append(rows["pair_id"])
        ids["prompt_id"].append(rows["prompt_id"])
        ids["trace_id"] += [rows[f"{side}_trace_id"] for side in SIDES]
    for rows in unpaired:
        ids["prompt_id"].append(rows["prompt_id"])
        ids["trace_id"].append(rows["trace_id"])
    none = pl.Series(dtype=pl.Int64)
    return Released(*(pl.concat([none, *known]).unique().alias(name) for name, known in ids.items()))


def is_released(table: Table, released: Released) -> pl.Expr:
    """Whether a row of a table is of the release, and keeps its texts."""
    traces = released.traces.implode()
    match table.name:
        case "prompts":
            return pl.col("prompt_id").is_in(released.prompts.implode())
        case "preferences":
            return pl.col("pair_id").is_in(released.pairs.implode())
        case "listed_pairs":
            return pl.all_horizontal(pl.col(f"{side}_trace_id").is_in(traces) for side in SIDES)
    return pl.col("trace_id").is_in(traces)


def blank(table: Table, rows: pl.DataFrame, released: Released, keeps: frozenset[str] = frozenset()) -> pl.DataFrame:
    """The rows of a table, those that are not released without their texts; columns that `keeps` names stay whole. Of
    prompts those of benchmarks are left out: no candidate has one."""
    if table.name == "prompts":
        rows = rows.filter(split="train")
    blanks = {name: to for name, to in BLANKS[table.name].items() if name not in keeps}
    own = is_released(table, released)
    return rows.with_columns(
        pl.when(own).then(name).otherwise(to).cast(rows.schema[name]).alias(name) for name, to in blanks.items()
    )


def write_tables(study: Study, released: Released, names: Iterable[str], data: Path) -> Iterator[str]:
    """`data` holds what selections of the study read, what that is made of, and the verdicts of those of `names`. Gives
    the name of each table once it is there. Raises as `parquet.read` does."""
    carried = frozenset({CARRIED}) if _reads_carried(study) else frozenset[str]()
    for table, file in list_files(study, names):
        to = data / file.relative_to(contracts.DATA)
        if table is None:
            require_existing(file, "`dvc repro` makes it")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
        else:
            parquet.write(table, blank(table, parquet.read(table, file), released, carried), to)
        yield file.stem if table is None else table.name


def list_files(study: Study, names: Iterable[str]) -> list[tuple[Table | None, Path]]:
    """The tables of a study that a release of `names` holds: those with texts, and without a contract those that hold
    none."""
    alone = (contracts.PROMPTS, contracts.RESPONSES, contracts.LISTED_PAIRS, contracts.RENDERINGS)
    parts: list[tuple[Table, Iterable[str]]] = [
        (contracts.TRACES, study.generators),
        (contracts.JUDGMENTS, study.judges),
        (contracts.PREFERENCES, study.pairwise_judges),
    ]
    named = [(table, contracts.path(table.name, name)) for table, of_table in parts for name in of_table]
    return [
        *((table, contracts.path(table.name)) for table in alone),
        *named,
        *((None, file) for file in number_files(study, names)),
    ]


def number_files(study: Study, names: Iterable[str]) -> list[Path]:
    """The tables that hold no text, and so are released as they are."""
    return [
        contracts.path("pairs"),
        contracts.path("generator_deltas"),
        contracts.path("probabilities"),
        *(contracts.path("deltas", name) for name in study.dimensions),
        *(contracts.path(PAIR_SCORES.name, name) for name in study.scorers),
        *(contracts.path("selections", name) for name in names if name in study.selections),
    ]


def _reads_carried(study: Study) -> bool:
    """Whether an expression over candidates may name what the user's rows carry."""
    sections: Iterable[Mapping[str, Any]] = (study.selections, study.controls, study.generator_pairs)
    settings = (entry.model_dump() for section in sections for entry in section.values())
    return any(CARRIED in text for entry in settings for text in list_texts(entry))


def count_origins(study: Study, subsets: Iterable[pl.DataFrame], unpaired: Iterable[pl.DataFrame]) -> list[Origin]:
    """The sources and generators whose texts rows hold, in their order in params.yaml, and how many rows that are."""
    rows = [rows.select("prompt_id", *(f"{side}_trace_id" for side in SIDES)) for rows in subsets]
    rows += [rows.select("prompt_id", "trace_id") for rows in unpaired]
    sources = parquet.read(contracts.PROMPTS, contracts.path("prompts"), ["prompt_id", "source"])
    found = [
        Origin("sources", name, _count(rows, sources.filter(source=name)["prompt_id"], ["prompt_id"]))
        for name in study.sources
    ]
    for name in study.generators:
        traces = parquet.read(contracts.TRACES, contracts.path("traces", name), ["trace_id"])["trace_id"]
        found.append(Origin("generators", name, _count(rows, traces, ["trace_id", *(f"{s}_trace_id" for s in SIDES)])))
    return [origin for origin in found if origin.rows]


def _count(tables: Iterable[pl.DataFrame], ids: pl.Series, columns: list[str]) -> int:
    """How many rows have one of the ids in one of these columns."""
    held = ids.implode()
    return sum(
        rows.select(pl.any_horizontal(pl.col(name).is_in(held) for name in columns if name in rows.columns))
        .sum()
        .item()
        for rows in tables
    )
