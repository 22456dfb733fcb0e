"""How many labels it takes to know what a judge, or another person, is worth; and how far those at hand reach."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.metrics import Interval
from curation.core.study import Study
from curation.explore.labels.gold import RANDOM, Gold
from curation.reliability.label_budget import (
    MEASURES,
    PILOT,
    LabelBudget,
    Pool,
    assume,
    budget_labels,
    find_pairs,
    learn,
)
from curation.reliability.measurement import clustered_share
from curation.tables import contracts, measurements, parquet
from curation.tables.table import Table


def budget_judges(study: Study, half_width: float, share: float | None = None) -> list[LabelBudget]:
    """The budgets of the study's judges for an interval of `half_width`, from data/reliability.parquet as far as it can
    be read. Of a judge that is not in it `share` is assumed, or the measure's own share."""
    assumed = {measure: assume(measure, share) for measure in MEASURES}
    pilot = _read_or_empty(measurements.RELIABILITY, PILOT)
    return budget_labels(_name_measures(study), pilot, assumed, half_width, read_pool())


def read_pool() -> Pool:
    """The pairs that can be labelled, of two texts that differ."""
    pairs = _read_or_empty(contracts.PAIRS, ["prompt_id", "identical"]).filter(~pl.col("identical"))
    return Pool(pairs.group_by("prompt_id").len()["len"].to_numpy())


def find_dearest(study: Study, half_width: float) -> LabelBudget | None:
    """The largest budget of a judge's accuracy; None where no judge can be measured."""
    budgets = [one for one in budget_judges(study, half_width) if one.measure == "pairwise_accuracy"]
    return max(budgets, key=lambda one: one.pairs, default=None)


def _name_measures(study: Study) -> Iterator[tuple[str, str, str]]:
    truth = study.reliability.truth
    for judge, dimensions in study.dimensions.items():
        for dimension in dimensions:
            if judge != truth:
                yield judge, dimension, "pairwise_accuracy"
            if judge in study.pairwise_judges:
                yield judge, dimension, "position_inconsistency"


def _read_or_empty(table: Table, columns: Sequence[str]) -> pl.DataFrame:
    try:
        return parquet.read(table, contracts.path(table.name), columns)
    except CurationError:  # absent, or of an earlier version, which says nothing
        return contracts.empty(table).select(columns)


def _find_prompts(ids: pl.Series) -> pl.DataFrame:
    """The prompts of these pairs, without reading those of others."""
    columns = ["pair_id", "prompt_id"]
    try:
        return parquet.pick(contracts.PAIRS, [contracts.path("pairs")], ids, columns)
    except CurationError:  # as above
        return contracts.empty(contracts.PAIRS).select(columns)


class Agreement(NamedTuple):
    """Of two labellers: the pairs of a random sample that both decided or called a tie, the share on which both say the
    same with its interval, and how many pairs it takes for one of the wanted half-width."""

    labellers: tuple[str, str]
    pairs: int
    share: Interval | None
    wanted: int | None


def measure_agreements(gold: Gold, half_width: float) -> list[Agreement]:
    """The agreement of each two labellers who have a pair in common. Both bad is a tie, as it is to a judge of kind
    imported."""
    found, pool = [], read_pool()
    ids = sorted({pair_id for own in gold.labels.values() for pair_id in own})
    prompts = _find_prompts(pl.Series("pair_id", ids, pl.Int64))
    for one, other in combinations(sorted(gold.labels), 2):
        said = [
            {pair_id: _as_tie(label.verdict) for pair_id, label in gold.of(name).items()
             if label.verdict is not None and label.sample["kind"] == RANDOM}
            for name in (one, other)
        ]  # fmt: skip
        both = [(pair_id, float(said[0][pair_id] == said[1][pair_id])) for pair_id in said[0].keys() & said[1].keys()]
        same = pl.DataFrame(both, {"pair_id": pl.Int64, "same": pl.Float64}, orient="row").sort("pair_id")
        same = same.join(prompts, on="pair_id", maintain_order="left")
        if same.height:
            share = clustered_share(same["same"], same["prompt_id"])
            wanted = share and find_pairs(learn(share, same.height, pool), half_width, pool)
            found.append(Agreement((one, other), same.height, share, wanted))
    return found


def _as_tie(verdict: str | None) -> str | None:
    return "tie" if verdict == "both_bad" else verdict
