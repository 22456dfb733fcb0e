"""Rows of TRL's shape as Parquet, where it can hold them as they are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.exchange.formats._kind import Row

PLAIN = {"role", "content"}
MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
REAL = pa.float64()
COLUMNS = {  # of either shape; others are text
    "dpo": {"prompt": MESSAGES, "chosen": MESSAGES, "rejected": MESSAGES, "tools": None, "pair_id": None,
            "prompt_id": None, "margin": REAL, "p_chosen": REAL, "chosen_rating": REAL, "rejected_rating": REAL},
    "kto": {"prompt": MESSAGES, "completion": MESSAGES, "label": pa.bool_(), "tools": None, "trace_id": None,
            "prompt_id": None},
}  # fmt: skip


class ParquetRows:
    """A file of the rows as long as no message has other keys than role and content: a column of messages has every key
    on all of them, null where a message had none, and chat templates tell the two apart."""

    def __init__(self, file: Path, wanted: bool) -> None:
        self.file, self.wanted = file, wanted
        self.writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "ParquetRows":
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer is not None:
            self.writer.close()

    def write(self, rows: list[Row]) -> None:
        """These rows follow, or the file is given up."""
        if not self.wanted or not rows:
            return
        lists = [value for row in rows for value in row.values() if isinstance(value, list)]
        if any(message.keys() != PLAIN for messages in lists for message in messages):
            self.wanted = False
            return
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.file, _schema(rows[0]), compression="zstd")
        self.writer.write_table(pa.Table.from_pylist(rows, schema=self.writer.schema))

    def written(self) -> list[str]:
        """The name of the file, if it is there with all rows."""
        if self.wanted and self.writer is not None:
            return [self.file.name]
        self.file.unlink(missing_ok=True)
        return []


def _schema(row: Row) -> pa.Schema:
    """The columns of rows like this one, those too that it has no value of."""
    columns: dict[str, Any] = COLUMNS["dpo" if "chosen" in row else "kto"]
    columns = {name: type or pa.string() for name, type in columns.items()}
    columns |= {"curriculum_position": pa.int32(), "external_id": pa.string()}
    if "chat_template_kwargs" in row:
        columns |= {"chat_template_kwargs": pa.scalar(row["chat_template_kwargs"]).type}
    return pa.schema(list(columns.items()))
