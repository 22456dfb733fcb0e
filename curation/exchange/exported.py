"""Rows of `subsets` and `unpaired` as a format takes them, batch by batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError
from curation.exchange.formats._kind import Example, Method
from curation.models.rendering import Way, answer_message, as_told
from curation.tables import parquet
from curation.tables.contracts import SUBSETS, UNPAIRED
from curation.tables.messages import for_model, full_messages, with_system
from curation.tables.table import Table

ROWS = 2048  # of a batch
TABLES: dict[Method, Table] = {"dpo": SUBSETS, "kto": UNPAIRED}
SIDES: dict[Method, tuple[str, ...]] = {"dpo": ("chosen", "rejected"), "kto": ("completion",)}
BESIDE: dict[Method, tuple[str, ...]] = {
    "dpo": ("pair_id", "prompt_id", "margin", "p_chosen", "chosen_rating", "rejected_rating", "curriculum_position",
            "external_id"),
    "kto": ("trace_id", "prompt_id", "curriculum_position", "external_id"),
}  # fmt: skip
IDS = {name for names in BESIDE.values() for name in names if name.endswith("_id")}


class Source(NamedTuple):
    """What is exported: the name of an arm or a selection, the method that learns from it, its table, and the settings
    of the study's own method, as far as there is one."""

    name: str
    method: Method
    file: Path
    settings: dict[str, Any]

    @property
    def key(self) -> str:
        """The column that a row is named by."""
        return TABLES[self.method].key[0]


def count(source: Source) -> int:
    """The rows of the table. Raises CurationError where it is not there, is no Parquet, or has other columns."""
    if not source.file.exists():
        raise CurationError(f"{source.file}: no such table; `dvc repro select arms` makes it")
    try:
        with pq.ParquetFile(source.file) as table:
            schema, rows = table.schema_arrow, int(table.metadata.num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise CurationError(f"{source.file}: not a Parquet file: {str(error).splitlines()[0]}") from None
    wanted = TABLES[source.method].schema
    if {field.name: field.type for field in schema} != {field.name: field.type for field in wanted}:
        raise CurationError(f"{source.file}: its columns are not those of {TABLES[source.method].name}; "
                            "`dvc repro select arms` makes it again")  # fmt: skip
    return rows


def batches(source: Source) -> Iterator[pl.DataFrame]:
    """The rows of the table, ROWS at a time; of a large table no more is in memory. Raises Errors where one breaks the
    contract."""
    with pq.ParquetFile(source.file, buffer_size=1 << 20) as table:
        for batch in table.iter_batches(ROWS):
            rows = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
            parquet.check(TABLES[source.method], rows, source.file)
            yield rows


def examples(rows: pl.DataFrame, source: Source, way: Way | None, system: str | None) -> Iterator[Example]:
    """Each of the rows as formats take it: reasoning goes the given way, and prompts without a system message are
    opened by that of the student. Raises RenderingFault where there is reasoning and no way for it."""
    sides, beside = SIDES[source.method], BESIDE[source.method]
    thoughts = ["reasoning" if side == "completion" else f"{side}_reasoning" for side in sides]
    for row in rows.iter_rows(named=True):
        messages = with_system(for_model(full_messages(row["prompt"], row["prompt_messages"])), system)
        said = zip(sides, thoughts, strict=True)
        answers = [answer_message(way, row[thought], row[side][0]["content"]) for side, thought in said]
        kept = {name: row[name] for name in beside if row[name] is not None}
        kept |= {name: str(value) for name, value in kept.items() if name in IDS}  # readers of JSON round large numbers
        thinks = any(row[thought] is not None for thought in thoughts)
        yield Example(as_told(messages, way), row["tools"], answers, row.get("label"), kept, thinks)
