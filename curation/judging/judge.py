"""The judgments of one judge."""

from typing import TYPE_CHECKING

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.kinds import kind
from curation.core.metrics import mean
from curation.tables.contracts import JUDGMENTS

if TYPE_CHECKING:
    from curation.judging.judges._kind import Judge


def judge(name: str, settings: "Judge", traces: pl.DataFrame, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The rows of `judgments` that judge `name` gives for the traces, in the order of their ids, so that the order of
    the input changes no call."""
    rows = kind("judges", settings.kind).judge(settings, name, traces.sort("trace_id"), prompts, ledger)
    return rows.with_columns(pl.lit(name).alias("judge")).select(JUDGMENTS.schema.names)


def metrics(judgments: pl.DataFrame, traces: pl.DataFrame) -> dict[str, object]:
    """The number of judgments, the share that is scored, in all and by generator, the share of the scored that have an
    expected score, and the number of each status.

    Where a judge asks for log-probabilities, those that do not spell its reply, or are none, make that share less.
    A trace without an answer is not among the scored, whatever it counts as.
    """
    rows = judgments.join(traces.select("trace_id", "generator"), on="trace_id")
    share = rows.group_by("generator").agg((pl.col("status") == "scored").mean().alias("share")).sort("generator")
    statuses = judgments.group_by("status").len().sort("status")
    return {
        "judgments": judgments.height,
        "coverage": mean(judgments["status"] == "scored") or 0.0,
        "with_expected_score": mean(judgments.drop_nulls("score")["expected_score"].is_not_null()) or 0.0,
        "by_generator": {generator.replace(".", "_"): value for generator, value in share.rows()},
        "status": dict(statuses.rows()),
    }
