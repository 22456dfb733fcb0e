"""The verdict of every selection on a pair, or on a single trace that it labels, worked out in numbers."""

from collections.abc import Iterator
from functools import cached_property

from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.experiment import grid
from curation.experiment.arms import restrict
from curation.explore.tables import Row, Tables
from curation.selection import candidates, single_traces
from curation.selection.labelled import label_traces
from curation.selection.reasons import Reasons, explain_label
from curation.selection.rules import Params
from curation.selection.select import Selection, restore, select
from curation.tables import contracts, parquet

MOST_CUT = 1_000_000  # candidates up to which a selection is made again for what the grid cuts it to
OF_VERDICTS = ("pair_id", "reason", "margin")


class Verdicts:
    """The selections of a study as their tables have them, one at a time."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.study = tables, tables.study

    @cached_property
    def _candidates(self) -> candidates.Candidates:
        return candidates.from_files(self.study)

    @cached_property
    def _traces(self) -> single_traces.SingleTraces:
        return single_traces.from_files(self.study)

    def of_pair(self, pair_id: int) -> list[Row]:
        """For each selection the verdict of its table, and for each other budget or generators' pairs that the grid
        cuts it to the one that it then has: the numbers that it follows from, and both in words. A selection that is
        not made, or cannot be, says why; one whose numbers give another verdict than its table is `stale`."""
        ways = list(self._ways())
        with progress("why: selections", len(ways), "selections") as shown:
            rows = []
            for name, settings, cut in ways:
                rows.append({"selection": name, **cut, **self._row(name, settings, bool(cut), pair_id)})
                shown.advance(note=name)
        return rows

    def _row(self, name: str, settings: Params, cut: bool, pair_id: int) -> Row:
        try:
            reasons = Reasons((select if cut else self._restore)(name, settings, self._candidates))
        except CurationError as error:
            return {"fault": str(error)}
        place = reasons.row_of(pair_id)
        if place is None:
            return {"fault": "the pair is no candidate; pairs.parquet has it no more"}
        why = reasons.explain(place)
        return {"stale": reasons.contradicts(why), **why._asdict()}

    def _restore(self, name: str, settings: Params, pairs: candidates.Candidates) -> Selection:
        if not (files := self.tables.files("selections", name)):
            raise CurationError(f"there is no table of it yet; `dvc repro select@{name}` makes it")
        self.tables.read[files[0]] = None
        return restore(name, settings, pairs, parquet.read(contracts.SELECTIONS, files[0], OF_VERDICTS))

    def _ways(self) -> Iterator[tuple[str, Params, Row]]:
        """Each selection with its settings, and with those that arms of the grid cut it to."""
        for name, settings in self.study.selections.items():
            yield name, settings, {}
            if self._candidates.column("pair_id").len() > MOST_CUT:
                continue
            seen = set()
            for arm in self.study.arms.values():
                where = self.study.generator_pairs[arm.generator_pairs].where
                cut = arm.generator_pairs, arm.budget
                if arm.selection == name and cut not in seen and (arm.budget != grid.OWN or where.strip() != "true"):
                    seen.add(cut)
                    named = {"generator_pairs": arm.generator_pairs, "budget": arm.budget}
                    yield name, restrict(settings, where, arm.budget), named

    def of_trace(self, trace_id: int) -> list[Row]:
        """The same of a trace, for each selection that labels single traces."""
        rows = []
        for name, settings in self.study.selections.items():
            if settings.unpaired is None:
                continue
            try:
                labelled = label_traces(name, settings, self._traces)
            except CurationError as error:
                rows.append({"selection": name, "fault": str(error)})
                continue
            assert labelled is not None
            why = explain_label(labelled, settings.seed, trace_id)
            rows.append({"selection": name} | (why._asdict() if why else {"fault": "no train prompt's, or no text"}))
        return rows
