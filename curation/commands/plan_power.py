"""The power section of `curation plan`: what the study's contrasts can see."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from curation.commands.rows import print_rows
from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.params import BASELINE
from curation.core.study import Study
from curation.core.text import one_line, say_count
from curation.exchange.measured import measure
from curation.experiment import registration
from curation.experiment.compare import declared_runs
from curation.experiment.detection import ALL_GAIN, GAIN, Detection, Power, foresee
from curation.experiment.pilot import assumption
from curation.experiment.planned import DECLARED, Unforeseen
from curation.experiment.power import POWER, Needs
from curation.tables import contracts, measurements, parquet

NEVER = "no number"
MOST_NAMED = 5
SAID_ONCE = ("samples", "seeds", "by")  # columns, where all rows say the same
OF_DETECT = {GAIN: "a gain of", ALL_GAIN: "all gain"}


def power_of(study: Study, prompts: pl.DataFrame) -> Power:
    """What the contrasts can see, by the results in data/, as far as they can be read."""
    results = [contracts.empty(measurements.RESULTS)]
    names = [BASELINE, *declared_runs(study).arms]
    for read in (_read_own, _read_measured):
        try:
            results.append(read(study, names))
        except CurationError:  # not there yet, or of an earlier version, which says nothing
            continue
    return foresee(study, prompts, pl.concat(results))


def _read_own(study: Study, names: Sequence[str]) -> pl.DataFrame:
    there = [name for name in names if contracts.path("results", name).exists()]
    return parquet.read_parts(measurements.RESULTS, there)


def _read_measured(study: Study, names: Sequence[str]) -> pl.DataFrame:
    """What other harnesses measured: as imported, where all that is declared is; else as their logs say."""
    file = contracts.path("imported_results")
    declared = {(benchmark, run) for benchmark, settings in study.results.items() for run in settings.runs}
    rows = parquet.read(measurements.IMPORTED_RESULTS, file) if file.exists() else contracts.empty(measurements.RESULTS)
    if set(rows.select("benchmark", "run").unique().rows()) != declared:
        rows = measure(study).results
    return rows.filter(pl.col("run").is_in(names))


def power_json(study: Study, power: Power) -> dict[str, Any]:
    """The same as plain data."""
    rows = [row._asdict() | {"needs": None if row.needs is None else row.needs._asdict()} for row in power.contrasts]
    return {
        "detect": power.detect,
        "power": POWER,
        "seed_sd": power.seed_sd,
        "seed_sd_basis": power.seed_basis,
        "passed_over": power.passed_over,
        "primary": study.compare.primary,
        "registered": registration.standing(study),
        "contrasts": rows,
        "unforeseen": [one._asdict() for one in power.unforeseen],
    }


def print_power(study: Study, power: Power) -> None:
    """Print a row for each declaration, and one for all gains of a kind on a benchmark: of several contrasts that which
    sees least. What asks no more than rows above it has none."""
    if not power.contrasts and not power.unforeseen:
        print("power: nothing is compared")
        return
    print(
        f"power: the smallest gain that is found in {POWER:.0%} of studies, or margin that is shown, at 5 %, by itself"
    )
    if power.contrasts:
        new = [rows for rows in _grouped(power.contrasts) if any(one.same_as is None for one in rows)]
        rows = pl.DataFrame([_row(rows, power.detect) for rows in new])
        rows = rows[[name for name in rows.columns if any(rows[name])]]
        alike = [name for name in SAID_ONCE if name in rows.columns and rows[name].n_unique() == 1]
        print_rows(rows.drop(alike))
        print("; ".join(f"{name}: {rows[name][0]}" for name in alike), end="\n" if alike else "")
    for together in _declared_together(power.unforeseen):
        name = together[0].contrast if len(together) == 1 else _of_several(together)
        print(one_line(f"not foreseen: {name}: {together[0].why}"))
    for line in [*_notes(study, power), *_say_registered(study)]:
        print(line)


def _say_registered(study: Study) -> Iterator[str]:
    """How the primary contrast stands to what is registered."""
    if registration.standing(study) == "registered":
        yield f"compare.primary: {study.compare.primary} is registered, before its results"
    yield from registration.messages(study)


def _grouped(contrasts: Sequence[Detection]) -> list[list[Detection]]:
    """The contrasts of one declaration together that ask the same, and all gains of a kind, on a benchmark."""
    groups = dict[tuple[str, ...], list[Detection]]()
    for one in contrasts:
        declared = one.contrast.partition(".")[0] if one.kind == DECLARED else ""
        groups.setdefault((one.kind, declared, one.benchmark, one.asks), []).append(one)
    return list(groups.values())


def _declared_together(unforeseen: Sequence[Unforeseen]) -> list[list[Unforeseen]]:
    """Those of one declaration that are unforeseen for one reason."""
    groups = dict[tuple[str, str], list[Unforeseen]]()
    for one in unforeseen:
        groups.setdefault((one.contrast.partition(".")[0], one.why), []).append(one)
    return list(groups.values())


def _row(rows: list[Detection], detect: float | None) -> dict[str, str]:
    one = max(rows, key=lambda row: row.smallest)
    of_kind = f"over {one.kind} ({len(rows)})"
    return {
        "contrast": one.contrast if len(rows) == 1 else _of_several(rows) if one.kind == DECLARED else of_kind,
        "asks": one.asks if one.asks not in OF_DETECT or one.power is None else f"{OF_DETECT[one.asks]} {detect:g}",
        "on": f"{one.benchmark} ({one.prompts:,})",
        "half width": f"{one.half_width:.3f}",
        "smallest": f"{one.smallest:.3f}",
        "finds it": "" if one.power is None else f"{one.power:.0%}",
        "takes": "" if one.needs is None else _say(one.needs),
        "samples": str(one.samples),
        "seeds": "" if one.seeds is None else str(one.seeds),
        "by": one.basis,
    }


def _of_several(rows: Sequence[Detection] | Sequence[Unforeseen]) -> str:
    return f"{rows[0].contrast.partition('.')[0]} ({len(rows)})"


def _say(needs: Needs) -> str:
    known = [f"{number:,} {what}" for what, number in needs._asdict().items() if number is not None]
    return " or ".join(known) or NEVER


def _notes(study: Study, power: Power) -> Iterator[str]:
    """What the figures rest on, and what they say of the gain that the study is to find."""
    taken = assumption(study.compare.assume)
    if power.passed_over:
        few = first_names((f"{name} ({prompts})" for name, prompts in power.passed_over.items()), MOST_NAMED)
        yield f"passed over: results of fewer than {power.fewest} prompts, which say less than what is assumed: {few}"
    if any("assumed" in one.basis for one in power.contrasts):
        yield (
            f"assumed (compare.assume): accuracy {taken.accuracy:g}; two answers of one run to a prompt correlate by "
            f"{taken.same_run:g}, of two runs by {taken.other_run:g}"
        )
    distinct = [one for one in power.contrasts if one.same_as is None]
    of_these = [one for one in distinct if one.scope == "this run"]
    if len(of_these) < len(distinct):
        yield (
            "seeds: runs that differ in the seed alone have a standard deviation of "
            f"{power.seed_sd:.3f} ({power.seed_basis})"
        )
    if of_these:
        yield (
            f"{len(of_these)} of {say_count(len(distinct), 'distinct contrast')} are of these runs alone, without p: "
            f"no arm has two seeds, and another seed moves a run by some {power.seed_sd:.3f} ({power.seed_basis}); "
            "name two or more in grid.seeds"
        )
    if power.detect is None:
        yield "name the gain that the study is to find in compare.detect: 0.03, to see what it takes"
        return
    for asked, what in ((True, f"see compare.detect: {power.detect:g}"), (False, "show their margin")):
        rows = [one for one in distinct if one.can is not None and (one.asks in OF_DETECT) == asked]
        if rows:
            can = sum(bool(one.can) for one in rows)
            yield f"as declared, {can} of {say_count(len(rows), 'distinct contrast')} can {what}"
