"""What the pairs of an arm are on average, by any expression of selections; and how deltas go with the generators."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from curation.core.stats import stable_mean, stable_sum
from curation.core.study import Study
from curation.experiment.contrast_rows import DeltaRow, Fixed, Row
from curation.experiment.least_squares import NotApart, coefficient_weights
from curation.experiment.terms import arm_name
from curation.experiment.values import ArmKey
from curation.selection import candidates
from curation.selection.candidates import Candidates
from curation.selection.column_names import OF_GENERATORS, SOFT
from curation.selection.named_columns import NamedColumns
from curation.tables import contracts, parquet
from curation.tables.contracts import SIDES
from curation.tables.expressions.syntax import ColumnName, parse

TURNED = dict(zip(SIDES, SIDES[::-1], strict=True))  # what a side is once labels are reversed
POLICY = {f"policy_{side}_logp": f"policy_{TURNED[side]}_logp" for side in SIDES}
SIGNED = ("delta_", f"{OF_GENERATORS}_", "implicit_margin")  # columns that change their sign then


class NoProperty(Exception):
    """Why the weights of a contrast cannot be had from its arms' pairs."""


class Reversed(NamedColumns):
    """The candidates as they are when chosen and rejected change places."""

    key = "pair_id"

    def __init__(self, pairs: Candidates) -> None:
        self.pairs = pairs

    def _read_column(self, name: ColumnName) -> pl.Series:
        *head, column = name
        if head and head[0] in SIDES:
            return self.pairs._read_column((TURNED[head[0]], column))
        side, _, rest = column.partition("_")
        if side in SIDES:
            return self.pairs._read_column((*head, f"{TURNED[side]}_{rest}"))
        if column in POLICY:
            return self.pairs._read_column((*head, POLICY[column]))
        values = self.pairs._read_column(name)
        if column == "held_out_loss":  # -log sigmoid of the margin; of its opposite that is more by the margin
            return values + self.pairs._read_column((*head, "implicit_margin"))
        if column.startswith(f"{SOFT}_"):
            return 1 - values
        return -values if column.startswith(SIGNED) else values


class Properties:
    """Means of expressions over the pairs of arms, and the weights of contrasts that are made of them."""

    def __init__(self, study: Study, pairs: Candidates, subset: Callable[[str], pl.DataFrame]) -> None:
        """`subset` gives the rows of an arm by its name: pair_id and chosen_trace_id."""
        self.pairs, self.turned = pairs, Reversed(pairs)
        self.subset, self.mean = subset, cache(self._mean)
        self.names = dict[ArmKey, list[str]]()
        for run in study.runs.values():
            names = self.names.setdefault((run.method, *run.arm[:-1]), [])
            names += [run.arm.name] if run.arm.name not in names else []

    def weigh(self, row: Row) -> dict[ArmKey, float]:
        """The weight of each arm of a contrast. Raises NoProperty where properties do not decide them."""
        if isinstance(row.weighing, Fixed):
            return row.weigh(row.weighing.weights)
        on = [values if not isinstance(values, str) else self._of_terms(row, values) for values in row.weighing.on]
        try:
            return row.weigh(coefficient_weights(on, row.weighing.number).tolist())
        except NotApart as why:
            if why.number is not None:
                raise NoProperty(f"the pairs of all its arms have one mean of {row.weighing.on[why.number]}") from None
            raise NoProperty("its properties cannot be told apart: of these arms one follows from the others") from None

    def _of_terms(self, row: Row, expression: str) -> list[float]:
        """The mean of an expression over the pairs of each term, of which each arm counts alike."""
        return [float(np.mean([self.mean(arm, expression) for arm in term])) for term in row.terms]

    def _mean(self, arm: ArmKey, expression: str) -> float:
        """The mean of an expression over the pairs of an arm, of whatever draw."""
        subsets = [self.subset(name) for name in self.names.get(arm, [])]
        known = [self._values(subset, expression).drop_nulls() for subset in subsets]
        if not sum(map(len, known)):
            raise NoProperty(f"no pair of {arm_name(arm)} has a value of {expression}")
        return float(pl.concat(known).to_numpy().mean())

    def _values(self, subset: pl.DataFrame, expression: str) -> pl.Series:
        rows = np.searchsorted(self.pairs.column("pair_id").to_numpy(), subset["pair_id"].to_numpy())
        turned = subset["chosen_trace_id"].to_numpy() != self.pairs.column("chosen_trace_id").to_numpy()[rows]
        views = ((self.pairs, rows[~turned]), (self.turned, rows[turned]))
        return pl.concat([_value(view, expression, of) for view, of in views])


def _value(view: NamedColumns, expression: str, rows: np.ndarray) -> pl.Series:
    """The value of an expression for each of the rows, null where it is no finite number. A window sees all candidates,
    as where pairs are selected."""
    if not len(rows):
        return pl.Series([], dtype=pl.Float64)
    if parse(expression).has_window:
        values = view.values({"value": expression}, "contrasts: ")["value"][rows]
    else:
        values = view.values({"value": expression}, "contrasts: ", rows)["value"]
    values = values.cast(pl.Float64)
    return values.set(~values.is_finite(), None)


class Slope(NamedTuple):
    """The slope of mean deltas over generator pairs, its standard error and degrees of freedom, clustered by prompt.
    `unscored` are the prompts some of whose pairs have no value, which count by the others."""

    value: float
    standard_error: float
    df: float
    prompts: int
    unscored: int
    rungs: list[tuple[str, float, float]]  # of each pair of generators: x, mean delta


def delta_slope(row: DeltaRow, pairs: Candidates) -> Slope:
    """The least squares of each generator pair's mean delta on the mean of `by` over its pairs, of the pairs that meet
    `where`. Where each pair of generators stands is taken as it is. Raises NoProperty where there is no slope."""
    met = pairs.values({"where": row.where}, "contrasts: ")["where"].fill_null(value=False).to_numpy()
    rows = np.flatnonzero(met)
    read = {"value": _value(pairs, row.value, rows), "by": _value(pairs, row.by, rows)}
    names = ("prompt_id", *(f"{side}_model" for side in SIDES))
    asked = pl.DataFrame(read | {name: pairs.column(name)[rows] for name in names})
    asked = asked.with_columns(pl.format("{} over {}", *names[1:]).alias("rung"), pl.col("prompt_id").alias("prompt"))
    known, unscored = asked.drop_nulls(), asked.filter(pl.col("value").is_null())["prompt"].n_unique()
    rungs = known.group_by("rung").agg(stable_mean(pl.col("value", "by")), pl.len().alias("n")).sort("rung")
    prompts = known["prompt"].n_unique()
    if rungs.height < 2 or prompts < 2:
        raise NoProperty(f"{rungs.height} pairs of generators and {prompts} prompts have it, too few for a slope")
    x = rungs["by"].to_numpy()
    if float(np.ptp(x)) < 1e-12:
        raise NoProperty(f"all pairs of generators have one {row.by}")
    weights = (x - x.mean()) / float(((x - x.mean()) ** 2).sum())
    of_rung = rungs.select("rung", (pl.Series(weights) / pl.col("n")).alias("weight"), pl.col("value").alias("mean"))
    apart = known.join(of_rung, on="rung").select("prompt", pl.col("weight") * (pl.col("value") - pl.col("mean")))
    of_prompt = apart.group_by("prompt").agg(stable_sum(pl.col("weight")))["weight"].to_numpy()
    error = float(np.sqrt((np.sort(of_prompt) ** 2).sum() * prompts / (prompts - 1)))
    slope = float(weights @ rungs["value"].to_numpy())
    return Slope(slope, error, prompts - 1.0, prompts, unscored, rungs.select("rung", "by", "value").rows())


def from_files(study: Study) -> Properties:
    """Those of the tables on disk, which are read when a property is first asked for."""

    def subset(name: str) -> pl.DataFrame:
        columns = ["pair_id", "chosen_trace_id"]
        return parquet.read(contracts.SUBSETS, contracts.arm_path("subsets", name), columns).select(columns)

    return Properties(study, candidates.from_files(study), subset)
