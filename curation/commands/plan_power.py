"""The power section of `curation plan`: what the study's contrasts can see."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from curation.commands.rows import print_rows
from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.params import BASELINE
from curation.core.study import Study
from curation.experiment.compare import declared_runs
from curation.experiment.detection import DECLARED, Detection, Power, foresee
from curation.experiment.pilot import assumption
from curation.experiment.power import POWER, Needs
from curation.tables import contracts, measurements, parquet

NEVER = "no number"


def power_of(study: Study, prompts: pl.DataFrame) -> Power:
    """What the contrasts can see, by the results in data/, as far as they can be read."""
    names = [BASELINE, *declared_runs(study).arms]
    there = [name for name in names if contracts.path("results", name).exists()]
    try:
        results = parquet.read_parts(measurements.RESULTS, there)
    except CurationError:  # of an earlier version, which says nothing
        results = contracts.empty(measurements.RESULTS)
    return foresee(study, prompts, results)


def power_json(power: Power) -> dict[str, Any]:
    """The same as plain data."""
    rows = [row._asdict() | {"needs": None if row.needs is None else row.needs._asdict()} for row in power.contrasts]
    return {
        "detect": power.detect,
        "power": POWER,
        "seed_sd": power.seed_sd,
        "seed_sd_basis": power.seed_basis,
        "contrasts": rows,
        "unforeseen": power.unforeseen,
    }


def print_power(study: Study, power: Power) -> None:
    """Print a row for each declaration, and one for all gains of a kind on a benchmark: of several contrasts that which
    sees least."""
    if not power.contrasts:
        print("power: nothing is compared")
        return
    print(
        f"power: the smallest gain that is found in {POWER:.0%} of studies, two-sided at 5 %, each contrast by itself"
    )
    print_rows(pl.DataFrame([_row(rows, power.detect) for rows in _grouped(power.contrasts)], infer_schema_length=None))
    for line in _notes(study, power):
        print(line)


def _grouped(contrasts: Sequence[Detection]) -> list[list[Detection]]:
    """The contrasts of one declaration together, and all gains of a kind, on a benchmark."""
    groups = dict[tuple[object, ...], list[Detection]]()
    for one in contrasts:
        declared = one.contrast.partition(".")[0] if one.kind == DECLARED else ""
        groups.setdefault((one.kind, declared, one.benchmark, one.is_gain), []).append(one)
    return list(groups.values())


def _row(rows: list[Detection], detect: float | None) -> dict[str, object]:
    one = max(rows, key=lambda row: row.smallest)
    declared = f"{one.contrast.partition('.')[0]} ({len(rows)})" if one.kind == DECLARED else ""
    name = one.contrast if len(rows) == 1 else declared or f"over {one.kind} ({len(rows)})"
    told = dict[str, str]()
    if detect is not None:
        told[f"finds {detect:g}"] = "" if one.power is None else f"{one.power:.0%}"
        for number, what in enumerate(Needs._fields):
            name_of = f"or {what}" if number else f"{detect:g} takes {what}"
            told[name_of] = "" if one.needs is None else _say(one.needs[number])
    return {
        "contrast": name,
        "on": one.benchmark,
        "prompts": one.prompts,
        "samples": one.samples,
        "seeds": one.seeds,
        "half width": round(one.half_width, 3),
        "smallest": round(one.smallest, 3),
        **told,
        "by": one.basis,
    }


def _say(number: int | None) -> str:
    return NEVER if number is None else f"{number:,}"


def _notes(study: Study, power: Power) -> Iterator[str]:
    """What the figures rest on, and what they say of the gain that the study is to find."""
    taken = assumption(study.compare.assume)
    if any("assumed" in one.basis for one in power.contrasts):
        yield (
            f"assumed (compare.assume): accuracy {taken.accuracy:g}; two answers of one run to a prompt correlate by "
            f"{taken.same_run:g}, of two runs by {taken.other_run:g}"
        )
    of_these = [one for one in power.contrasts if one.scope == "this run"]
    if len(of_these) < len(power.contrasts):
        yield (
            "seeds: runs that differ in the seed alone have a standard deviation of "
            f"{power.seed_sd:.3f} ({power.seed_basis})"
        )
    if of_these:
        yield (
            f"{len(of_these)} of {len(power.contrasts)} are of these runs alone, without p: no arm has two seeds, and "
            f"another seed moves a run by some {power.seed_sd:.3f} ({power.seed_basis}); name two or more in grid.seeds"
        )
    if power.unforeseen:
        yield f"not foreseen, since pairs, deltas or other contrasts decide: {first_names(power.unforeseen, 5)}"
    if power.detect is None:
        yield "name the gain that the study is to find in compare.detect: 0.03, to see what it takes"
        return
    asked = [one for one in power.contrasts if one.can is not None]
    can = sum(bool(one.can) for one in asked)
    yield f"as declared, {can} of {len(asked)} contrasts can see compare.detect: {power.detect:g}"
