"""Selections: a verdict with a reason on every candidate pair, and the kept pairs as a trainer reads them."""

from typing import Any

import polars as pl

from curation.errors import CurationError
from curation.params import kind
from curation.tables import SELECTIONS, SUBSETS, UNPAIRED, content_ids


def select(name: str, settings: Any, pairs: pl.DataFrame, deltas: dict[str, pl.DataFrame], generator_deltas: pl.DataFrame) -> pl.DataFrame:
    """The rows of `selections`, and chosen_rating and rejected_rating beside them. The first reason that applies stands:

    tie (equal texts), unscored (no margin), within_noise, below_min_margin, reversed (its reverse ranks higher), per_prompt, over_budget, kept.

    Raises CurationError where what is within noise is to be dropped and the judge's noise is unknown.
    """
    margins = kind("selections", settings.kind).margins(settings, pairs, deltas, generator_deltas)
    rows = pairs.select("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "tie").join(margins, on="pair_id", how="left")
    if settings.kind == "nothing":
        return _verdicts(rows.with_columns(pl.lit("nothing_kept").alias("reason")), name)
    if getattr(settings, "within_noise", "keep") == "drop" and rows["within_noise"].null_count() == rows.height > 0:
        raise CurationError(f"params.yaml: selections.{name}.within_noise: 'drop', but the noise of {settings.judge} {settings.dimension} is unknown; "
                            "give that judge 2 repeats or more, or keep")  # fmt: skip
    rows = rows.with_columns(_barred(settings).alias("reason"))
    descending = getattr(settings, "keep", "top") == "top"
    draw = content_ids(rows.select(pl.lit(settings.seed), "pair_id")).alias("draw")
    rows = rows.with_columns(draw, pl.col("margin").round(9)).sort("draw", "pair_id")
    rows = rows.sort("margin", descending=descending, nulls_last=True, maintain_order=True)  # a fifth of the time of one sort by all three
    low, high = pl.min_horizontal("chosen_trace_id", "rejected_trace_id"), pl.max_horizontal("chosen_trace_id", "rejected_trace_id")
    rows = _limit(rows, [low.alias("low"), high.alias("high")], 1, "reversed")
    rows = _limit(rows, [pl.col("prompt_id").alias("low")], settings.per_prompt, "per_prompt")
    rows = _limit(rows, [pl.lit(0).alias("low")], settings.budget, "over_budget")
    return _verdicts(rows.with_columns(pl.col("reason").fill_null("kept")), name)


def _barred(settings: Any) -> pl.Expr:
    least = getattr(settings, "min_margin", None)
    noisy = pl.col("within_noise") if getattr(settings, "within_noise", "keep") == "drop" else pl.lit(False)
    below = pl.col("margin") < least if least is not None else pl.lit(False)
    return (
        pl.when(pl.col("tie")).then(pl.lit("tie"))
        .when(pl.col("margin").is_null()).then(pl.lit("unscored"))
        .when(noisy).then(pl.lit("within_noise"))
        .when(below).then(pl.lit("below_min_margin"))
    )  # fmt: skip


def _limit(rows: pl.DataFrame, group: list[pl.Expr], most: int | None, reason: str) -> pl.DataFrame:
    """Give `reason` to the still eligible rows beyond the first `most` of each group, in the rows' order."""
    if most is None:
        return rows
    open_ = pl.col("reason").is_null()
    place = open_.cum_sum().over(group)
    return rows.with_columns(pl.when(open_ & (place > most)).then(pl.lit(reason)).otherwise(pl.col("reason")).alias("reason"))


def _verdicts(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    verdicts = rows.with_columns(pl.lit(name).alias("selection"), (pl.col("reason") == "kept").alias("kept"))
    return verdicts.select(*SELECTIONS.schema.names, "chosen_rating", "rejected_rating")


def subset(verdicts: pl.DataFrame, pairs: pl.DataFrame, traces: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows of `subsets`: the kept pairs with prompt, chosen and rejected as message lists, as TRL reads them."""
    texts = traces.select("trace_id", _assistant("completion").alias("message"))
    kept = verdicts.filter(pl.col("kept")).join(pairs, on="pair_id").join(prompts.select("prompt_id", "prompt"), on="prompt_id")
    for side in ("chosen", "rejected"):
        kept = kept.join(texts.rename({"trace_id": f"{side}_trace_id", "message": side}), on=f"{side}_trace_id")
    return kept.select(SUBSETS.schema.names)


def unpaired(subset_rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of `unpaired`: each trace of a subset once with its label, as KTO reads them; traces that are on both sides are left out."""
    sides = [
        subset_rows.select(pl.col(f"{side}_trace_id").alias("trace_id"), "prompt_id", "prompt", pl.col(side).alias("completion"), pl.lit(label).alias("label"))
        for side, label in (("chosen", True), ("rejected", False))
    ]
    both = set(subset_rows["chosen_trace_id"]) & set(subset_rows["rejected_trace_id"])
    rows = pl.concat(sides).unique("trace_id", keep="first", maintain_order=True)
    return rows.filter(~pl.col("trace_id").is_in(list(both))).select(UNPAIRED.schema.names)


def _assistant(column: str) -> pl.Expr:
    return pl.concat_list(pl.struct(pl.lit("assistant").alias("role"), pl.col(column).alias("content")))


def counts(verdicts: pl.DataFrame, kept: pl.DataFrame, loose: pl.DataFrame) -> dict[str, object]:
    """Candidates, kept pairs, their prompts and mean margin, unpaired examples, and the count of each reason."""
    reasons = dict(verdicts.group_by("reason").len().sort("reason").rows())
    mean = kept["margin"].mean()
    margin = {} if mean is None else {"mean_margin": float(str(mean))}
    return {"candidates": verdicts.height, "kept": kept.height, "prompts": kept["prompt_id"].n_unique(), "unpaired": loose.height, "reason": reasons, **margin}
