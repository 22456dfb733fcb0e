"""One checked params file as a typed model: an editor completes `study.grid.`, mypy refuses `study.girds`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from curation.core.canonical import list_texts
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean

if TYPE_CHECKING:  # for editors and mypy alone: at run time a section's module is imported when it is first asked for
    import curation.calls.budget
    import curation.calls.execution
    import curation.calls.ledger
    import curation.exchange.release.licences
    import curation.experiment.compare
    import curation.experiment.controls
    import curation.experiment.declarations
    import curation.experiment.generator_pairs
    import curation.experiment.grid
    import curation.models.student
    import curation.pairs.delta
    import curation.pairs.pair
    import curation.prompts.decontaminate
    import curation.reliability.calibrate
    import curation.reliability.reliability
    import curation.selection.rules
    import curation.tables.checks
    import curation.traces.renderings
    import curation.training.evaluate
    import curation.training.given
    from curation.exchange.results._kind import Measured
    from curation.judging.judges._kind import Judge
    from curation.judging.pairwise_judges._kind import PairwiseJudge
    from curation.prompts.sources._kind import Source
    from curation.traces.generators._kind import Generator
    from curation.training.scorers._kind import Scorer
    from curation.training.trainers._kind import Method

Entry = TypeVar("Entry")


class Entries(dict[str, Entry]):
    """The entries of a section by their names. To ask for one that is not there raises CurationError with the nearest
    name."""

    def __init__(self, place: str, entries: Mapping[str, Entry]) -> None:
        """`place` is what stands before an entry's name in a message."""
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> NoReturn:
        raise CurationError(f"{self.place}{name}: no such name{did_you_mean(name, self)}")


class Study:
    """Every section of a params file that has passed its check, as attributes.

    A section is typed when it is first asked for, so that a stage imports only what it uses.
    """

    sources: dict[str, Source]
    decontaminate: curation.prompts.decontaminate.Params
    generators: dict[str, Generator]
    judges: dict[str, Judge]
    pair: curation.pairs.pair.Params
    pairwise_judges: dict[str, PairwiseJudge]
    delta: curation.pairs.delta.Params
    reliability: curation.reliability.reliability.Params
    calibrate: curation.reliability.calibrate.Params
    selections: dict[str, curation.selection.rules.Params]
    controls: dict[str, curation.experiment.controls.Params]
    generator_pairs: dict[str, curation.experiment.generator_pairs.Params]
    student: curation.models.student.Params
    renderings: curation.traces.renderings.Params
    scorers: dict[str, Scorer]
    methods: dict[str, Method]
    grid: curation.experiment.grid.Params
    audit: curation.tables.checks.Params
    evaluate: curation.training.evaluate.Params
    models: curation.training.given.Params
    results: dict[str, Measured]
    contrasts: dict[str, curation.experiment.declarations.Params]
    compare: curation.experiment.compare.Params
    licenses: curation.exchange.release.licences.Params
    ledger: curation.calls.ledger.Params
    budget: curation.calls.budget.Params
    execution: curation.calls.execution.Params

    def __init__(self, path: Path, raw: Mapping[str, Any], typed: Callable[[str], Any]) -> None:
        """`raw` is what `path` holds, and `typed` gives a section of it as the model that its attribute is
        annotated with."""
        self.path, self._raw, self._typed = path, raw, typed

    if not TYPE_CHECKING:  # mypy would take it to mean that a study has every attribute

        def __getattr__(self, section: str) -> Any:
            """What Python asks for an attribute that is not there yet."""
            if section not in type(self).__annotations__:
                raise AttributeError(f"a study has no section {section!r}")
            setattr(self, section, self._typed(section))
            return vars(self)[section]

    @property
    def arms(self) -> dict[str, curation.experiment.grid.Arm]:
        """Every arm of the grid by its name."""
        return Entries(f"{self.path}: grid: ", {arm.name: arm for arm in self.grid.list_arms(self.controls)})

    @property
    def runs(self) -> dict[str, curation.experiment.grid.Run]:
        """Every run of the grid by its name; the baseline is not one of them."""
        return Entries(f"{self.path}: grid: ", {run.name: run for run in self.grid.list_runs(self.controls)})

    @property
    def benchmarks(self) -> list[str]:
        """The names of the sources to evaluate on: those outside the train split."""
        return [name for name, source in self.sources.items() if source.split != "train"]

    @property
    def splits(self) -> dict[str, str]:
        """The split of each benchmark: of the sources outside the train split, and of `results`."""
        own: dict[str, str] = {name: self.sources[name].split for name in self.benchmarks}
        return own | {name: measured.split for name, measured in self.results.items()}

    @property
    def dimensions(self) -> dict[str, list[str]]:
        """What each judge, pairwise judge and panel rates."""
        return {
            name: body.dimension_names
            for name, body in (self.judges | self.pairwise_judges | self.delta.panels).items()
        }

    def texts(self) -> Iterator[str]:
        """Every text that the file holds but for its keys. Types no section."""
        yield from list_texts(self._raw)

    def names(self, section: str) -> list[str]:
        """The names of the entries in `section`. Does not type the section, and so imports nothing for it."""
        return list(self._raw[section] if section in self._raw else getattr(self, section))
