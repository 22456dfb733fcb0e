"""The rows of a user's file, whatever its form: Parquet, JSON lines, a JSON document, CSV or TSV, packed or not.

Rows are counted from 0, lines from 1. Nothing is believed: a name, a byte or a value that is not what it should be is a
Fault, which says in a few words what is wrong, and on which line.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.messages import show_value
from curation.tables.json_values import Fault, read_values

MOST_IN_LINE = 2**26  # bytes
TEXT_FORMS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
PACKED = {".gz": "gzip", ".zst": "zstd"}
CONTENT = {  # by the first bytes
    b"PAR1": "parquet",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"SQLite format 3": "an SQLite database",
    b"version https://git-lfs": "a Git LFS pointer, which `git lfs pull` replaces",
}
READ_AS = {None: ".jsonl, .json, .csv or .tsv", "parquet": ".parquet", "gzip": ".gz", "zstd": ".zst"}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class UserRows(NamedTuple):
    """The names of all columns of a file, the values of those that were asked for, and of a text file the line on which
    each row starts."""

    names: list[str]
    columns: dict[str, list[Any] | pa.ChunkedArray]
    lines: list[int] | None

    def place(self, row: int) -> str:
        """Where a row stands, in words."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"


def read_rows(file: Path, wanted: set[str]) -> UserRows:
    """The rows of `file`, with the columns of `wanted` that it has. Raises Fault if it is not what its name says or is
    damaged, and OSError if it cannot be opened."""
    form, packing = _form(file)
    with file.open("rb") as opened:
        head = opened.read(32)
    if not head:
        raise Fault("is empty")
    _refuse_other_content(head, "parquet" if form == ".parquet" else packing)
    if form == ".parquet":
        return _read_parquet(file, wanted)
    try:
        with io.BufferedReader(pa.input_stream(file, compression=packing)) as stream:
            if form in (".csv", ".tsv"):
                return _read_csv(stream, wanted, "," if form == ".csv" else "\t")
            return _read_json(stream, wanted)
    except (OSError, pa.ArrowException) as error:
        raise Fault(f"cannot be unpacked: {error}; it is cut off or damaged, so fetch it again") from None


def _form(file: Path) -> tuple[str, str | None]:
    """The form and the packing that a file's name says."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    packing = PACKED.get(suffixes[-1]) if suffixes else None
    form = suffixes[-2 if packing else -1] if len(suffixes) > bool(packing) else ""
    if form not in (TEXT_FORMS if packing else (".parquet", *TEXT_FORMS)):
        raise Fault(f"not a .parquet, {', '.join(TEXT_FORMS)} file; text may be packed as .gz or .zst")
    return form, packing


def _refuse_other_content(head: bytes, expected: str | None) -> None:
    """Raises Fault if a file's first bytes are those of another form than its name says; None stands for text."""
    actual = next((content for start, content in CONTENT.items() if head.startswith(start)), None)
    if actual == expected:
        return
    way_out = f"name it {READ_AS[actual]}" if actual in READ_AS else "unpack it, or save it as Parquet or JSON lines"
    raise Fault(f"is {actual or 'text'}, not {expected or 'text'} as its name says; {way_out}")


def _read_parquet(file: Path, wanted: set[str]) -> UserRows:
    try:
        with pq.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            _refuse_doubled(names, wanted)
            present = [name for name in dict.fromkeys(names) if name in wanted]
            table = parquet.read(columns=present)
        table.validate(full=True)  # it reads bytes that are not UTF-8 as they are
        return UserRows(names, {name: table.column(name) for name in present}, None)
    except Fault:
        raise
    except Exception as error:  # a damaged file makes the library raise whatever it comes upon
        raise Fault(f"cannot be read as parquet: {(str(error) or type(error).__name__).splitlines()[0]}") from None


def _refuse_doubled(names: list[str], wanted: set[str]) -> None:
    if doubled := [name for name in names if name in wanted and names.count(name) > 1]:
        raise Fault(f"has {names.count(doubled[0])} columns named {doubled[0]!r}; rename all but one")


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


def _read_json(stream: io.BufferedReader, wanted: set[str]) -> UserRows:
    """One object a line, or several; or one document: an array of objects, or objects over several lines."""
    names: dict[str, None] = {}
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    lines: list[int | None] = []
    keys = None
    for line, row in read_values(_lines(stream)):
        if not isinstance(row, dict):
            place = f"row {len(lines)}" if line is None else f"line {line}"
            raise Fault(f"{place}: {'null' if row is None else show_value(row)} is not a JSON object")
        if row.keys() != keys:
            keys = row.keys()
            names.update(dict.fromkeys(keys))
        lines.append(line)
        for name, values in columns.items():
            values.append(row.get(name))
    numbered = [line for line in lines if line is not None]
    present = {name: values for name, values in columns.items() if name in names}
    return UserRows(list(names), present, numbered if len(numbered) == len(lines) else None)


_AFTER_CR = re.compile(r"(?<=\r)(?!\n|\Z)")


def _read_csv(stream: io.BufferedReader, wanted: set[str], separator: str) -> UserRows:
    """A header and a row each; an empty field is null, all others are text."""
    csv.field_size_limit(MOST_IN_LINE)
    lines_with_ends = (line for raw in _raw_lines(stream) for line in _AFTER_CR.split(raw))
    rows = csv.reader(lines_with_ends, delimiter=separator, strict=True)
    names: list[str] | None = None
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    before = 0
    try:
        for row in rows:
            line, before = before + 1, rows.line_num
            if not row:
                continue
            if names is None:
                names = row
                _refuse_doubled(names, wanted)
                columns = {name: [] for name in names if name in wanted}
                continue
            if len(row) != len(names):
                raise Fault(f"line {line}: has {len(row)} fields, the header has {len(names)}")
            lines.append(line)
            for name, value in zip(names, row, strict=True):
                if name in columns:
                    columns[name].append(value or None)
    except csv.Error as error:
        raise Fault(f"line {before + 1}: not CSV: {str(error).split(' - ')[0]}") from None
    return UserRows(names or [], columns, lines)
