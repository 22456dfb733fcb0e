"""The time section of `curation plan`: how long each stage takes that has something to do, by what was seen here."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from curation.calls.ledger import Ledger
from curation.commands.duration import durations
from curation.commands.outstanding import Known, StageCalls
from curation.commands.rows import print_rows
from curation.commands.to_come import Reading, ToCome, find_changed_stages, find_readings, find_to_come
from curation.core.errors import CurationError
from curation.core.study import Study
from curation.core.text import say_count
from curation.training.run_record import Record
from curation.training.run_store import HOST, RunStore

IDLE = 120.0  # seconds without a reply, after which a run of the stage had ended
FEWEST_SEEN = 5  # replies, or it is chance
UNSEEN = "never done here: --probe times it"
A_STAGE = 4.0  # seconds of a stage beside its work: DVC, Python, imports, the check of params.yaml
BEFORE = {  # the order of stages; those of one place run before or after each other
    name: place
    for place, names in enumerate(
        (
            ["collect"], ["generate"], ["renderings"], ["pair"], ["judge", "prefer", "score_pairs"], ["delta"],
            ["calibrate"], ["reliability"], ["select"], ["arms"], ["audit"], ["train"], ["evaluate"], ["compare"],
            ["check", "report"],
        )
    )
    for name in names
}  # fmt: skip


class Took(NamedTuple):
    """What a stage has to do, how long it takes, None where that is not known, and what it rests on."""

    stage: str
    work: str
    seconds: float | None
    basis: str


class Pace(NamedTuple):
    """The seconds that a reply takes when many are asked for, by so many replies."""

    seconds: float
    replies: int


class Seen(NamedTuple):
    """How long all that is to do takes, and what that rests on."""

    seconds: float
    basis: str


def times(study: Study, known: Known, probe: bool) -> list[Took]:
    """What is to do, a row a stage that asks or trains, then the others together. With `probe` the student is timed
    where nothing was seen."""
    rows = [*_of_calls(study, known.stages), *_of_runs(study, known, probe)]
    changed = find_changed_stages(study.path.parent)
    others = [name for name in _list_stages(study) if _comes_after(name, changed)]
    own = A_STAGE * len(others)
    told = f"assumed, {A_STAGE:g} s each, no large table" if others else ""
    return [*rows, Took("all stages beside that", say_count(len(others), "stage"), own, told)]


def find_pace(arrivals: Sequence[str]) -> Pace | None:
    """The pace of replies that came at these times, in their order; None where they are too few. What lies between two
    runs of a stage does not count."""
    came = [datetime.fromisoformat(at) for at in arrivals]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(came)]
    within = [gap for gap in gaps if 0 <= gap <= IDLE]
    return Pace(sum(within) / len(within), len(within)) if len(within) >= FEWEST_SEEN else None


def _of_calls(study: Study, stages: Sequence[StageCalls]) -> Iterator[Took]:
    """The stages that ask models, and have calls to make."""
    with Ledger(study.ledger, study.budget) as ledger:
        for one in stages:
            if not one.missing:
                continue
            paces = (find_pace(ledger.arrivals(one.stage, name, one.settings.model)) for name in (one.name, None))
            pace = next(filter(None, paces), None)
            seconds = None if pace is None else pace.seconds * len(one.missing)
            basis = "never asked here" if pace is None else f"{pace.replies} replies here"
            work = f"{'at most ' if one.at_most else ''}{say_count(len(one.missing), 'call')}"
            yield Took(f"{one.stage} {one.name}", work, seconds, basis)


def _of_runs(study: Study, known: Known, probe: bool) -> Iterator[Took]:
    """Training and evaluating what is not there yet: by runs that were trained here and answers that came here, else by
    timing the student."""
    try:
        to_come = find_to_come(study, known)
        readings = find_readings(study, to_come.untrained, known)
        training, answering = _seen_training(study, readings), _seen_answering(study, to_come)
        if probe and ((to_come.untrained and not training) or (to_come.unanswered and not answering)):
            timed = [Seen(one.seconds, "timed just now") for one in durations(study, known) if one.seconds is not None]
            training, answering = training or timed[0], answering or (timed[1] if len(timed) > 1 else None)
    except CurationError as error:  # no weights, or a table of an earlier version
        yield Took("train, evaluate", f"{len(study.runs)} runs", None, str(error))
        return
    at_once = min(study.execution.of_runs.parallel, max(len(to_come.untrained), 1))
    if to_come.untrained:
        seconds, basis = training or (None, UNSEEN)
        at_most = "at most " if any(one.at_most for one in readings.values()) else ""
        updates = sum(one.updates for one in readings.values())
        work = f"{say_count(len(to_come.untrained), 'run')}, {at_most}{say_count(updates, 'update')}"
        yield Took("train", work, None if seconds is None else seconds / at_once, basis)
    if to_come.unanswered:
        seconds, basis = answering or (None, UNSEEN)
        yield Took("evaluate", say_count(len(to_come.unanswered), "run"), seconds, basis)


def _seen_training(study: Study, readings: Mapping[str, Reading]) -> Seen | None:
    """By the runs of the same methods and student that this machine has trained, an example at a time."""
    rates = dict[str, list[float]]()
    store = RunStore.beside(study.ledger)
    for key in store.list_keys():
        with suppress(CurationError, LookupError, TypeError):  # a record that is damaged, or of another build
            record = store.record(key)
            kind, read = str(record.made_of["method"]["kind"]), _examples_read(record)
            if record.seconds and record.host == HOST and read and _is_alike(record.made_of, study):
                rates.setdefault(kind, []).append(record.seconds / read)
    if not readings or any(one.method.kind not in rates for one in readings.values()):
        return None
    means = {kind: sum(of_kind) / len(of_kind) for kind, of_kind in rates.items()}
    seconds = sum(means[one.method.kind] * one.read for one in readings.values())
    return Seen(seconds, f"{say_count(sum(map(len, rates.values())), 'run')} trained here")


def _examples_read(record: Record) -> float:
    """How many examples the training of a run read."""
    method = record.made_of["method"]
    return float(record.figures.get("steps", 0) * method["batch_size"] * method["accumulation"])


def _is_alike(made_of: Mapping[str, Any], study: Study) -> bool:
    """Whether a run was trained on the study's student, and on a device of the kind that the study names."""
    student, device = made_of["student"], made_of["machine"]["device"]
    return bool(student["revision"] == study.student.pinned and device == study.student.device.partition(":")[0])


def _seen_answering(study: Study, to_come: ToCome) -> Seen | None:
    """By the answers that came here of this student."""
    with Ledger(study.ledger, study.budget) as ledger:
        pace = find_pace(ledger.arrivals("evaluate", None, study.student.model))
    if pace is None:
        return None
    asked = to_come.held_out.group_by("source").len().rows()
    calls = sum(count * study.evaluate.sampling_of(name).samples for name, count in asked)
    return Seen(pace.seconds * calls * len(to_come.unanswered), f"{pace.replies} answers here")


def _list_stages(study: Study) -> list[str]:
    """Every stage of the graph, as DVC calls it."""
    by_name: dict[str, Collection[str]] = {
        "generate": study.generators, "judge": study.judges, "prefer": study.pairwise_judges,
        "score_pairs": study.scorers, "select": study.selections,
    }  # fmt: skip
    return [f"{stage}@{name}" for stage, names in by_name.items() for name in names] + [
        stage for stage in BEFORE if stage not in by_name
    ]


def _comes_after(stage: str, changed: frozenset[str] | None) -> bool:
    """Whether the stage runs where those have changed, as far as order tells; None is that nothing is known."""
    if changed is None:
        return True
    places = [BEFORE.get(name.partition("@")[0], 0) for name in changed]
    return stage in changed or any(place < BEFORE[stage.partition("@")[0]] for place in places)


def print_times(rows: Sequence[Took]) -> None:
    """Print a row for each stage that has something to do, and their sum."""
    shown = [row._asdict() | {"seconds": None, "about": say_seconds(row.seconds)} for row in rows]
    print("time: how long what is to do takes, one stage after the other")
    print_rows(pl.DataFrame(shown).select("stage", "work", "about", pl.col("basis").alias("by")))
    known = [row.seconds for row in rows if row.seconds is not None]
    rest = "" if len(known) == len(rows) else ", and what is not known"
    print(f"in all about {say_seconds(math.fsum(known))}{rest}")


def say_seconds(seconds: float | None) -> str:
    """For a person to read."""
    if seconds is None:
        return "not known"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
