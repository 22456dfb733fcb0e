"""The grid's arms against the baseline and against their controls, paired by seed and prompt."""

from collections.abc import Collection, Container, Iterator, Mapping
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from curation.core.messages import did_you_mean, first_names
from curation.core.metrics import Interval
from curation.core.params import BASELINE, Strict
from curation.core.study import Study
from curation.core.text import clip, one_line
from curation.experiment.estimate import Estimate, estimate
from curation.experiment.families import correct
from curation.experiment.gaps import find_gaps
from curation.experiment.pilot import Assumed, assumption
from curation.experiment.same_arms import SAME
from curation.experiment.terms import ARM, arm_name
from curation.experiment.values import BASELINE_ARM, GIVEN, Answers, ArmKey, BenchmarkValues, DeclaredRuns
from curation.tables.contracts import empty
from curation.tables.measurements import COMPARISONS

Gain = Annotated[float, Field(ge=1e-4, le=1, description="of shares of right answers")]


class Params(Strict):
    """`compare` in params.yaml: which of `contrasts` the study is about, declared before its result is seen, and so not
    corrected for the others; null where there is none. `detect` is the gain that the study is to find, 0.03 for three
    points, and `assume` what `curation plan` takes where there are no results yet; neither changes a table."""

    primary: str | None
    detect: Gain | None = None
    assume: Assumed | None = None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A name that is no contrast's, or that of several; an assumption that no answers could meet."""
        yield from (f"assume.{line}" for line in assumption(self.assume).find_faults())
        if self.primary is None:
            return
        from curation.experiment.contrast_rows import expand_all

        names = [row.name for row in expand_all(study)]
        if self.primary in names:
            return
        if several := [name for name in names if name.startswith(f"{self.primary}.")]:
            yield f"primary: {self.primary!r} is several contrasts; name one of {', '.join(several)}"
        else:
            yield f"primary: {self.primary!r} is not in contrasts{did_you_mean(self.primary, names)}"

    def declaration(self, study: Study) -> dict[str, Any] | None:
        """All that decides the primary contrast, as plain data; None where there is none."""
        from curation.experiment.primary import declare

        return None if self.primary is None else declare(self.primary, study)


def declared_runs(study: Study) -> DeclaredRuns:
    """The runs of the study's grid, and those trained elsewhere, each an arm with one seed."""
    arms = {name: (run.method, *run.arm[:-1]) for name, run in study.runs.items()}
    arms |= {name: (GIVEN, name, "", "", "") for name in study.models.names}
    seeds = dict.fromkeys(arms, 0) | {name: run.seed for name, run in study.runs.items()}
    treatments = frozenset(name for name, control in study.controls.items() if control.treatment)
    return DeclaredRuns(arms, seeds, treatments)


def find_missing(declared: DeclaredRuns, there: Container[str], errors: Mapping[str, str]) -> dict[str, str]:
    """Why each run is not compared that has no results, by its name; `errors` are of those that failed in training."""
    missing = [name for name in (BASELINE, *declared.arms) if name not in there]
    return {name: f"failed: {errors[name]}" if name in errors else "no results" for name in missing}


def compare(
    runs: DeclaredRuns,
    values: Mapping[tuple[str, str], BenchmarkValues],
    answers: Answers,
    pairs_of_run: Mapping[str, int],
    same: Mapping[ArmKey, ArmKey],
) -> pl.DataFrame:
    """The rows of `comparisons`, of the runs that have results: each arm's value and its gain over the baseline, and
    each selection's gain over each of its controls.

    Only prompts that have a value in all the runs compared count. p_holm is corrected for all gains of one measure over
    controls, or over the baseline, those of runs that failed too. `pairs_of_run` is the number of pairs that each run
    learnt from, of those that learnt from any here; `same` says of arms which other they are, and a gain over the same
    runs is refused.
    """
    rows = [
        row
        for (benchmark, measure), of in values.items()
        for arm, against, other in _compared(runs, of.arms)
        if (row := _row(arm, against, other, benchmark, measure, of, pairs_of_run, answers, same))
    ]
    table = pl.DataFrame(
        rows,
        schema={name: kind for name, kind in empty(COMPARISONS).schema.items() if name != "p_holm"},
        orient="row",
    )
    return _correct_p(table, _find_untested(runs, values, table))


def _compared(runs: DeclaredRuns, arms: Collection[ArmKey]) -> Iterator[tuple[ArmKey, str, ArmKey | None]]:
    """What is compared with what: each arm with the baseline, where that is among them, and each selection with each of
    its controls: the arm, how the other is called, and the other."""
    baseline = BASELINE_ARM if BASELINE_ARM in arms else None
    for arm in arms:
        if arm == BASELINE_ARM or baseline is None:
            yield arm, "", None
        else:
            yield arm, BASELINE, baseline
        if arm[-1] in runs.treatments:
            controls = (other for other in arms if other[:-1] == arm[:-1] and other[-1] not in runs.treatments)
            yield from ((arm, other[-1], other) for other in controls)


def _row(
    arm: ArmKey, against: str, other: ArmKey | None, benchmark: str, measure: str, of: BenchmarkValues,
    pairs_of_run: Mapping[str, int], answers: Answers, same: Mapping[ArmKey, ArmKey],
) -> tuple[object, ...] | None:  # fmt: skip
    """None where fewer than two prompts have a value."""
    one, study = {benchmark: 1.0}, {benchmark: of}
    value = estimate({arm: 1.0}, one, study)
    if value.prompts < 2:
        return None
    sides = [[run for of_seed in of.arms[side].runs for run in of_seed] if side else None for side in (arm, other)]
    cut, missing = (
        [None if side is None else count(side, benchmark) for side in sides]
        for count in (answers.truncated, answers.missing)
    )
    gain = None if other is None else estimate({arm: 1.0, other: -1.0}, one, study)
    if gain is not None and other is not None and same.get(arm, arm) == same.get(other, other):
        gain = gain._replace(p=None, refused=SAME)
    known = [pairs_of_run[run] for run in sides[0] or [] if run in pairs_of_run]
    pairs = round(sum(known) / len(known)) if known else None
    gains = (None,) * 6 if gain is None else (*_numbers(gain), gain.prompts, gain.seeds, gain.scope)
    return (
        *arm, against, benchmark, f"{measure}@{of.samples}", pairs, *_numbers(value), *cut, *missing, *gains,
        (gain or value).voided, None if gain is None else gain.p, (gain or value).refused,
    )  # fmt: skip


def _numbers(found: Estimate) -> tuple[float | None, ...]:
    """Estimate and interval; nulls where it is refused."""
    return (None,) * 3 if found.refused else (found.value, found.low, found.high)


def _family(against: str, measure: str) -> tuple[str, str]:
    """Of which gains one is corrected for. A measure is one whatever its k, which each benchmark has for itself."""
    return against if against in ("", BASELINE) else "controls", measure.partition("@")[0]


def _find_untested(
    runs: DeclaredRuns, values: Mapping[tuple[str, str], BenchmarkValues], table: pl.DataFrame
) -> list[tuple[str, str]]:
    """The families of the gains that the grid declares and the table does not have, as of runs that failed: these do
    not make the others fewer."""
    there = {
        (tuple(arm), against, benchmark, measure.partition("@")[0])
        for *arm, against, benchmark, measure in table.select(*ARM, "against", "benchmark", "measure").rows()
    }
    declared = [BASELINE_ARM, *dict.fromkeys(runs.arms.values())]
    return [
        _family(against, measure)
        for benchmark, measure in values
        for arm, against, _ in _compared(runs, declared)
        if against and (arm, against, benchmark, measure) not in there
    ]


def _correct_p(table: pl.DataFrame, untested: list[tuple[str, str]]) -> pl.DataFrame:
    """The table with p_holm, where `untested` gains count as well."""
    families = [_family(*row) for row in table.select("against", "measure").rows()]
    p = [*table["p"].to_list(), *[None] * len(untested)]
    corrected = correct(p, [*families, *untested])[: table.height]
    return table.with_columns(pl.Series("p_holm", corrected, dtype=pl.Float64)).select(COMPARISONS.schema.names)


def messages(
    missing: Mapping[str, str], values: Mapping[tuple[str, str], BenchmarkValues], elsewhere: Collection[str] = ()
) -> Iterator[str]:
    """What to say of runs that are not compared, and of prompts without a value; the benchmarks `elsewhere` another
    harness asked."""
    if missing:
        named = first_names((f"{name} ({clip(one_line(why))})" for name, why in missing.items()), 5)
        yield f"not compared: {named}"
    yield from find_gaps(values, elsewhere)


def comparison_metrics(comparisons: pl.DataFrame, missing: Collection[str]) -> dict[str, object]:
    """For each arm and benchmark, its values with their intervals, the share of its answers that were cut, and its
    gains over the baseline and the controls; and which runs are missing."""
    tree: dict[str, Any] = {"missing_runs": len(missing)}
    if missing:
        tree["missing"] = dict.fromkeys(missing, 1)
    for row in comparisons.iter_rows(named=True):
        arm = arm_name(tuple(row[part] for part in ARM))
        measure, keys = row["measure"].replace("@", "_at_"), dict[str, float | int]()
        if row["against"] in ("", BASELINE) and row["value"] is not None:
            keys |= Interval(row["value"], row["value_low"], row["value_high"], row["n"] or 0).keys(measure)
            keys |= {name: row[name] for name in ("truncated", "missing")}
        if row["gain"] is not None:
            gain = Interval(row["gain"], row["ci_low"], row["ci_high"], row["n"])
            keys |= gain.keys(f"{measure}_gain_over_{row['against']}")
        tree.setdefault(arm, {}).setdefault(row["benchmark"], {}).update(keys)
    return tree
