"""What the sections of a report are made from: the study, and a database of those of its tables that are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import polars as pl
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
        return self.frame(needs, question, **params).to_dicts()

    def frame(self, needs: str, question: str, **params: Any) -> pl.DataFrame:
        """The same as a frame, of which there may be millions."""
        if not set(needs.split()) <= self.present:
            return pl.DataFrame()
        return answer(self.connection, question, params or None)[0]


@contextmanager
def asking(study: Study) -> Iterator[Asked]:
    """The database, open, with the rows of `findings` and `fits` worked out once."""
    with connect(study) as connection:
        present = frozenset(views(connection))
        for name in sorted({"findings", "fits"} & present):
            connection.execute(f"create temp table {name} as select * from main.{name}")
        yield Asked(study, connection, present)
