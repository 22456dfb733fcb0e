"""The rows of a user's file, whatever its form: Parquet, JSON lines, a JSON document, CSV or TSV, packed or not. They
are read a block at a time, so that no file must fit into memory as Python's objects.

Rows are counted from 0, lines from 1. Nothing is believed: a name, a byte or a value that is not what it should be is a
Fault, which says in a few words what is wrong, and on which line.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.messages import first_names, show_value
from curation.tables.json_values import Fault, read_values
from curation.tables.user_blocks import BLOCK, Block, SeenColumns, arrow_blocks, refuse_doubled
from curation.tables.user_fields import MISSING, list_fields, stored_column, take
from curation.tables.user_forms import form_of, refuse_other_content

MOST_IN_LINE = 2**26  # bytes
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_AFTER_CR = re.compile(r"(?<=\r)(?!\n|\Z)")


class FileRows(SeenColumns):
    """The rows of the file that `name` is the path of; those in the list `within` where its JSON is an object that has
    them there, as `data` or `results.AIME24.examples`."""

    def __init__(self, name: str, within: str | None = None) -> None:
        super().__init__(name)
        self.within = within

    @property
    def declares(self) -> bool:
        """Whether the file says what columns it has before its rows."""
        return form_of(Path(self.name))[0] in (".parquet", ".csv", ".tsv")

    @property
    def size(self) -> int:
        """In bytes."""
        return Path(self.name).stat().st_size

    def look(self, wanted: Iterable[str]) -> set[str] | None:
        """What the file has of `wanted`; None if only its rows can say it. Raises Fault if it cannot be read."""
        if form_of(Path(self.name))[0] != ".parquet":
            return None
        try:
            schema = pq.read_schema(self.name)
        except pa.ArrowException as error:
            raise Fault(f"cannot be read as parquet: {str(error).splitlines()[0]}") from None
        self.see_schema(schema, list(wanted))
        return self.found

    def blocks(self, wanted: Iterable[str]) -> Iterator[Block]:
        """All rows, with the columns or fields of the names `wanted`, which are null in a row that has none. Raises
        Fault if the file is not what its name says or is damaged, and OSError if it cannot be opened."""
        self.forget()
        names, file = list(dict.fromkeys(wanted)), Path(self.name)
        form, packing = form_of(file)
        with file.open("rb") as opened:
            head = opened.read(32)
        if not head:
            raise Fault("is empty")
        refuse_other_content(head, "parquet" if form == ".parquet" else packing)
        if self.within is not None and form in (".parquet", ".csv", ".tsv"):
            raise Fault(f"has rows of its own and no list {self.within!r} (rows) of them; leave rows out")
        if form == ".parquet":
            yield from self._read_parquet(file, names)
            return
        try:
            with io.BufferedReader(pa.input_stream(file, compression=packing)) as stream:
                if form in (".csv", ".tsv"):
                    yield from self._read_csv(stream, names, "," if form == ".csv" else "\t")
                else:
                    yield from self._read_json(stream, names)
        except (OSError, pa.ArrowException) as error:
            raise Fault(f"cannot be unpacked: {error}; it is cut off or damaged, so fetch it again") from None

    def _read_parquet(self, file: Path, wanted: list[str]) -> Iterator[Block]:
        try:
            with pq.ParquetFile(file) as parquet:
                places = self.see_schema(parquet.schema_arrow, wanted)
                batches = parquet.iter_batches(BLOCK, columns=[*dict.fromkeys(map(stored_column, places.values()))])
                yield from arrow_blocks(self.name, batches, places)
        except Fault:
            raise
        except Exception as error:  # a damaged file makes the library raise whatever it comes upon
            raise Fault(f"cannot be read as parquet: {(str(error) or type(error).__name__).splitlines()[0]}") from None

    def _read_json(self, stream: io.BufferedReader, wanted: list[str]) -> Iterator[Block]:
        """One object a line, or several; or one document: an array of objects, or objects over several lines."""
        keys = dict[str, Any]().keys()
        first, columns, lines = 0, {name: list[Any]() for name in wanted}, list[int | None]()
        nested = [name for name in wanted if "." in name]
        for line, row in self._rows_within(read_values(_lines(stream))):
            if not isinstance(row, dict):
                place = f"row {first + len(lines)}" if line is None else f"line {line}"
                raise Fault(f"{place}: {'null' if row is None else show_value(row)} is not a JSON object")
            if row.keys() != keys:
                keys = row.keys()
                self.names.update(dict.fromkeys(keys))
                self.fields = self.fields or list(list_fields(row))
                self.found.update(name for name in wanted if name in keys)
            lines.append(line)
            for name, values in columns.items():
                values.append(row.get(name))
            for name in nested:
                if name not in keys and (value := take(row, name, MISSING)) is not MISSING:
                    self.found.add(name)
                    columns[name][-1] = value
            if len(lines) == BLOCK:
                yield self._json_block(first, columns, lines)
                first, columns, lines = first + BLOCK, {name: [] for name in wanted}, []
        yield self._json_block(first, columns, lines)

    def _rows_within(self, values: Iterator[tuple[int | None, Any]]) -> Iterator[tuple[int | None, Any]]:
        """The values themselves, or the rows that each has in its list `within`."""
        if self.within is None:
            yield from values
            return
        for _, value in values:
            rows = take(value, self.within)
            if not isinstance(rows, list):
                lists = first_names((name for name in list_fields(value) if isinstance(take(value, name), list)), 20)
                raise Fault(f"has no list {self.within!r} (rows); it has {lists or 'none'}")
            yield from ((None, row) for row in rows)

    def _json_block(self, first: int, columns: dict[str, list[Any]], lines: list[int | None]) -> Block:
        numbered = [line for line in lines if line is not None]
        rows = range(first, first + len(lines))
        return Block(self.name, rows, dict(columns), numbered if len(numbered) == len(lines) else None)

    def _read_csv(self, stream: io.BufferedReader, wanted: list[str], separator: str) -> Iterator[Block]:
        """A header and a row each; an empty field is null, all others are text. Where a comma is the decimal mark,
        spreadsheets separate by semicolons, which a header without a comma gives away."""
        csv.field_size_limit(MOST_IN_LINE)
        lines_with_ends = (line for raw in _raw_lines(stream) for line in _AFTER_CR.split(raw))
        header = next(lines_with_ends, "")
        if separator == "," and "," not in header and ";" in header:
            separator = ";"
        rows = csv.reader(chain([header], lines_with_ends), delimiter=separator, strict=True)
        places: dict[str, int] = {}
        first, columns, lines, before = 0, {name: list[Any]() for name in wanted}, list[int](), 0
        try:
            for row in rows:
                line, before = before + 1, rows.line_num
                if not row:
                    continue
                if not self.names:
                    refuse_doubled(row, wanted)
                    self.names, self.fields, width = dict.fromkeys(row), row, len(row)
                    places = {name: row.index(name) for name in wanted if name in row}
                    self.found = set(places)
                    continue
                if len(row) != width:
                    raise Fault(f"line {line}: has {len(row)} fields, the header has {width}")
                lines.append(line)
                for name, values in columns.items():
                    values.append(row[places[name]] or None if name in places else None)
                if len(lines) == BLOCK:
                    yield Block(self.name, range(first, first + BLOCK), dict(columns), lines)
                    first, columns, lines = first + BLOCK, {name: [] for name in wanted}, []
        except csv.Error as error:
            raise Fault(f"line {before + 1}: not CSV: {str(error).split(' - ')[0]}") from None
        yield Block(self.name, range(first, first + len(lines)), dict(columns), lines)


def _lines(stream: io.BufferedReader) -> Iterator[tuple[int, str]]:
    """The lines of a text and their numbers, without their ends: \\n, \\r\\n or \\r."""
    number = 0
    for raw in _raw_lines(stream):
        for line in raw.removesuffix("\n").removesuffix("\r").split("\r"):
            number += 1
            yield number, line


def _raw_lines(stream: io.BufferedReader) -> Iterator[str]:
    """The lines of a text up to each \\n, with it. A byte-order mark before the first is left out."""
    number = 0
    while raw := stream.readline(MOST_IN_LINE + 1):
        number += 1
        if len(raw) > MOST_IN_LINE:
            raise Fault(f"line {number}: longer than {MOST_IN_LINE >> 20} MiB")
        if number == 1 and (raw[:2] in UTF_16 or b"\0" in raw[:4]):
            raise Fault("is UTF-16 or UTF-32, or no text at all; save it as UTF-8")
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            line = number + raw.count(b"\r", 0, error.start)
            raise Fault(f"line {line}: not UTF-8; save it as UTF-8") from None
        yield text
