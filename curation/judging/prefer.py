"""The verdicts of one pairwise judge."""

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.kinds import kind
from curation.core.metrics import mean
from curation.judging.pairwise_judges._kind import Compared, PairwiseJudge
from curation.tables.contracts import LISTED_PAIRS, PREFERENCES, SIDES, empty


def prefer(
    name: str,
    settings: PairwiseJudge,
    pairs: pl.DataFrame,
    traces: pl.DataFrame,
    prompts: pl.DataFrame,
    ledger: Ledger,
    listed: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The rows of `preferences` that pairwise judge `name` gives for the pairs, in the order of their ids, so that the
    order of the input changes no call. `listed` are the rows of `listed_pairs`, if there are any.

    A pair of equal texts has no row.
    """
    problems = prompts.select("prompt_id", "prompt", "messages", "tools", "answer")
    unequal = pairs.filter(~pl.col("identical")).sort("pair_id").join(problems, on="prompt_id", maintain_order="left")
    for side in SIDES:
        names = {"trace_id": f"{side}_trace_id", "completion": side, "reasoning": f"{side}_reasoning"}
        texts = traces.select(names.keys()).rename(names)
        unequal = unequal.join(texts, on=f"{side}_trace_id", maintain_order="left")
    compared = Compared(unequal, traces, prompts, empty(LISTED_PAIRS) if listed is None else listed)
    rows = kind("pairwise_judges", settings.kind).prefer(settings, name, compared, ledger)
    return rows.with_columns(pl.lit(name).alias("judge")).select(PREFERENCES.schema.names)


def metrics(preferences: pl.DataFrame) -> dict[str, object]:
    """The number of verdicts, the share that is scored, the share of the scored that have a strength, the number of
    each verdict by the order shown, and of each status."""
    by_order: dict[str, dict[str, int]] = {}
    for order, verdict, count in (
        preferences.drop_nulls("verdict").group_by("order", "verdict").len().sort("order", "verdict").iter_rows()
    ):
        by_order.setdefault(order, {})[verdict] = count
    return {
        "preferences": preferences.height,
        "coverage": mean(preferences["status"] == "scored") or 0.0,
        "with_strength": mean(preferences.drop_nulls("verdict")["strength"].is_not_null()) or 0.0,
        "verdict": by_order,
        "status": dict(preferences.group_by("status").len().sort("status").iter_rows()),
    }
