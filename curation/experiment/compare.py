"""The grid's arms against the baseline and against their controls, paired by seed and prompt."""

from collections.abc import Collection, Container, Iterator, Mapping
from typing import Any

import polars as pl

from curation.core.messages import did_you_mean, first_names
from curation.core.metrics import Interval
from curation.core.params import BASELINE, Strict
from curation.core.ranges import Positive
from curation.core.stats import holm
from curation.core.study import Study
from curation.core.text import clip, one_line
from curation.experiment.contrasts import Contrast, contrasts
from curation.experiment.values import AVERAGE, GIVEN, Answers, DeclaredRuns, per_prompt
from curation.tables.contracts import empty
from curation.tables.measurements import COMPARISONS

ARM = ("method", "selection", "generator_pairs", "budget", "control")  # what an arm is, whatever its seed


class Primary(Strict):
    """The one contrast that the study is about, declared before its result is seen: a selection against its control,
    on one benchmark."""

    method: str
    selection: str
    generator_pairs: str
    budget: Positive | str
    control: str
    benchmark: str


class Params(Strict):
    """`compare` in params.yaml: the primary contrast, which is not corrected for the others; null where there is
    none."""

    primary: Primary | None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A part of the primary contrast that the grid does not have, or parts that it does not put together."""
        if (primary := self.primary) is None:
            return
        there = [
            dict.fromkeys(str(value) for axes in study.grid.axes() for value in getattr(axes, axis))
            for axis in ("methods", "selections", "generator_pairs", "budgets", "controls")
        ]
        arm = tuple(str(getattr(primary, part)) for part in ARM)
        absent = [number for number, value in enumerate(arm) if value not in there[number]]
        for number in absent:
            value, known = getattr(primary, ARM[number]), ", ".join(there[number]) or "none"
            yield f"primary.{ARM[number]}: {value!r} is not in the grid, which has {known}"
        treatments = [name for name in there[-1] if name in study.controls and study.controls[name].treatment]
        if primary.control in study.controls and study.controls[primary.control].treatment:
            yield f"primary.control: {primary.control!r} is the selection itself; name what it is compared with"
        if not treatments:
            itself = "the selection itself (pairs: own, labels: as_is)"
            yield f"primary: the grid has controls only; add {itself} to grid.controls"
        if treatments and not absent:
            arms = {(run.method, *run.arm[:-1]) for run in study.runs.values()}
            yield from (
                f"primary: the grid has no run {' '.join(one)}; add it to grid.arms"
                for one in (arm, (*arm[:-1], treatments[0]))
                if one not in arms
            )
        if primary.benchmark not in study.benchmarks:
            hint = did_you_mean(primary.benchmark, study.benchmarks)
            yield f"primary.benchmark: {primary.benchmark!r} is no source to evaluate on{hint}"


def declared_runs(study: Study) -> DeclaredRuns:
    """The runs of the study's grid, and those trained elsewhere, each an arm with one seed."""
    arms = {name: (run.method, *run.arm[:-1]) for name, run in study.runs.items()}
    arms |= {name: (GIVEN, name, "", "", "") for name in study.models.folders}
    seeds = dict.fromkeys(arms, 0) | {name: run.seed for name, run in study.runs.items()}
    treatments = frozenset(name for name, control in study.controls.items() if control.treatment)
    return DeclaredRuns(arms, seeds, treatments)


def find_missing(declared: DeclaredRuns, there: Container[str], errors: Mapping[str, str]) -> dict[str, str]:
    """Why each run is not compared that has no results, by its name; `errors` are of those that failed in training."""
    missing = [name for name in (BASELINE, *declared.arms) if name not in there]
    return {name: f"failed: {errors[name]}" if name in errors else "no results" for name in missing}


def compare(
    settings: Params, runs: DeclaredRuns, results: pl.DataFrame, pairs_of_run: Mapping[str, int]
) -> pl.DataFrame:
    """The rows of `comparisons`, of the runs that have results: each arm's value and its gain over the baseline, and
    each selection's gain over each of its controls of the same seeds. The value of a seed is the mean over its draws.

    Only prompts that have a value in all the runs compared count. p_holm is corrected for all contrasts of one measure
    with controls, or with the baseline; that of the primary contrast is not, since it was declared. `pairs_of_run` is
    the number of pairs that each run learnt from, of those that learnt from any here.
    """
    rows, answers = [], Answers(results)
    for (benchmark, measure), group in per_prompt(results).group_by("benchmark", "measure", maintain_order=True):
        values = {
            run: dict(part.select("prompt_id", "value").rows())
            for (run,), part in group.group_by("run", maintain_order=True)
        }
        for contrast in contrasts(runs, values):
            rows.append(_row(contrast, str(benchmark), str(measure), pairs_of_run, answers))
    table = pl.DataFrame(
        rows,
        schema={name: kind for name, kind in empty(COMPARISONS).schema.items() if name not in ("p_holm", "primary")},
        orient="row",
    )
    return _correct_p(settings.primary, table)


def _row(
    contrast: Contrast, benchmark: str, measure: str, pairs_of_run: Mapping[str, int], answers: Answers
) -> tuple[object, ...]:
    value, gain = contrast.value, contrast.gain
    known = [pairs_of_run[run] for run in contrast.runs if run in pairs_of_run]
    pairs = round(sum(known) / len(known)) if known else None
    cut, cut_against = (
        answers.truncated(runs, benchmark) if runs else None for runs in (contrast.runs, contrast.others)
    )
    gains = (None,) * 6 if gain is None else (gain.mean, gain.low, gain.high, gain.prompts, gain.seeds, gain.p)
    return (
        *contrast.arm, contrast.against, benchmark, measure, pairs, value.mean, value.low, value.high,
        cut, cut_against, *gains,
    )  # fmt: skip


def _correct_p(primary: Primary | None, table: pl.DataFrame) -> pl.DataFrame:
    """The table with p_holm and primary. A measure is one whatever its k, which each benchmark has for itself."""
    measure = pl.col("measure").str.split("@").list.first()
    is_primary = pl.lit(False)
    if primary is not None:
        names = {name: str(getattr(primary, name)) for name in (*ARM[:-1], "benchmark")} | {"against": primary.control}
        is_primary = pl.all_horizontal(measure == AVERAGE, *(pl.col(name) == value for name, value in names.items()))
    table = table.with_columns(
        is_primary.alias("primary"), (pl.col("against") == BASELINE).alias("over_baseline"), measure.alias("kind")
    ).with_row_index("row")
    corrected: dict[int, float | None] = dict.fromkeys(range(table.height))
    others = table.drop_nulls("p").filter(~pl.col("primary"))
    for _, group in others.group_by("over_baseline", "kind", maintain_order=True):
        corrected |= dict(zip(group["row"], holm(group["p"].to_list()), strict=True))
    corrected |= dict(table.filter("primary").select("row", "p").rows())
    return table.with_columns(pl.Series("p_holm", list(corrected.values()), dtype=pl.Float64)).select(
        COMPARISONS.schema.names
    )


def messages(settings: Params, comparisons: pl.DataFrame, missing: Mapping[str, str]) -> Iterator[str]:
    """What to say of runs that are not compared, and of a primary contrast that has no result for want of them."""
    if missing:
        named = first_names((f"{name} ({clip(one_line(why))})" for name, why in missing.items()), 5)
        yield f"not compared: {named}"
    if settings.primary is not None and not comparisons["primary"].any():
        yield f"compare.primary has no result: {' '.join(str(value) for _, value in settings.primary)}"


def comparison_metrics(comparisons: pl.DataFrame, missing: Collection[str]) -> dict[str, object]:
    """For each arm and benchmark, its values with their intervals, the share of its answers that were cut, and its
    gains over the baseline and the controls; and which runs are missing."""
    tree: dict[str, Any] = {"missing_runs": len(missing)}
    if missing:
        tree["missing"] = dict.fromkeys(missing, 1)
    for row in comparisons.iter_rows(named=True):
        arm = "-".join(row[part] for part in ARM).strip("-") or BASELINE
        measure, keys = row["measure"].replace("@", "_at_"), dict[str, float | int]()
        if row["against"] in ("", BASELINE):
            keys |= Interval(row["value"], row["value_low"], row["value_high"], row["n"] or 0).keys(measure)
            keys["truncated"] = row["truncated"]
        if row["gain"] is not None:
            gain = Interval(row["gain"], row["ci_low"], row["ci_high"], row["n"])
            keys |= gain.keys(f"{measure}_gain_over_{row['against']}")
        tree.setdefault(arm, {}).setdefault(row["benchmark"], {}).update(keys)
    return tree
