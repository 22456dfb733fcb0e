"""What the sections of a report are made from: the study, and a database of those of its tables that are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from curation.core.study import Study
from curation.tables.ask import answer
from curation.tables.db import connect, views

Row = dict[str, Any]


class Asked(NamedTuple):
    """`connection` has the views that are `present`."""

    study: Study
    connection: DuckDBPyConnection
    present: frozenset[str]

    def ask(self, needs: str, question: str, **params: Any) -> list[Row]:
        """The rows that answer the question; none where one of the views that it `needs` is not there."""
        if not set(needs.split()) <= self.present:
            return []
        return [row for rows in answer(self.connection, question, params or None) for row in rows.to_dicts()]


@contextmanager
def asking(study: Study) -> Iterator[Asked]:
    """The database, open."""
    with connect(study) as connection:
        yield Asked(study, connection, frozenset(views(connection)))
