"""Kept pairs as trainers read them. Only the texts of kept pairs are read."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.metrics import mean
from curation.pairs.sides import join_sides
from curation.selection.candidates import Candidates
from curation.selection.column_names import rated_dimension
from curation.selection.own_rows import RowPicker, add_own_columns
from curation.selection.ranking import Ranker
from curation.selection.select import Selection
from curation.selection.soft_labels import p_chosen, p_chosen_metrics
from curation.tables import contracts, parquet
from curation.tables.contracts import SIDES, SUBSETS, UNPAIRED
from curation.tables.table import Table

NOTHING_CARRIED = pl.DataFrame(schema={"trace_id": pl.Int64, "carried": pl.String})


def kept_rows(selection: Selection, dimensions: Mapping[str, list[str]]) -> pl.DataFrame:
    """`subset_rows` of the pairs that the selection keeps."""
    return subset_rows(selection, selection.kept, np.zeros(len(selection.kept), bool), dimensions)


def subset_rows(
    selection: Selection, rows: np.ndarray, swapped: np.ndarray, dimensions: Mapping[str, list[str]]
) -> pl.DataFrame:
    """The rows of `subsets` but for the messages, of the candidates with these row numbers, in their order. Where the
    mask `swapped` is true, chosen and rejected change sides.

    The ratings are null unless the selection's value names one of the judges' `dimensions`.
    """
    pairs, value = selection.pairs, selection.settings.value
    rated = rated_dimension(value, dimensions)
    subset = pl.DataFrame([
        *(pairs.column(name)[rows] for name in ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")),
        pl.Series("margin", selection.worth.margin[rows], nan_to_null=True),
        *(_ratings(pairs, rated, side, rows).alias(f"{side}_rating") for side in SIDES),
        p_chosen(selection, rows),
        curriculum_positions(selection, rows),
        pl.Series("swapped", swapped),
    ])  # fmt: skip
    swaps = [
        pl.when("swapped").then(f"{other}_{column}").otherwise(f"{side}_{column}").alias(f"{side}_{column}")
        for side, other in (SIDES, SIDES[::-1]) for column in ("trace_id", "rating")
    ]  # fmt: skip
    margin = pl.when("swapped").then(-pl.col("margin")).otherwise("margin").alias("margin")
    probability = pl.when("swapped").then(1 - pl.col("p_chosen")).otherwise("p_chosen").round(contracts.DECIMALS)
    return subset.with_columns(*swaps, margin, probability.alias("p_chosen")).drop("swapped")


def _ratings(pairs: Candidates, rated: tuple[str, str] | None, side: str, rows: np.ndarray) -> pl.Series:
    if rated is None:
        return pl.repeat(None, len(rows), dtype=pl.Float64, eager=True)
    judge, dimension = rated
    return pairs.delta_columns(judge, [f"{side}_{dimension}"]).to_series()[rows]


def curriculum_positions(selection: Selection, rows: np.ndarray) -> pl.Series:
    """The position of each of the rows in the curriculum, from 0; null where the selection has none. Rows without a
    value come last."""
    by = selection.worth.position
    if by is None:
        return pl.Series("curriculum_position", [None], dtype=pl.Int32).new_from_index(0, len(rows))
    position = np.empty(len(rows), np.int32)
    ranker = Ranker(selection.ranker.ids, selection.settings.seed, by)
    position[ranker.argsort(rows)] = np.arange(len(rows))
    return pl.Series("curriculum_position", position)


# the tables of `Texts`, and the column that their rows are found by
READ_BY = (
    (contracts.TRACES, "trace_id"),
    (contracts.PROMPTS, "prompt_id"),
    (contracts.RESPONSES, "trace_id"),
    (contracts.LISTED_PAIRS, "chosen_trace_id"),
)


class Texts(NamedTuple):
    """Where texts come from, by trace_id and by prompt_id; and the user's own rows of preference sets, by trace_id and
    by chosen_trace_id."""

    traces: RowPicker
    prompts: RowPicker
    responses: RowPicker
    listed_pairs: RowPicker


def add_messages(subset: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """The rows of `subsets`: those of `subset_rows` with prompt, chosen and rejected as message lists, as TRL reads
    them, and beside them the reasoning of either side, whether it was truncated in generation, and the prompt's whole
    messages and tools where it has more; the user's own ids of either side, and what `add_own_columns` gives."""
    trace_ids = pl.concat([subset[f"{side}_trace_id"] for side in SIDES]).unique()
    rows = join_sides(_add_prompts(subset, texts), _read_texts(trace_ids, texts))
    messages = (_as_message(f"{side}_completion").alias(side) for side in SIDES)
    return add_own_columns(rows.with_columns(messages), texts).select(SUBSETS.schema.names)


def _read_texts(trace_ids: pl.Series, texts: Texts) -> pl.DataFrame:
    """What trainers read of traces. The completion is text yet: a join of texts copies none, and one of messages, which
    are lists, copies all."""
    rows = texts.traces(trace_ids, ["trace_id", "reasoning", "completion", "status", "external_id"])
    return rows.with_columns((pl.col("status") == "truncated").alias("truncated")).drop("status")


def _as_message(text: str) -> pl.Expr:
    """A list of one message of the assistant's, with the text of a column; null where there is none."""
    message = pl.struct(pl.lit("assistant").alias("role"), pl.col(text).alias("content"))
    return pl.when(pl.col(text).is_not_null()).then(pl.concat_list(message))


def _add_prompts(rows: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """`rows`, in their order, with the messages and tools of the prompt of each, and the user's own id of it."""
    prompts = texts.prompts(rows["prompt_id"].unique(), ["prompt_id", "prompt", "messages", "tools", "external_id"])
    names = {"messages": "prompt_messages", "external_id": "prompt_external_id"}
    return rows.join(prompts.rename(names), on="prompt_id", maintain_order="left")


def unpair(subset: pl.DataFrame, texts: Texts | None = None) -> pl.DataFrame:
    """The rows of `unpaired`: each trace of a subset once with its label, as KTO reads them. A trace that is on both
    sides is left out. With `texts`, a response of a preference set carries the user's columns.

    They come in the order of the first pair that each is in, by its curriculum_position where there is one.
    """
    columns = ("prompt_id", "prompt", "prompt_messages", "tools", "curriculum_position", "prompt_external_id")
    sides = [
        subset.select(
            *columns,
            label=pl.lit(side == "chosen"),
            trace_id=f"{side}_trace_id",
            completion=side,
            reasoning=f"{side}_reasoning",
            truncated=f"{side}_truncated",
            external_id=f"{side}_external_id",
        )
        for side in SIDES
    ]
    on_both_sides = sides[0].select("trace_id").join(sides[1].select("trace_id"), on="trace_id", how="semi")
    traces = (
        pl.concat(sides)
        .sort("curriculum_position", maintain_order=True)
        .unique("trace_id", keep="first", maintain_order=True)
        .join(on_both_sides, on="trace_id", how="anti", maintain_order="left")
    )
    position = pl.when(pl.col("curriculum_position").is_not_null()).then(pl.int_range(pl.len(), dtype=pl.Int32))
    return _carry(traces.with_columns(position.alias("curriculum_position")), texts)


def unpaired_rows(subset: pl.DataFrame, labelled: pl.DataFrame | None, texts: Texts) -> pl.DataFrame:
    """The rows of `unpaired`: of the `labelled` traces, which have trace_id, prompt_id and label, in no order of a
    curriculum; of the subset's, as `unpair` takes them, where there are none declared."""
    return unpair(subset, texts) if labelled is None else _add_texts(labelled, texts)


def _add_texts(examples: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    traces = _add_prompts(examples, texts).join(
        _read_texts(examples["trace_id"], texts), on="trace_id", maintain_order="left"
    )
    message = _as_message("completion").alias("completion")
    return _carry(traces.with_columns(message, pl.lit(None, pl.Int32).alias("curriculum_position")), texts)


def _carry(traces: pl.DataFrame, texts: Texts | None) -> pl.DataFrame:
    """The rows of `unpaired` with what responses of preference sets carry."""
    carried = texts.responses(traces["trace_id"], ["trace_id", "carried"]) if texts else NOTHING_CARRIED
    return traces.join(carried, on="trace_id", how="left", maintain_order="left").select(UNPAIRED.schema.names)


def subset_metrics(verdicts: pl.DataFrame, subset: pl.DataFrame, unpaired: pl.DataFrame) -> dict[str, object]:
    """The numbers of candidates, kept pairs, their prompts and unpaired examples; the count of each reason; the mean
    margin, if there is one; and `p_chosen_metrics`."""
    reasons = dict(verdicts.group_by("reason").len().cast({"reason": pl.String}).sort("reason").rows())
    return {
        "candidates": verdicts.height,
        "kept": subset.height,
        "prompts": subset["prompt_id"].n_unique(),
        "unpaired": unpaired.height,
        "reason": reasons,
        **mean_margin(subset),
        **p_chosen_metrics(subset),
    }


def mean_margin(subset: pl.DataFrame) -> dict[str, float]:
    """The metric mean_margin; nothing where no pair has a margin."""
    margin = mean(subset["margin"])
    return {} if margin is None else {"mean_margin": margin}


def from_tables(generators: Iterable[str]) -> Texts:
    """The texts of the tables on disk."""
    files = {"traces": [contracts.path("traces", name) for name in generators]}

    def pick(table: Table, key: str) -> RowPicker:
        of_table = files.get(table.name, [contracts.path(table.name)])
        return lambda ids, columns: parquet.pick(table, of_table, ids.alias(key), columns)

    return Texts(*(pick(table, key) for table, key in READ_BY))


def keep_texts(texts: Texts, subsets: Iterable[pl.DataFrame]) -> Texts:
    """The texts of the pairs, or of the single traces, in all the subsets, in memory, each read once."""
    of_trace = ["prompt_id", "trace_id"]
    named = [contracts.empty(UNPAIRED).select(of_trace)]
    for rows in subsets:
        columns = ["trace_id"] if "trace_id" in rows.columns else [f"{side}_trace_id" for side in SIDES]
        named += [rows.select("prompt_id", pl.col(column).alias("trace_id")) for column in columns]
    ids = {name: pl.concat(named)[name].unique() for name in of_trace}

    def keep(pick: RowPicker, table: Table, key: str) -> RowPicker:
        rows = pick(ids.get(key, ids["trace_id"]), table.schema.names)
        return lambda some, columns: rows.filter(pl.col(key).is_in(some.implode())).select(columns)

    return Texts(*(keep(pick, table, key) for pick, (table, key) in zip(texts, READ_BY, strict=True)))


def from_frames(traces: pl.DataFrame, prompts: pl.DataFrame, *own_rows: pl.DataFrame) -> Texts:
    """The texts of tables in memory; `own_rows` are the rows of `responses` and of `listed_pairs`, if there are any."""

    def pick(rows: pl.DataFrame) -> RowPicker:
        return lambda _, columns: rows.select(columns)

    listed = own_rows or map(contracts.empty, (contracts.RESPONSES, contracts.LISTED_PAIRS))
    return Texts(*map(pick, (traces, prompts, *listed)))
