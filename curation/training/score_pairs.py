"""How one scorer values each candidate pair on the student."""

from typing import TYPE_CHECKING

import polars as pl

from curation.core.kinds import kind
from curation.core.metrics import mean
from curation.core.stats import clustered_mean
from curation.models.student import Params as Student
from curation.tables.contracts import empty
from curation.tables.measurements import PAIR_SCORES

if TYPE_CHECKING:
    from curation.training.scorers._kind import Scorer


def score_pairs(
    name: str,
    settings: "Scorer",
    student: Student,
    pairs: pl.DataFrame,
    traces: pl.DataFrame,
    prompts: pl.DataFrame,
) -> pl.DataFrame:
    """The rows of `pair_scores` of scorer `name`, one per candidate pair. Identical pairs, and pairs whose prompt fills
    max_length, have no values."""
    unequal = pairs.filter(~pl.col("identical")).sort("pair_id")
    rows = [empty(PAIR_SCORES)]
    if not unequal.is_empty():
        rows.append(
            kind("scorers", settings.kind).score(settings, student, unequal, _texts(unequal, traces, prompts), name)
        )
    scored = pl.concat(rows, how="diagonal")  # a kind need not give every column
    return pairs.select("pair_id").join(scored, on="pair_id", how="left").with_columns(pl.col("n_rounds").fill_null(0))


def _texts(pairs: pl.DataFrame, traces: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The traces of the pairs, in the order of their ids: trace_id, prompt and completion as message lists, and what
    else of either is rendered."""
    used = pl.concat([pairs["chosen_trace_id"], pairs["rejected_trace_id"]]).unique().sort().alias("trace_id")
    message = pl.concat_list(pl.struct(pl.lit("assistant").alias("role"), pl.col("completion").alias("content")))
    rows = (
        used.to_frame()
        .join(traces, on="trace_id", maintain_order="left")
        .join(prompts, on="prompt_id", maintain_order="left")
    )
    prompt_messages = pl.col("messages").alias("prompt_messages")
    truncated = (pl.col("status") == "truncated").alias("truncated")
    return rows.select(
        "trace_id", "prompt", prompt_messages, "tools", message.alias("completion"), "reasoning", truncated
    )


def metrics(pairs: pl.DataFrame, scores: pl.DataFrame) -> dict[str, object]:
    """The number of pairs, of those scored and of those with a truncated side; mean implicit margin and held-out loss
    with their intervals, and the share of margins above 0."""
    rows = pairs.select("pair_id", "prompt_id").join(scores, on="pair_id", maintain_order="left")
    means = {name: clustered_mean(rows[name], rows["prompt_id"]) for name in ("implicit_margin", "held_out_loss")}
    positive = mean(rows["implicit_margin"] > 0)
    return {
        "pairs": rows.height,
        "scored": rows["chosen_logp"].count(),
        "truncated": int(rows["truncated"].sum() or 0),
        **{key: value for name, interval in means.items() if interval for key, value in interval.keys(name).items()},
        **({} if positive is None else {"positive": positive}),
    }
