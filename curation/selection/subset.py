"""Kept pairs as trainers read them. Only the texts of kept pairs are read."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import polars as pl

from curation.tables import contracts, parquet
from curation.tables.contracts import SUBSETS, UNPAIRED

Pick: TypeAlias = Callable[[pl.Series, list[str]], pl.DataFrame]  # some columns of the rows that have these ids


class Texts(NamedTuple):
    """Where texts come from, by trace_id and by prompt_id."""

    traces: Pick
    prompts: Pick


def written(kept: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """The rows of `subsets`: kept pairs (all its columns but the messages) with prompt, chosen and rejected as
    message lists, as TRL reads them."""
    traces = pl.concat([kept["chosen_trace_id"], kept["rejected_trace_id"]]).unique()
    spoken = texts.traces(traces, ["trace_id", "completion"]).select(
        "trace_id", _assistant("completion").alias("message")
    )
    rows = kept.join(
        texts.prompts(kept["prompt_id"].unique(), ["prompt_id", "prompt"]), on="prompt_id", maintain_order="left"
    )
    for side in ("chosen", "rejected"):
        rows = rows.join(
            spoken.rename({"trace_id": f"{side}_trace_id", "message": side}),
            on=f"{side}_trace_id",
            maintain_order="left",
        )
    return rows.select(SUBSETS.schema.names)


def unpaired(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `unpaired`: each trace of a subset once with its label, as KTO reads them; traces that are on both
    sides are left out.

    They come in the order of their first pairs' places, where those have some.
    """
    sides = [
        rows.select(
            "prompt_id",
            "prompt",
            "curriculum_position",
            label=pl.lit(label),
            trace_id=f"{side}_trace_id",
            completion=side,
        )
        for side, label in (("chosen", True), ("rejected", False))
    ]
    both = rows.select(trace_id="chosen_trace_id").join(
        rows.select(trace_id="rejected_trace_id"), on="trace_id", how="semi"
    )
    each = (
        pl.concat(sides)
        .sort("curriculum_position", maintain_order=True)
        .unique("trace_id", keep="first", maintain_order=True)
    )
    alone = each.join(both, on="trace_id", how="anti", maintain_order="left")
    position = pl.when(pl.col("curriculum_position").is_not_null()).then(pl.int_range(pl.len(), dtype=pl.Int32))
    return alone.with_columns(position.alias("curriculum_position")).select(UNPAIRED.schema.names)


def _assistant(column: str) -> pl.Expr:
    return pl.concat_list(pl.struct(pl.lit("assistant").alias("role"), pl.col(column).alias("content")))


def counts(verdicts: pl.DataFrame, rows: pl.DataFrame, loose: pl.DataFrame) -> dict[str, object]:
    """Candidates, kept pairs, their prompts and mean margin, unpaired examples, and the count of each reason."""
    reasons = dict(verdicts.group_by("reason").len().cast({"reason": pl.String}).sort("reason").rows())
    mean = rows["margin"].mean()
    margin = {} if mean is None else {"mean_margin": float(str(mean))}
    return {
        "candidates": verdicts.height,
        "kept": rows.height,
        "prompts": rows["prompt_id"].n_unique(),
        "unpaired": loose.height,
        "reason": reasons,
        **margin,
    }


def from_tables(generators: Iterable[str]) -> Texts:
    """The texts of the tables on disk."""
    files = [contracts.path("traces", name) for name in generators]
    return Texts(
        lambda ids, columns: parquet.pick(contracts.TRACES, files, ids.alias("trace_id"), columns),
        lambda ids, columns: parquet.pick(
            contracts.PROMPTS, [contracts.path("prompts")], ids.alias("prompt_id"), columns
        ),
    )


def from_frames(traces: pl.DataFrame, prompts: pl.DataFrame) -> Texts:
    """The texts of tables in memory."""
    return Texts(lambda _, columns: traces.select(columns), lambda _, columns: prompts.select(columns))
