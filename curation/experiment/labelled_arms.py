"""What a grid may ask of selections that label single traces."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from curation.core.study import Study

if TYPE_CHECKING:
    from curation.experiment.grid import Run


def find_labelled_mistakes(runs: "list[Run]", study: Study) -> Iterator[str]:
    """Runs on selections with `unpaired` that have nothing to learn from, for they want no pair or no trace; controls
    and generator pairs that are conditions on pairs, which single traces cannot meet."""
    yield from dict.fromkeys(line for run in runs for line in _mistakes_of(run, study))


def _mistakes_of(run: "Run", study: Study) -> Iterator[str]:
    name, learner = run.arm.selection, f"{run.method!r} learns from"
    settings, kto = study.selections[name], study.methods[run.method].kind == "kto"
    if settings.unpaired is None:
        return
    if not kto:
        if settings.takes_no_pair:
            yield f"selections: {name!r} keeps no pair, and {learner} pairs; raise its budget, or leave it to kto"
        return
    if settings.unpaired.budget == {"traces": 0}:
        yield f"selections: {name!r} takes no trace, and {learner} traces; raise its unpaired.budget"
    way_out = f"and {name!r} labels single traces (unpaired), which {learner}; leave one of the two out"
    from curation.tables.expressions.syntax import parse  # which training, that reads the grid, does without

    if study.controls[run.arm.control].match:
        yield f"controls: {run.arm.control!r} matches pairs, {way_out}"
    if parse(study.generator_pairs[run.arm.generator_pairs].where).columns:
        yield f"generator_pairs: {run.arm.generator_pairs!r} is of pairs, {way_out}, and say it in unpaired.require"
