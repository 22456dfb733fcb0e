"""The grid's arms against the baseline and against their controls, paired by seed and prompt."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.core.messages import did_you_mean
from curation.core.metrics import Interval
from curation.core.params import BASELINE, Strict
from curation.core.stats import Crossed, crossed_mean, holm, pass_at_k
from curation.core.study import Study
from curation.tables.contracts import COMPARISONS, empty

ARM = ("method", "selection", "generator_pairs", "budget", "control")  # what an arm is, whatever its seed


class Primary(Strict):
    """The one contrast that the study is about, declared before it is seen: a selection less its control, on one
    benchmark."""

    method: str
    selection: str
    generator_pairs: str
    budget: int | str
    control: str
    benchmark: str


class Params(Strict):
    """`compare` in params.yaml: the primary contrast, which is corrected for no others; null where there is none."""

    primary: Primary | None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A part of the primary contrast that the grid does not make."""
        if self.primary is None:
            return
        for axis in ARM:
            made = [
                str(value)
                for value in getattr(study.grid, {"budget": "budgets", "generator_pairs": axis}.get(axis, f"{axis}s"))
            ]
            if str(getattr(self.primary, axis)) not in made:
                yield f"primary.{axis}: {getattr(self.primary, axis)!r} is not in the grid, which has {', '.join(made) or 'none'}"
        if self.primary.control in study.controls and study.controls[self.primary.control].treatment:
            yield f"primary.control: {self.primary.control!r} is the selection itself; name what it is compared with"
        if not any(study.controls[name].treatment for name in study.grid.controls):
            yield "primary: the grid has controls only; add the selection itself (pairs: own, labels: as_is) to grid.controls"
        benchmarks = [name for name, source in study.sources.items() if source.split != "train"]
        if self.primary.benchmark not in benchmarks:
            yield f"primary.benchmark: {self.primary.benchmark!r} is no source to evaluate on{did_you_mean(self.primary.benchmark, benchmarks)}"


class Declared(NamedTuple):
    """What params.yaml says of the runs: each run's arm and seed by its name, and which controls are the selection
    itself."""

    arms: Mapping[str, tuple[str, ...]]
    seeds: dict[str, int]
    treatments: frozenset[str]


def declared(study: Study) -> Declared:
    """The runs of the study's grid."""
    arms = {name: (run.method, *run.arm[:-1]) for name, run in study.runs.items()}
    treatments = frozenset(name for name, control in study.controls.items() if control.treatment)
    return Declared(arms, {name: run.arm.seed for name, run in study.runs.items()}, treatments)


def per_prompt(results: pl.DataFrame) -> pl.DataFrame:
    """run, benchmark, prompt_id, measure, value: avg@k (mean over the k samples) and pass@k of each prompt; unscored
    samples do not count."""
    scored = results.filter(pl.col("status") == "scored")
    grouped = scored.group_by("run", "benchmark", "prompt_id").agg(
        pl.col("score").sum().alias("right"), pl.len().alias("samples")
    )
    k = max(results["sample_index"].to_list(), default=0) + 1
    average = grouped.with_columns(
        pl.lit(f"avg@{k}").alias("measure"), (pl.col("right") / pl.col("samples")).alias("value")
    )
    values = [
        pass_at_k(int(right), samples, min(k, samples)) for right, samples in grouped.select("right", "samples").rows()
    ]
    best = grouped.with_columns(pl.lit(f"pass@{k}").alias("measure"), pl.Series("value", values, dtype=pl.Float64))
    return (
        pl.concat([average, best])
        .select("run", "benchmark", "prompt_id", "measure", "value")
        .sort("run", "benchmark", "measure", "prompt_id")
    )


def compare(settings: Params, runs: Declared, results: pl.DataFrame, pairs: dict[str, int]) -> pl.DataFrame:
    """The rows of `comparisons`: each arm's value, and its gain over the baseline; and each selection's over each of
    its controls, of the same seeds.

    Only prompts that have a value in all the runs compared count. p_holm is corrected for all contrasts of one measure
    with controls, or with the baseline; the primary contrast is not, since it was declared. `pairs` is the number of
    pairs that each run learnt from.
    """
    rows = []
    for (benchmark, measure), group in per_prompt(results).group_by("benchmark", "measure", maintain_order=True):
        values = {
            run: dict(part.select("prompt_id", "value").rows())
            for (run,), part in group.group_by("run", maintain_order=True)
        }
        names: dict[tuple[str, ...], dict[int, str]] = {}
        for run in values:
            if run != BASELINE:
                names.setdefault(runs.arms[run], {})[runs.seeds[run]] = run
        made = list(_contrasts(runs, names, values))
        rows += [_row(one, str(benchmark), str(measure), pairs) for one in made]
    table = pl.DataFrame(
        rows,
        schema={name: kind for name, kind in empty(COMPARISONS).schema.items() if name not in ("p_holm", "primary")},
        orient="row",
    )
    return _corrected(settings.primary, table)


class Contrast(NamedTuple):
    """One arm (five empty texts for the baseline), what it is against, its value, its gain, and its runs."""

    arm: tuple[str, ...]
    against: str
    value: Crossed
    gain: Crossed | None
    runs: tuple[str, ...]


def _contrasts(
    runs: Declared, names: dict[tuple[str, ...], dict[int, str]], values: dict[str, dict[int, float]]
) -> Iterator[Contrast]:
    base = values.get(BASELINE)
    if base and (value := crossed_mean(np.array([list(base.values())]))):
        yield Contrast(("", "", "", "", ""), "", value, None, ())
    for arm, by_seed in names.items():
        mine = [values[run] for run in by_seed.values()]
        if (value := _crossed(mine, [{}] * len(mine))) is None:
            continue
        gain = _crossed(mine, [base] * len(mine)) if base else None
        yield Contrast(arm, BASELINE if gain else "", value, gain, tuple(by_seed.values()))
        for other, theirs in names.items() if arm[-1] in runs.treatments else ():
            shared = [seed for seed in by_seed if seed in theirs]
            if other[:-1] == arm[:-1] and other[-1] not in runs.treatments and shared:
                gain = _crossed([values[by_seed[seed]] for seed in shared], [values[theirs[seed]] for seed in shared])
                if gain is not None:
                    yield Contrast(arm, other[-1], value, gain, tuple(by_seed[seed] for seed in shared))


def _crossed(mine: list[dict[int, float]], other: list[dict[int, float]]) -> Crossed | None:
    """The mean of what each seed's run has more than the other on the prompts that all have; of what it has, where
    the others are empty."""
    common = sorted(set.intersection(*(set(one) for one in (*mine, *other) if one)))
    return crossed_mean(
        np.array(
            [[one[prompt] - two.get(prompt, 0.0) for prompt in common] for one, two in zip(mine, other, strict=True)]
        )
    )


def _row(one: Contrast, benchmark: str, measure: str, pairs: dict[str, int]) -> tuple[object, ...]:
    size = round(sum(pairs[run] for run in one.runs) / len(one.runs)) if one.runs else None
    gain = (
        (None,) * 6
        if one.gain is None
        else (one.gain.mean, one.gain.low, one.gain.high, one.gain.prompts, one.gain.seeds, one.gain.p)
    )
    return (*one.arm, one.against, benchmark, measure, size, one.value.mean, one.value.low, one.value.high, *gain)


def _corrected(primary: Primary | None, table: pl.DataFrame) -> pl.DataFrame:
    first = table["measure"].min()
    declared = pl.lit(False)
    if primary is not None:
        names = {name: str(getattr(primary, name)) for name in (*ARM[:-1], "benchmark")}
        names |= {"against": primary.control, "measure": str(first)}
        declared = pl.all_horizontal(pl.col(name) == value for name, value in names.items())
    table = table.with_columns(
        declared.alias("primary"), pl.when(pl.col("against") == BASELINE).then(0).otherwise(1).alias("family")
    ).with_row_index("row")
    corrected: dict[int, float | None] = dict.fromkeys(range(table.height))
    for _, group in table.drop_nulls("p").filter(~pl.col("primary")).group_by("family", "measure", maintain_order=True):
        corrected |= dict(zip(group["row"], holm(group["p"].to_list()), strict=True))
    corrected |= dict(table.filter("primary").select("row", "p").rows())
    return table.with_columns(pl.Series("p_holm", list(corrected.values()), dtype=pl.Float64)).select(
        COMPARISONS.schema.names
    )


def figures(comparisons: pl.DataFrame) -> dict[str, object]:
    """arm, benchmark and measure to its value with interval, and to its gain over the baseline or over a control, as
    metrics."""
    tree: dict[str, Any] = {}
    for row in comparisons.iter_rows(named=True):
        name, arm = row["measure"].replace("@", "_at_"), "-".join(row[part] for part in ARM).strip("-") or BASELINE
        keys = (
            Interval(row["value"], row["value_low"], row["value_high"], row["n"] or 0).keys(name)
            if row["against"] in ("", BASELINE)
            else {}
        )
        if row["gain"] is not None:
            keys |= Interval(row["gain"], row["ci_low"], row["ci_high"], row["n"]).keys(
                f"{name}_gain_over_{row['against']}"
            )
        tree.setdefault(arm, {}).setdefault(row["benchmark"], {}).update(keys)
    return tree
