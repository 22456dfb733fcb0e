"""The verdict of every selection on a pair, or on a single trace that it labels, worked out in numbers; and of each of
its controls, why that has it or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.experiment import grid
from curation.experiment.arms import restrict
from curation.experiment.draw_reasons import Held, explain_draw, explain_labelled_draw, has_it
from curation.explore.tables import Row, Tables
from curation.selection.label_reasons import explain_label
from curation.selection.labelled import Labelled, label_traces
from curation.selection.reasons import Reasons
from curation.selection.restored import STALE, absent, divide_again, restore_file
from curation.selection.rules import KEPT
from curation.selection.select import Selection, select
from curation.tables import contracts

UNRESTRICTED = "true"  # the condition of generator_pairs that lets every pair in


class _Way(NamedTuple):
    """A selection as it is, or as arms of the grid cut it, and the arms of its controls. `where` is the condition on
    the generators; `cut` is empty for the selection as it is."""

    name: str
    where: str
    budget: str
    cut: Row
    controls: list[grid.Arm]


class Verdicts:
    """The selections of a study as their tables have them, one at a time."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.study = tables, tables.study

    def of_pair(self, pair_id: int) -> list[Row]:
        """For each selection the verdict of its table, and for each other budget or generators' pairs that the grid
        cuts it to the one that it then has: the numbers that it follows from, and both in words. A selection that is
        not made, or cannot be, says why; one whose numbers give another verdict than its table is `stale`. `controls`
        says the same of each control beside it."""
        ways, rows = self._ways(), list[Row]()
        with progress("why: selections", len(ways), "selections") as shown:
            for way in ways:
                rows.append({"selection": way.name, **way.cut, **self._row(way, pair_id)})
                shown.advance(note=way.name)
        return rows

    def recorded(self, pair_id: int) -> list[Row]:
        """For each selection the reason and the margin in its table, and nothing that has to be counted."""
        rows, own = list[Row](), pl.col("pair_id") == pair_id
        for name in self.study.selections:
            found = self.tables.find("selections", own, ["reason", "margin"], part=name)
            there = contracts.path("selections", name, self.tables.data).exists()
            rows.append({"selection": name} | (found[0] if found else {"fault": STALE if there else absent(name)}))
        return rows

    def _row(self, way: _Way, pair_id: int) -> Row:
        try:
            selection = self._select(way)
        except CurationError as error:
            return {"fault": str(error), "controls": []}
        reasons = Reasons(selection)
        place = reasons.row_of(pair_id)
        if place is None:
            return {"fault": "the pair is no candidate; pairs.parquet has it no more", "controls": []}
        why = reasons.explain(place)
        controls = [self._control(arm, selection, place, pair_id) for arm in way.controls]
        return {"stale": reasons.contradicts(why), **why._asdict(), "controls": controls}

    def _select(self, way: _Way) -> Selection:
        """What its table says; with another budget, that divided anew; with other generators' pairs, selected anew."""
        settings, pairs = self.study.selections[way.name], self.tables.candidates
        if way.cut:
            settings = restrict(settings, way.where, way.budget)
            if way.where != UNRESTRICTED:
                return select(way.name, settings, pairs)
        if files := self.tables.files("selections", way.name):
            self.tables.read[files[0]] = None
        restored = restore_file(way.name, settings, pairs, self.tables.data)
        return divide_again(restored, settings) if way.cut else restored

    def _control(self, arm: grid.Arm, selection: Selection, place: int, pair_id: int) -> Row:
        """Why the control's arm has the pair with this row number or not."""
        named = {"arm": arm.name, "control": arm.control, "draw": arm.draw}
        file = contracts.arm_path("subsets", arm.name, self.tables.data)
        if not file.exists():
            return named | {"fault": "its arm is not made yet; `dvc repro arms` makes it"}
        own, prompt = pl.col("pair_id") == pair_id, pl.col("prompt_id") == selection.pairs.column("prompt_id")[place]
        there, of_prompt = (len(list(self.tables.find_in("subsets", [file], of, ["pair_id"]))) for of in (own, prompt))
        try:
            why = explain_draw(
                self.study.controls[arm.control], arm.draw or 0, selection, place, Held(bool(there), of_prompt)
            )
        except CurationError as error:
            return named | {"fault": str(error)}
        return named | {"has_it": bool(there), "stale": has_it(why) != bool(there), **why._asdict()}

    def _ways(self) -> list[_Way]:
        """Each selection as it is, and as arms of the grid cut it, with the arms of its controls."""
        ways = list[_Way]()
        for name in self.study.selections:
            own = {("", grid.OWN): _Way(name, UNRESTRICTED, grid.OWN, {}, [])}
            for arm in self.study.arms.values():
                if arm.selection == name:
                    where, control = self.study.generator_pairs[arm.generator_pairs].where.strip(), arm.control
                    is_cut = arm.budget != grid.OWN or where != UNRESTRICTED
                    named = {"generator_pairs": arm.generator_pairs, "budget": arm.budget}
                    key = (arm.generator_pairs, arm.budget) if is_cut else ("", grid.OWN)
                    way = own.setdefault(key, _Way(name, where, arm.budget, named, []))
                    way.controls.extend([] if self.study.controls[control].treatment else [arm])
            ways += own.values()
        return ways

    def of_trace(self, trace_id: int) -> list[Row]:
        """The same of a trace, for each selection that labels single traces."""
        return [
            {"selection": way.name, **way.cut, **self._label(way, trace_id)}
            for way in self._ways()
            if self.study.selections[way.name].unpaired is not None
        ]

    def _label(self, way: _Way, trace_id: int) -> Row:
        settings, file = self.study.selections[way.name], contracts.path("unpaired", way.name, self.tables.data)
        if not file.exists():
            return {"fault": absent(way.name), "controls": []}
        try:
            settings = restrict(settings, way.where, way.budget) if way.cut else settings
            labelled = label_traces(way.name, settings, self.tables.single_traces)
        except CurationError as error:
            return {"fault": str(error), "controls": []}
        assert labelled is not None
        why = explain_label(labelled, settings.seed, trace_id)
        if why is None:
            return {"fault": "no train prompt's, or no text", "controls": []}
        controls = list(self._labelled_controls(way, labelled, trace_id))
        says = [why.numbers["label"]] if why.reason == KEPT else []
        stale = not way.cut and self._labels_in(file, trace_id) != says
        return {"stale": stale, **why._asdict(), "controls": controls}

    def _labels_in(self, file: Path, trace_id: int) -> list[bool]:
        """The label of a trace in a table of labelled traces; none where it has not the trace."""
        found = self.tables.find_in("unpaired", [file], pl.col("trace_id") == trace_id, ["label"])
        return [row["label"] for _, row in found]

    def _labelled_controls(self, way: _Way, labelled: Labelled, trace_id: int) -> Iterator[Row]:
        for arm in way.controls:
            why = explain_labelled_draw(self.study.controls[arm.control], arm.draw or 0, labelled, trace_id)
            assert why is not None
            named = {"arm": arm.name, "control": arm.control, "draw": arm.draw}
            file = contracts.arm_path("unpaired", arm.name, self.tables.data)
            if not file.exists():
                yield named | {"fault": "its arm is not made yet; `dvc repro arms` makes it"}
                continue
            held = bool(self._labels_in(file, trace_id))
            yield named | {"has_it": held, "stale": held != has_it(why), **why._asdict()}
