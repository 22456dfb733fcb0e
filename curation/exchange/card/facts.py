"""What a card is written from: the release, what params.yaml declares, and the study's tables."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from duckdb import DuckDBPyConnection

from curation.core.study import Study
from curation.exchange.card.markdown import code
from curation.tables.ask import answer


class Config(NamedTuple):
    """A table of the release as the hub's viewer and `load_dataset` name it: the `arm` or selection whose rows it has,
    `table` it is of, and its `file` within the release, such as `data/top/train-00000-of-00001.parquet`."""

    name: str
    arm: str
    table: Literal["subsets", "unpaired"]
    file: str


class Licence(NamedTuple):
    """What params.yaml declares of an entry of `sources` or `generators`: the hub's id of a licence, or null."""

    section: Literal["sources", "generators"]
    name: str
    licence: str | None


class Facts(NamedTuple):
    """All that sections read. `connection` has a view for each of the study's tables that is there, whose names are
    `present`; `calls` are the rows of `count_calls` that are the study's own."""

    folder: Path
    study: Study
    configs: Sequence[Config]
    licences: Sequence[Licence]
    calls: Sequence[Mapping[str, Any]]
    connection: DuckDBPyConnection
    present: frozenset[str]

    def ask(self, needs: str, question: str, **params: Any) -> list[dict[str, Any]]:
        """The rows that answer the question; none where one of the views that it `needs` is not there."""
        if not set(needs.split()) <= self.present:
            return []
        return [row for rows in answer(self.connection, question, params) for row in rows.to_dicts()]

    @property
    def arms(self) -> list[str]:
        """The arms and selections whose rows are released, each once."""
        return list(dict.fromkeys(config.arm for config in self.configs))

    @property
    def paired(self) -> list[str]:
        """Those of them whose pairs are."""
        return list(dict.fromkeys(config.arm for config in self.configs if config.table == "subsets"))

    @property
    def selections(self) -> list[str]:
        """The selections that they are, or are made from."""
        arms = self.study.arms
        return list(dict.fromkeys(arms[name].selection if name in arms else name for name in self.arms))

    def licence(self, section: str, name: str) -> str | None:
        """That of an entry, as code; null where none is declared."""
        found = [one.licence for one in self.licences if (one.section, one.name) == (section, name) and one.licence]
        return code(found[0]) if found else None


def model_name(said: str) -> str:
    """A model as a card names it: of a path on this machine the last part."""
    return re.split(r"[/\\]", said.rstrip("/\\"))[-1] if said.startswith(("/", "~", ".")) or "\\" in said else said
