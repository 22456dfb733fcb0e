"""The grid's arms against the baseline and against their controls, paired by seed and prompt."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from curation.core.messages import did_you_mean
from curation.core.metrics import Interval
from curation.core.params import BASELINE, Strict
from curation.core.ranges import Positive
from curation.core.stats import Crossed, crossed_mean, holm, pass_at_k
from curation.core.study import Study
from curation.tables.contracts import empty
from curation.tables.measurements import COMPARISONS

ARM = ("method", "selection", "generator_pairs", "budget", "control")  # what an arm is, whatever its seed
ArmKey: TypeAlias = tuple[str, ...]  # the values of ARM
PromptValues: TypeAlias = Mapping[int, float]  # a run's value of each prompt


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
        """A part of the primary contrast that the grid does not make."""
        if (primary := self.primary) is None:
            return
        grid = study.grid
        axes = (grid.methods, grid.selections, grid.generator_pairs, map(str, grid.budgets), grid.controls)
        for part, axis in zip(ARM, map(list, axes), strict=True):
            value, there = getattr(primary, part), ", ".join(axis) or "none"
            if str(value) not in axis:
                yield f"primary.{part}: {value!r} is not in the grid, which has {there}"
        if primary.control in study.controls and study.controls[primary.control].treatment:
            yield f"primary.control: {primary.control!r} is the selection itself; name what it is compared with"
        if not any(study.controls[name].treatment for name in grid.controls):
            itself = "the selection itself (pairs: own, labels: as_is)"
            yield f"primary: the grid has controls only; add {itself} to grid.controls"
        if primary.benchmark not in study.benchmarks:
            hint = did_you_mean(primary.benchmark, study.benchmarks)
            yield f"primary.benchmark: {primary.benchmark!r} is no source to evaluate on{hint}"


class DeclaredRuns(NamedTuple):
    """What params.yaml says of the runs: each run's arm and seed by its name, and which controls are the selection
    itself."""

    arms: Mapping[str, ArmKey]
    seeds: dict[str, int]
    treatments: frozenset[str]


def declared_runs(study: Study) -> DeclaredRuns:
    """The runs of the study's grid."""
    arms = {name: (run.method, *run.arm[:-1]) for name, run in study.runs.items()}
    treatments = frozenset(name for name, control in study.controls.items() if control.treatment)
    return DeclaredRuns(arms, {name: run.seed for name, run in study.runs.items()}, treatments)


def per_prompt(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, prompt_id, measure, value: avg@k (the mean over the k samples) and pass@k of each prompt.
    Samples without a score do not count."""
    scored = results.filter(pl.col("score").is_not_null())
    grouped = scored.group_by("run", "benchmark", "prompt_id").agg(
        pl.col("score").sum().alias("right"), pl.len().alias("samples")
    )
    k = max(results["sample_index"].to_list(), default=0) + 1
    average = grouped.with_columns(
        pl.lit(f"avg@{k}").alias("measure"), (pl.col("right") / pl.col("samples")).alias("value")
    )
    passes = [
        pass_at_k(int(right), samples, min(k, samples)) for right, samples in grouped.select("right", "samples").rows()
    ]
    best = grouped.with_columns(pl.lit(f"pass@{k}").alias("measure"), pl.Series("value", passes, dtype=pl.Float64))
    return (
        pl.concat([average, best])
        .select("run", "benchmark", "prompt_id", "measure", "value")
        .sort("run", "benchmark", "measure", "prompt_id")
    )


def compare(settings: Params, runs: DeclaredRuns, results: pl.DataFrame, pairs_of_run: dict[str, int]) -> pl.DataFrame:
    """The rows of `comparisons`: each arm's value and its gain over the baseline, and each selection's gain over each
    of its controls of the same seeds.

    Only prompts that have a value in all the runs compared count. p_holm is corrected for all contrasts of one measure
    with controls, or with the baseline; that of the primary contrast is not, since it was declared. `pairs_of_run` is
    the number of pairs that each run learnt from.
    """
    rows = []
    for (benchmark, measure), group in per_prompt(results).group_by("benchmark", "measure", maintain_order=True):
        values = {
            run: dict(part.select("prompt_id", "value").rows())
            for (run,), part in group.group_by("run", maintain_order=True)
        }
        for contrast in _contrasts(runs, values):
            rows.append(_row(contrast, str(benchmark), str(measure), pairs_of_run))
    table = pl.DataFrame(
        rows,
        schema={name: kind for name, kind in empty(COMPARISONS).schema.items() if name not in ("p_holm", "primary")},
        orient="row",
    )
    return _correct_p(settings.primary, table)


class Contrast(NamedTuple):
    """One arm (five empty texts for the baseline), what it is compared with, its value, its gain, and its runs."""

    arm: ArmKey
    against: str
    value: Crossed
    gain: Crossed | None
    runs: tuple[str, ...]


def _contrasts(runs: DeclaredRuns, values: dict[str, dict[int, float]]) -> Iterator[Contrast]:
    """The contrasts of one benchmark and measure, of which each run has `values`."""
    baseline = values.get(BASELINE)
    if baseline and (value := crossed_mean(np.array([list(baseline.values())]))):
        yield Contrast(("", "", "", "", ""), "", value, None, ())
    run_of_seed: dict[ArmKey, dict[int, str]] = {}
    for run in values:
        if run != BASELINE:
            run_of_seed.setdefault(runs.arms[run], {})[runs.seeds[run]] = run
    for arm, by_seed in run_of_seed.items():
        own = [values[run] for run in by_seed.values()]
        if (value := _gain(own, [{}] * len(own))) is None:
            continue
        gain = _gain(own, [baseline] * len(own)) if baseline else None
        yield Contrast(arm, BASELINE if gain else "", value, gain, tuple(by_seed.values()))
        for other, other_by_seed in run_of_seed.items() if arm[-1] in runs.treatments else ():
            seeds = [seed for seed in by_seed if seed in other_by_seed]
            if other[:-1] == arm[:-1] and other[-1] not in runs.treatments and seeds:
                own, others = ([values[of_arm[seed]] for seed in seeds] for of_arm in (by_seed, other_by_seed))
                if (gain := _gain(own, others)) is not None:
                    yield Contrast(arm, other[-1], value, gain, tuple(by_seed[seed] for seed in seeds))


def _gain(own: Sequence[PromptValues], others: Sequence[PromptValues]) -> Crossed | None:
    """The mean gain of each seed's run over the other, on the prompts that all have; where the others are empty, the
    mean value."""
    common = sorted(set.intersection(*(set(values) for values in (*own, *others) if values)))
    by_seed = zip(own, others, strict=True)
    gains = [[values[prompt] - other.get(prompt, 0.0) for prompt in common] for values, other in by_seed]
    return crossed_mean(np.array(gains))


def _row(contrast: Contrast, benchmark: str, measure: str, pairs_of_run: dict[str, int]) -> tuple[object, ...]:
    runs, value, gain = contrast.runs, contrast.value, contrast.gain
    pairs = round(sum(pairs_of_run[run] for run in runs) / len(runs)) if runs else None
    gains = (None,) * 6 if gain is None else (gain.mean, gain.low, gain.high, gain.prompts, gain.seeds, gain.p)
    return (
        *contrast.arm, contrast.against, benchmark, measure, pairs, value.mean, value.low, value.high, *gains
    )  # fmt: skip


def _correct_p(primary: Primary | None, table: pl.DataFrame) -> pl.DataFrame:
    """The table with p_holm and primary."""
    is_primary = pl.lit(False)
    if primary is not None:
        names = {name: str(getattr(primary, name)) for name in (*ARM[:-1], "benchmark")}
        names |= {"against": primary.control, "measure": str(table["measure"].min())}
        is_primary = pl.all_horizontal(pl.col(name) == value for name, value in names.items())
    table = table.with_columns(
        is_primary.alias("primary"), pl.when(pl.col("against") == BASELINE).then(0).otherwise(1).alias("family")
    ).with_row_index("row")
    corrected: dict[int, float | None] = dict.fromkeys(range(table.height))
    for _, group in table.drop_nulls("p").filter(~pl.col("primary")).group_by("family", "measure", maintain_order=True):
        corrected |= dict(zip(group["row"], holm(group["p"].to_list()), strict=True))
    corrected |= dict(table.filter("primary").select("row", "p").rows())
    return table.with_columns(pl.Series("p_holm", list(corrected.values()), dtype=pl.Float64)).select(
        COMPARISONS.schema.names
    )


def comparison_metrics(comparisons: pl.DataFrame) -> dict[str, object]:
    """For each arm and benchmark, its values with their intervals, and its gains over the baseline and the controls."""
    tree: dict[str, Any] = {}
    for row in comparisons.iter_rows(named=True):
        arm = "-".join(row[part] for part in ARM).strip("-") or BASELINE
        measure, keys = row["measure"].replace("@", "_at_"), dict[str, float | int]()
        if row["against"] in ("", BASELINE):
            keys |= Interval(row["value"], row["value_low"], row["value_high"], row["n"] or 0).keys(measure)
        if row["gain"] is not None:
            gain = Interval(row["gain"], row["ci_low"], row["ci_high"], row["n"])
            keys |= gain.keys(f"{measure}_gain_over_{row['against']}")
        tree.setdefault(arm, {}).setdefault(row["benchmark"], {}).update(keys)
    return tree
