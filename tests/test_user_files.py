"""A user's file in every form that people write: each is read, or refused in one plain sentence that names the file,
the row or line, and the column.

Kinds of fault: a form that crashes the process or ends in a traceback; two readers that disagree about a value; a value
that becomes another one (an id rounded by a double, a number taken for text, NaN beside null); a file that DVC does not
see change; an error of a library in place of a sentence.
"""

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.fuzz import files
from curation.core.errors import CurationError
from curation.tables.user_files import open_path, read_columns
from curation.tables.user_values import ID, INDEX, KEY, REAL, TEXT, ColumnType, ValueType

ROWS = [{"q": "What is 2 + 3?", "n": 5}, {"q": "é \u2028 ½", "n": None}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
EXPECTED = [("What is 2 + 3?", 5.0), ("é \u2028 ½", None)]
TYPES = {"q": ColumnType(TEXT), "n": ColumnType(REAL, nullable=True)}


def read(file: Path) -> list[tuple[Any, ...]]:
    """The columns q and n of a file."""
    return read_columns(str(file), {"q": "q", "n": "n"}, TYPES).rows()


def refusal(file: Path) -> str:
    """What is said of a file, without its path."""
    with pytest.raises(CurationError) as error:
        read(file)
    said = str(error.value)
    assert said.startswith(f"{file}: ") and said.isprintable() and len(said) < 1000, said
    return said.removeprefix(f"{file}: ")


def parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def in_csv(delimiter: str) -> bytes:
    """ROWS as csv.writer writes them."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([("q", "n"), *(row.values() for row in ROWS)])
    return text.getvalue().encode()


def packed(body: bytes) -> bytes:
    """The bytes as zstd packs them."""
    return bytes(pa.compress(body, codec="zstd", asbytes=True))


def arrow(text: pa.DataType = pa.string(), number: pa.DataType = pa.int64()) -> bytes:  # noqa: B008 (immutable)
    """ROWS as a Parquet file with columns of these types."""
    columns = {"q": [row["q"] for row in ROWS], "n": [row["n"] for row in ROWS]}
    return parquet(pa.table({"q": pa.array(columns["q"]).cast(text), "n": pa.array(columns["n"]).cast(number)}))


TABLE = pa.table({"q": [row["q"] for row in ROWS], "n": [row["n"] for row in ROWS]})
READ: dict[str, tuple[str, bytes]] = {
    "JSON lines": ("f.jsonl", LINES),
    "another name": ("f.NDJSON", LINES),
    "no end of the last line": ("f.jsonl", LINES.rstrip(b"\n")),
    "a byte-order mark": ("f.jsonl", b"\xef\xbb\xbf" + LINES),
    "CRLF": ("f.jsonl", LINES.replace(b"\n", b"\r\n")),
    "CR alone": ("f.jsonl", LINES.replace(b"\n", b"\r")),
    "blank lines": ("f.jsonl", b"\n \n" + LINES.replace(b"\n", b"\n\n\t\n")),
    "objects on one line": ("f.jsonl", LINES.replace(b"\n", b"")),
    "objects over several lines": ("f.json", "\n".join(json.dumps(row, indent=2) for row in ROWS).encode()),
    "an array": ("f.json", json.dumps(ROWS).encode()),
    "an array over several lines": ("f.json", json.dumps(ROWS, indent=2).encode()),
    "an array, a row a line": ("f.jsonl", b"[" + LINES.rstrip().replace(b"\n", b",\n") + b"]\n"),
    "gzip": ("f.jsonl.gz", gzip.compress(LINES)),
    "two gzip files behind each other": ("f.json.gz", b"".join(map(gzip.compress, LINES.partition(b"\n")))),
    "zstd": ("f.jsonl.zst", packed(LINES)),
    "NaN for null": ("f.jsonl", LINES.replace(b"null", b"NaN")),
    "a key left out": ("f.jsonl", LINES.replace(b', "n": null', b"")),
    "more keys, nested": ("f.jsonl", LINES.replace(b"{", b'{"meta": {"a": [1, {}]}, ', 1)),
    "UTF-8 unescaped": ("f.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()),
    "CSV": ("f.csv", in_csv(",")),
    "CSV with a byte-order mark": ("f.csv", b"\xef\xbb\xbf" + in_csv(",")),
    "CSV of a spreadsheet with decimal commas": ("f.csv", in_csv(";")),
    "CSV, CR alone": ("f.csv", in_csv(",").replace(b"\r\n", b"\r")),
    "CSV, packed": ("f.csv.gz", gzip.compress(in_csv(","))),
    "TSV": ("f.tsv", in_csv("\t")),
    "Parquet": ("f.parquet", arrow()),
    "Parquet of polars": ("f.parquet", b"polars"),
    "Parquet of pandas": ("f.parquet", b"pandas"),
    "JSON lines of polars": ("f.jsonl", b"polars"),
    "JSON lines of pandas": ("f.jsonl", b"pandas"),
    "CSV of polars": ("f.csv", b"polars"),
    "CSV of pandas": ("f.csv", b"pandas"),
    "dictionary columns": ("f.parquet", arrow(pa.dictionary(pa.int32(), pa.string()))),
    "large_string": ("f.parquet", arrow(pa.large_string())),
    "string_view": ("f.parquet", arrow(pa.string_view())),
    "uint64": ("f.parquet", arrow(number=pa.uint64())),
    "float32": ("f.parquet", arrow(number=pa.float32())),
    "decimal": ("f.parquet", arrow(number=pa.decimal128(38, 0))),
    "numbers as text": ("f.parquet", arrow(number=pa.string())),
}  # fmt: skip
FRAMES: dict[str, Callable[[Path], Any]] = {
    "Parquet of polars": lambda file: pl.DataFrame(ROWS).write_parquet(file),
    "Parquet of pandas": lambda file: pd.DataFrame(ROWS).to_parquet(file),  # NaN, as pandas has no null number
    "JSON lines of polars": lambda file: pl.DataFrame(ROWS).write_ndjson(file),
    "JSON lines of pandas": lambda file: pd.DataFrame(ROWS).to_json(file, orient="records", lines=True),
    "CSV of polars": lambda file: pl.DataFrame(ROWS).write_csv(file),
    "CSV of pandas": lambda file: pd.DataFrame(ROWS).to_csv(file, index=False),
}


@pytest.mark.parametrize("form", READ)
def test_an_everyday_form_is_read(form: str, tmp_path: Path) -> None:
    name, body = READ[form]
    if form in FRAMES:
        FRAMES[form](tmp_path / name)
    else:
        (tmp_path / name).write_bytes(body)
    assert read(tmp_path / name) == EXPECTED


NOT_JSON = {
    "a number first": (b"5\n", "line 1: 5 is not a JSON object"),
    "null first": (b"null\n" + LINES, "line 1: null is not a JSON object"),
    "null alone": (b"null\n", "line 1: null is not a JSON object"),
    "a list in a line": (LINES + b"[1]\n", "line 3: [1] is not a JSON object"),
    "a list in an array": (b"[[1]]", "row 0: [1] is not a JSON object"),
    "an array and more": (b"[]\n{}\n", "line 2: '{}' stands after the end of the array"),
    "a trailing comma": (LINES.replace(b"}\n", b"},\n"), "line 1: not JSON: Expecting value at character 32"),
    "a comma before the end": (LINES.replace(b"}\n", b",}\n"), "line 1: not JSON: Expecting property name"),
    "Python's repr": (str(ROWS[0]).encode(), "line 1: not JSON: Expecting property name"),
    "half a line at the end": (LINES[:-9], "line 2: not JSON: Unterminated string"),
    "the first line cut": (b'{"q": "a\n' + LINES, "line 1: not JSON: Unterminated string starting at character 7"),
    "a key twice": (b'{"q": "a", "q": "b"}\n', "line 1: has 'q' twice in one object; keep one"),
    "a NUL byte": (b'{"q": "a\0b"}\n', "line 1: not JSON: Invalid control character at character 9"),
    "NUL bytes": (b"\0" * 64, "is UTF-16 or UTF-32, or no text at all; save it as UTF-8"),
    "UTF-16": (LINES.decode().encode("utf-16"), "is UTF-16 or UTF-32, or no text at all; save it as UTF-8"),
    "UTF-16 without a mark": (LINES.decode().encode("utf-16-be"), "is UTF-16 or UTF-32, or no text at all"),
    "Latin-1": (LINES + '{"q": "é"}'.encode("latin-1"), "line 3: not UTF-8; save it as UTF-8"),
    "half a character": (b'{"q": "\\ud800"}\n', "line 1: column 'q' (columns.q) is '\\ud800', text with half a"),
    "nested too deep": (b'{"q": ' + b"[" * 100_000, "line 1: not JSON that can be read: nested too deep"),
    "nested too deep in an array": (b"[" * 100_000, "line 1: not JSON that can be read: nested too deep"),
    "a number of 5,000 digits": (b'{"q": ' + b"9" * 5000 + b"}", "line 1: has a number of more digits than can be"),
    "blank": (b" \n\t\r\n", "has no rows"),
    "empty": (b"", "is empty"),
    "an empty array": (b"[]", "has no rows"),
    "an empty object": (b"{}", "has no rows"),
    "one object of columns": (b'{"q": {"0": "a"}, "n": {"0": 1}}', "line 1: column 'q' (columns.q) is {'0': 'a'}, not"),
    "rows under a key": (b'{"data": []}', "no column 'q' (columns.q), no column 'n' (columns.n); it has data"),
    "a web page": (b"<!doctype html>", "line 1: not JSON: Expecting value at character 1"),
    "an infinite number": (b'{"q": "a", "n": -Infinity}', "line 1: column 'n' (columns.n) is -inf, not a finite"),
    "true for a number": (b'{"q": "a", "n": true}', "line 1: column 'n' (columns.n) is true, not a number"),
    "a number for text": (LINES + b'{"q": 24}\n', "line 3: column 'q' (columns.q) is 24, not text"),
    "messages": (
        b'{"q": [{"role": "user", "content": "Why?"}]}',
        "line 1: column 'q' (columns.q) is [{'content': 'Why?', 'role': 'user'}], a list of messages, not text",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", NOT_JSON)
def test_json_that_is_none_is_refused_by_its_line(fault: str, tmp_path: Path) -> None:
    body, said = NOT_JSON[fault]
    (tmp_path / "f.jsonl").write_bytes(body)
    assert refusal(tmp_path / "f.jsonl").startswith(said)


def holding(value: Any) -> bytes:
    """A Parquet file with `value` in the place of a text."""
    return parquet(pa.table({"q": [value], "n": [1]}))


DOUBLED = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["q", "q"])
UNREAD = {
    "Parquet named JSON": ("f.jsonl", arrow(), "is parquet, not text as its name says; name it .parquet"),
    "JSON named Parquet": ("f.parquet", LINES, "is text, not parquet as its name says; name it .jsonl, .json, .csv"),
    "gzip named JSON": ("f.jsonl", gzip.compress(LINES), "is gzip, not text as its name says; name it .gz"),
    "JSON named gzip": ("f.jsonl.gz", LINES, "is text, not gzip as its name says"),
    "a zip archive": ("f.jsonl", b"PK\x03\x04" + LINES, "is a zip archive, not text as its name says; unpack it"),
    "a Git LFS pointer": ("f.parquet", b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, which"),
    "another form": ("f.txt", LINES, "not a .parquet, .jsonl, .ndjson, .json, .csv, .tsv file"),
    "no form": ("f", LINES, "not a .parquet, .jsonl"),
    "packed Parquet": ("f.parquet.gz", gzip.compress(arrow()), "not a .parquet, .jsonl"),
    "gzip cut off": ("f.jsonl.gz", gzip.compress(LINES)[:-9], "cannot be unpacked: Truncated compressed stream"),
    "gzip damaged": ("f.jsonl.gz", gzip.compress(LINES)[:-9] + b"x" * 9, "cannot be unpacked: "),
    "zstd cut off": ("f.jsonl.zst", packed(LINES)[:-3], "cannot be unpacked: Truncated compressed stream"),
    "Parquet cut off": ("f.parquet", arrow()[:-99], "cannot be read as parquet: "),
    "Parquet's first bytes": ("f.parquet", b"PAR1", "cannot be read as parquet: "),
    "Parquet without rows": ("f.parquet", parquet(TABLE.slice(0, 0)), "has no rows"),
    "Parquet without columns": ("f.parquet", parquet(TABLE.select([])), "has no rows"),
    "a doubled name in Parquet": ("f.parquet", parquet(DOUBLED), "has 2 columns named 'q'; rename all but one"),
    "a doubled name in CSV": ("f.csv", b"q,q\na,b\n", "has 2 columns named 'q'; rename all but one"),
    "numbers for text": ("f.parquet", holding(1), "column 'q' (columns.q) holds int64, not text"),
    "binary": ("f.parquet", arrow(pa.binary()), "column 'q' (columns.q) holds binary, not text"),
    "a struct": ("f.parquet", holding({"a": 1}), "column 'q' (columns.q) holds struct<a: int64>"),
    "a date": ("f.parquet", holding(date(2020, 1, 1)), "column 'q' (columns.q) holds date32[day]"),
    "messages": (
        "f.parquet",
        holding([{"role": "user", "content": "Why?"}]),
        "column 'q' (columns.q) holds list<element: struct<role: string, content: string>>, not text",
    ),
    "bytes for text": ("f.parquet", arrow().replace("é".encode(), b"\xff\xff"), "cannot be read as parquet: "),
    "a row too long": ("f.csv", b"q,n\na,1\nb,2,3\n", "line 3: has 3 fields, the header has 2"),
    "an open quote": ("f.csv", b'q,n\n"a,1\n', "line 2: not CSV: unexpected end of data"),
    "another separator": ("f.csv", b"q|n\na|1\n", "no column 'q' (columns.q), no column 'n' (columns.n); it has q|n"),
    "a header alone": ("f.csv", b"q,n\n", "has no rows"),
    "text in CSV": ("f.csv", b'q,n\n"a\nb",1\nc,two\n', "line 4: column 'n' (columns.n) is 'two', not a number"),
    "text in CSV, CR alone": ("f.csv", b'q,n\r"a\rb",1\rc,two\r', "line 4: column 'n' (columns.n) is 'two'"),
    "an empty text in CSV": ("f.csv", b"q,n\n,1\n", "column 'q' (columns.q) is null in 1 row, the first is row 0"),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNREAD)
def test_a_form_that_is_not_read_is_refused_with_the_way_out(fault: str, tmp_path: Path) -> None:
    name, body, said = UNREAD[fault]
    (tmp_path / name).write_bytes(body)
    assert refusal(tmp_path / name).startswith(said)


WITHIN = {  # rows that stand in a list of what is around them
    "an object": ("data", {"version": 1, "data": ROWS}),
    "objects within objects": ("results.AIME24.examples", {"results": {"AIME24": {"examples": ROWS}}, "by": "x"}),
    "a name with a dot": ("results.v1", {"results.v1": ROWS, "results": {"v1": []}}),
    "over several lines": ("data", {"data": ROWS}),
    "an object for each part": ("part", [{"part": ROWS[:1]}, {"part": ROWS[1:]}]),
}


@pytest.mark.parametrize("form", WITHIN)
def test_rows_in_a_list_of_a_json_object_are_read_where_they_are_named(form: str, tmp_path: Path) -> None:
    within, body = WITHIN[form]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(body, indent=2 if form == "over several lines" else None))
    table = open_path(str(file), "n = 5 or q is not null", within=within)
    assert table.read({"q": "q", "n": "n"}, TYPES).drop("row").rows() == EXPECTED


def test_rows_that_are_not_there_are_named_with_the_lists_that_are(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": ROWS, "of": {"x": []}, "rows": 3}))
    with pytest.raises(CurationError, match=r"a\.json: has no list 'rows' \(rows\); it has data, of\.x"):
        open_path(str(tmp_path / "a.json"), within="rows").read({"q": "q"}, TYPES)
    (tmp_path / "a.csv").write_text("q,n\na,1\n")
    with pytest.raises(CurationError, match=r"a\.csv: has rows of its own and no list 'data' \(rows\) of them"):
        open_path(str(tmp_path / "a.csv"), within="data").read({"q": "q"}, TYPES)


def test_a_line_of_64_mib_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.tables import json_values, user_rows

    monkeypatch.setattr(user_rows, "MOST_IN_LINE", 2**20)
    (tmp_path / "f.jsonl").write_bytes(LINES + b'{"q": "' + b"a" * 2**20 + b'"}\n')
    assert refusal(tmp_path / "f.jsonl") == "line 3: longer than 1 MiB"
    monkeypatch.setattr(json_values, "MOST_IN_DOCUMENT", 2**10)
    (tmp_path / "f.json").write_bytes(b"[\n" + b"1,\n" * 2**10)
    assert refusal(tmp_path / "f.json").endswith("write one object a line")


VALUES: list[tuple[ValueType, Any, Any]] = [  # a type, a value, and what it is read as or why it is not
    (INDEX, 3, 3), (INDEX, "3", 3), (INDEX, 3.0, 3), (INDEX, "3.0", 3), (INDEX, Decimal(3), 3),
    (INDEX, 2**31 - 1, 2**31 - 1),
    (INDEX, 2**31, "is 2147483648, not from 0 to 2147483647"), (INDEX, -1, "is -1, not from 0 to 2147483647"),
    (INDEX, 2**70, f"is {2**70}, not from 0 to 2147483647"), (INDEX, 1.5, "is 1.5, not a whole number"),
    (INDEX, "3a", "is '3a', not a whole number"), (INDEX, "", "is '', not a whole number"),
    (INDEX, "٣", "is '٣', not a whole number"), (INDEX, True, "is true, not a whole number"),
    (INDEX, math.inf, "is inf, a double above 2**53"), (INDEX, [3], "is [3], not a whole number"),
    (ID, 2**63 - 1, 2**63 - 1), (ID, str(2**63 - 1), 2**63 - 1), (ID, 2.0**53, 2**53),
    (ID, 2**63, f"is {2**63}, not from -{2**63} to {2**63 - 1}"),
    (ID, 2.0**60, "is 1.152921504606847e+18, a double above 2**53"),
    (KEY, 7, "7"), (KEY, "7", "7"), (KEY, 7.0, "7"), (KEY, "007", "007"), (KEY, "a b", "a b"),
    (KEY, 2**64 - 1, str(2**64 - 1)),
    (KEY, 7.5, "is 7.5, not an id"), (KEY, {"a": 1}, "is {'a': 1}, not an id"), (KEY, False, "is false, not an id"),
    (REAL, 1, 1.0), (REAL, "1.5", 1.5), (REAL, "-1e3", -1000.0), (REAL, Decimal("1.5"), 1.5), (REAL, 2**70, 2.0**70),
    (REAL, "1e999", "is '1e999', not a finite number"), (REAL, "7B", "is '7B', not a number"),
    (REAL, "nan", "is 'nan', not a number"), (REAL, "0x10", "is '0x10', not a number"), (REAL, "1_000", "is '1_000',"),
    (REAL, False, "is false, not a number"), (REAL, 10**400, "is 1000"),
    (TEXT, "", ""), (TEXT, "\0", "\0"), (TEXT, 5, "is 5, not text"), (TEXT, b"a", "is b'a', not text"),
    (TEXT, ["a"], "is ['a'], not text"), (TEXT, date(2020, 1, 1), "is 2020-01-01, not text"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "given", "expected"), VALUES)
def test_a_value_is_read_as_what_it_says_or_named(values: ValueType, given: Any, expected: Any) -> None:
    from curation.tables.user_values import UnconvertibleError, convert_values

    column = ColumnType(values, nullable=True)
    if isinstance(expected, str) and expected.startswith("is "):
        with pytest.raises(UnconvertibleError) as error:
            convert_values([None, given], column)
        assert str(error.value).startswith(expected) and error.value.row == 1
    else:
        (none, value) = convert_values([None, given], column)
        assert none is None and value == expected and type(value) is type(expected)


def in_both_forms(given: Any) -> bool:
    """JSON has no decimals, bytes or days, Parquet no whole number of more than 63 bits."""
    return not isinstance(given, Decimal | bytes | date) and not (isinstance(given, int) and given.bit_length() > 63)


@pytest.mark.parametrize(("values", "given", "expected"), [case for case in VALUES if in_both_forms(case[1])])
def test_every_form_says_the_same_of_a_value(values: ValueType, given: Any, expected: Any, tmp_path: Path) -> None:
    """JSON and Parquet: what one reads, the other reads alike; what one refuses, the other does."""
    forms = [tmp_path / "f.jsonl", tmp_path / "f.parquet"]
    forms[0].write_text(json.dumps({"v": given}))
    forms[1].write_bytes(parquet(pa.table({"v": [given]})))
    said = []
    for file in forms:
        try:
            said.append(read_columns(str(file), {"v": "v"}, {"v": ColumnType(values)}).item())
        except CurationError as error:
            assert "column 'v' (columns.v)" in str(error)
            said.append(CurationError)
    assert (
        said[0] == said[1] == (CurationError if isinstance(expected, str) and expected.startswith("is ") else expected)
    )


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data/import in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/import")
    folder.mkdir(parents=True)
    return folder


def test_what_is_no_file_is_named_and_a_link_to_a_file_is_followed(imports: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "f.jsonl").write_bytes(LINES)
    (imports / "link.jsonl").symlink_to(elsewhere / "f.jsonl")
    assert read(imports / "link.jsonl") == read(elsewhere / "f.jsonl") == EXPECTED
    (imports / "folder").symlink_to(elsewhere)
    (imports / "gone.jsonl").symlink_to(elsewhere / "gone.jsonl")
    os.mkfifo(imports / "pipe.jsonl")
    for path, said in {
        imports / "folder/f.jsonl": "lies behind data/import/folder, a link to a folder, which DVC does not follow: it "
        "would not see the file change; link the file itself, or copy it",
        imports
        / "folder": "is a link to a folder, which DVC does not follow; make a folder, and link or copy the files "
        "into it",
        imports
        / "gone.jsonl": f"is a link to {elsewhere}/gone.jsonl, which does not exist; put the file there, or correct "
        "the link",
        imports / "pipe.jsonl": "is neither a file nor a link to one",
        imports / "none.jsonl": "does not exist; put it there, or correct the path in params.yaml",
        imports / ("n" * 300): "cannot be looked at: File name too long; correct the path",
    }.items():
        assert refusal(path) == said


@pytest.mark.slow
@pytest.mark.parametrize("count", [72, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files_are_read_or_refused_in_a_sentence(count: int) -> None:
    """What is asserted of each stands in `bench/fuzz/files.py`."""
    outcomes = files.run(count, 1)
    assert sum(outcomes.values()) == count
    assert {outcome.rpartition(": ")[2] for outcome in outcomes} == {"read", "refused"}


@pytest.mark.parametrize("name", ["f.jsonl", "f.parquet"])
def test_an_answer_or_a_list_of_them_is_a_list_each_once(name: str, tmp_path: Path) -> None:
    from curation.tables.user_values import ANSWERS

    rows: list[dict[str, Any]] = [{"a": ["5", "five", "5"]}, {"a": []}, {"a": None}]
    (tmp_path / name).write_bytes(
        parquet(pa.Table.from_pylist(rows)) if name == "f.parquet" else "\n".join(map(json.dumps, rows)).encode()
    )
    column = {"a": ColumnType(ANSWERS, nullable=True)}
    assert read_columns(str(tmp_path / name), {"a": "a"}, column)["a"].to_list() == [["5", "five"], [], None]
    (tmp_path / "g.jsonl").write_text('{"a": "5"}\n{"a": ["6", {}]}\n')
    with pytest.raises(CurationError, match=r"line 2: column 'a' \(columns\.a\) is \['6', {}\], not text"):
        read_columns(str(tmp_path / "g.jsonl"), {"a": "a"}, column)
