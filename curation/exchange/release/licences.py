"""Under which licences the rows of a release are, and whether it may be passed on at all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from curation.core.messages import did_you_mean, first_names
from curation.core.params import Strict
from curation.core.ranges import Word
from curation.core.study import Study
from curation.core.text import say_count

Section: TypeAlias = Literal["sources", "generators"]
SECTIONS: tuple[Section, ...] = ("sources", "generators")
MOST_NAMED = 5


class Declared(Strict):
    """What is declared of one source or generator: `license`, the hub's id of it, such as `apache-2.0`, or a name of
    its own; and whether its texts may be passed on, which `redistribute: false` forbids."""

    license: Word
    redistribute: bool | None = None


class Params(Strict):
    """`licenses` in params.yaml, which may be left out: under which license the prompts of each source and the texts of
    each generator are. It is no part of these, so that no stage runs again for a license."""

    sources: dict[str, Declared] | None = None
    generators: dict[str, Declared] | None = None

    def of(self, section: Section) -> Mapping[str, Declared]:
        """What is declared of the entries of a section, by their names."""
        return (self.sources if section == "sources" else self.generators) or {}

    def mistakes(self, study: Study) -> Iterator[str]:
        """A license of what is not there."""
        for section in SECTIONS:
            known = study.names(section)
            for name in self.of(section):
                if name not in known:
                    yield f"{section}.{name}: params.yaml has no {section} of that name{did_you_mean(name, known)}"


class Origin(NamedTuple):
    """A source or a generator, and how many rows of a release hold its texts."""

    section: Section
    name: str
    rows: int

    @property
    def place(self) -> str:
        """As params.yaml has it."""
        return f"{self.section}.{self.name}"


def find_forbidden(declared: Params, origins: Sequence[Origin]) -> Iterator[str]:
    """A sentence for each origin whose texts may not be passed on."""
    for origin in origins:
        found = declared.of(origin.section).get(origin.name)
        if found is not None and found.redistribute is False:
            way_out = "leave them out by the selection's require" if origin.section == "sources" else (
                "leave them out by pair.chosen and pair.rejected, or by the selection's require"
            )  # fmt: skip
            yield (
                f"params.yaml: licenses.{origin.place}: {found.license} is declared with redistribute: false, and "
                f"{say_count(origin.rows, 'row holds', 'rows hold')} texts of it; {way_out}"
            )


def say_undeclared(declared: Params, origins: Sequence[Origin]) -> str | None:
    """That nobody says under which license some of the texts are; None where all is declared."""
    open_ = [origin.place for origin in origins if origin.name not in declared.of(origin.section)]
    if not open_:
        return None
    return (
        f"{first_names(open_, MOST_NAMED)}: no license is declared, so the card says that it is unknown; "
        "declare it in params.yaml: licenses"
    )
