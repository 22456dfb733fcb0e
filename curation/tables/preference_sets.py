"""Preference sets, as the kinds `listed` find them: what params.yaml says of one, and its rows of a table."""

from collections.abc import Iterator

import polars as pl

from curation.core.study import Study
from curation.tables import contracts, parquet
from curation.tables.table import Table

KIND = "pairs"  # of a source that is a preference set


def read_set(table: Table, source: str) -> pl.DataFrame:
    """The rows of `table`, which the stage `collect` wrote, that came from `source`. Raises CurationError where the
    table is absent or damaged."""
    return parquet.read(table, contracts.path(table.name)).filter(source=source)


def find_set_fault(source: str, study: Study) -> Iterator[str]:
    """What to say of a field `source` that names a source of another kind."""
    other = study.sources[source].kind
    if other != KIND:
        yield f"source: {source!r} is of kind {other}, and no preference set; name a source of kind {KIND}"
