"""Users' files as one table: folders of shards, fields by dotted names, and rows that `where` leaves out.

Kinds of fault: rows lost, doubled or moved by how they lie in files; a message that names a row and not its file; what
a folder holds besides rows, read as rows or passed over in silence; a name that means one thing in JSON and another in
Parquet; a filter that depends on the order of rows or on where a block ends, that drops in silence, or that fails on
rows which it leaves out; a mistake that only shows once files are read.
"""

import gzip
import json
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import flow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import world
from test_imported import generator, save, source

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.prompts.collect import read_sources
from curation.tables import user_rows
from curation.tables.user_fields import MISSING, find_field, take
from curation.tables.user_files import open_path, read_columns
from curation.tables.user_values import ANSWERS, KEY, REAL, TEXT, ColumnType
from curation.traces.generate import generate

MADE = [  # language, score, by, tags
    ("en", 1, "a", ["x"]), ("de", 2, "b", []), (None, 3, None, None), ("en", None, "a", ["x", "y"]),
    ("en", 5, "c", ["y"]),
]  # fmt: skip
ROWS: list[dict[str, Any]] = [
    {"id": number, "q": f"Question {number}?", "lang": lang, "score": score, "meta": {"by": by, "tags": tags}}
    for number, (lang, score, by, tags) in enumerate(MADE)
]
TYPES = {"id": ColumnType(KEY), "q": ColumnType(TEXT), "by": ColumnType(TEXT, nullable=True)}
NAMES = {"id": "id", "q": "q", "by": "meta.by"}


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(rows: list[dict[str, Any]], file: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), file)


def in_parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    parquet(rows, folder / "rows.parquet")
    return folder / "rows.parquet"


def in_json(folder: Path, rows: list[dict[str, Any]]) -> Path:
    (folder / "rows.jsonl").write_bytes(lines(rows))
    return folder / "rows.jsonl"


def in_shards(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A shard of each kind of null: in the second, whole columns are."""
    for name, part in {"b.jsonl": rows[2:3], "c.ndjson": rows[3:]}.items():
        (folder / name).write_bytes(lines(part))
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines(rows[:2])))
    return folder


def in_parquet_shards(folder: Path, rows: list[dict[str, Any]]) -> Path:
    for name, part in {"a": rows[:2], "b": rows[2:3], "c": rows[3:]}.items():
        parquet(part, folder / f"{name}.parquet")
    return folder


LAID: list[Callable[[Path, list[dict[str, Any]]], Path]] = [in_parquet, in_json, in_shards, in_parquet_shards]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two rows, so that files of five have several."""
    monkeypatch.setattr(user_rows, "BLOCK", 2)


@pytest.mark.parametrize("lay", LAID)
def test_rows_are_the_same_however_they_lie(lay: Callable[..., Path], tmp_path: Path) -> None:
    table = open_path(str(lay(tmp_path, ROWS)))
    read_rows = table.read(NAMES, TYPES)
    assert read_rows.rows() == [(n, str(n), row["q"], row["meta"]["by"]) for n, row in enumerate(ROWS)]
    raw = [
        (number, *values)
        for block in table.blocks({"columns.meta": "meta", "columns.score": "score"})
        for number, *values in zip(block.rows, block.values("columns.meta"), block.values("columns.score"), strict=True)
    ]
    assert raw == [(n, row["meta"], row["score"]) for n, row in enumerate(ROWS)]


def test_a_folder_is_read_by_name_and_what_it_holds_besides_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_parquet_shards(tmp_path, ROWS)
    for name in ("README.md", "dataset_infos.json", ".hidden.parquet", "_SUCCESS", "rows.arrow"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "images").mkdir()
    table = open_path(str(tmp_path))
    assert table.read(NAMES, TYPES)["id"].to_list() == ["0", "1", "2", "3", "4"]
    assert capsys.readouterr().err == (
        f"{tmp_path}: 3 files as one table, a.parquet, b.parquet, c.parquet; passed over: README.md, "
        "dataset_infos.json, images, rows.arrow\n"
    )
    assert [table.at(row) for row in (1, 2, 4)] == [
        f"{tmp_path}/a.parquet: row 1", f"{tmp_path}/b.parquet: row 0", f"{tmp_path}/c.parquet: row 1"
    ]  # fmt: skip


def test_a_folder_of_shards_makes_the_traces_of_the_file(tmp_path: Path, ledger: Ledger) -> None:
    from test_imported import ROWS

    (tmp_path / "shards").mkdir()
    whole = save(tmp_path / "all.parquet", ROWS)
    for number in range(4):  # the last row's shard is read first
        save(tmp_path / f"shards/{9 - number}.parquet", ROWS[number : number + 1])
    made = []
    for path in (whole, str(tmp_path / "shards")):
        prompts = read_sources({"mine": source(path)})
        made.append((prompts.sort("prompt_id"), generate("theirs", generator(path), prompts, ledger).sort("trace_id")))
    assert made[0][0].equals(made[1][0]) and made[0][1].equals(made[1][1])


def test_what_later_steps_refuse_names_the_file_of_a_folder(tmp_path: Path, ledger: Ledger) -> None:
    from test_imported import ROWS, changed

    prompts = read_sources({"mine": source(save(tmp_path / "prompts.jsonl", ROWS))})
    faults = {
        "gold": ("6", lambda path: read_sources({"mine": source(path)})),
        "n": (0, lambda path: generate("theirs", generator(path), prompts, ledger)),
        "q": ("What?", lambda path: generate("theirs", generator(path), prompts, ledger)),
        "text": (5, lambda path: generate("theirs", generator(path), prompts, ledger)),
    }
    said = {}
    for column, (value, step) in faults.items():
        (folder := tmp_path / column).mkdir()
        rows = changed(3, **{column: value})
        save(folder / "a.jsonl", rows[:2])
        save(folder / "b.jsonl", rows[2:])
        with pytest.raises(CurationError) as error:
            step(str(folder))
        said[column] = str(error.value).removeprefix(str(folder))
    assert said["gold"].startswith(
        ": 1 prompt has two answers, the first '24' at row 0 of b.jsonl and '6' at row 1 of b.jsonl; keep one"
    )
    assert said["n"].startswith(": row 0 of b.jsonl and row 1 of b.jsonl are both sample 0 of 'big' for one prompt")
    assert said["q"].startswith(": 1 of 4 rows have a prompt that is no train prompt, the first is row 1 of b.jsonl;")
    assert said["text"].startswith("/b.jsonl: line 2: column 'text' (columns.completion) is 5, not text")


@pytest.mark.parametrize(
    ("files", "said"),
    {
        "no files": ({}, ": has no files of data; put .parquet or .jsonl files there, or correct it"),
        "none of data": ({"README.md": b"#"}, ": has no files of data; put"),
        "files further in": ({"data/a.jsonl": lines(ROWS)}, ": has no files of data; {}/data has some, name it"),
        "files there and further in": (
            {"a.jsonl": lines(ROWS), "data/a.jsonl": lines(ROWS)},
            ": has files of data, and {}/data has too; name one folder that has all, or one file",
        ),
        "two forms": (
            {"a.jsonl": lines(ROWS), "b.csv": b"q\na\n"},
            ": has files of 2 forms, a.jsonl, b.csv; leave one form, or name one file",
        ),
        "one packed and unpacked": (
            {"a.jsonl": lines(ROWS), "a.jsonl.gz": gzip.compress(lines(ROWS))},
            ": has a.jsonl.gz packed and unpacked; leave one of the two",
        ),
        "a damaged shard": ({"a.jsonl": lines(ROWS), "b.jsonl": lines(ROWS)[:-5]}, "/b.jsonl: line 5: not JSON: "),
        "a shard that is a pointer": (
            {"a.jsonl": lines(ROWS), "b.jsonl": b"version https://git-lfs.github.com/spec/v1\n"},
            "/b.jsonl: is a Git LFS pointer, which `git lfs pull` replaces",
        ),
        "an empty shard": ({"a.jsonl": lines(ROWS), "b.jsonl": b""}, "/b.jsonl: is empty"),
        "shards without rows": ({"a.jsonl": b"\n", "b.jsonl": b"[]"}, ": has no rows"),
        "a null in the second": (
            {"a.jsonl": lines(ROWS), "b.jsonl": lines([{"id": 6, "q": None}])},
            ": column 'q' (columns.q) is null in 1 row, the first is row 0 of b.jsonl",
        ),
        "another type in the second": (
            {"a.jsonl": lines(ROWS), "b.jsonl": lines([{"id": 6, "q": 5}])},
            "/b.jsonl: line 1: column 'q' (columns.q) is 5, not text",
        ),
        "a column that one CSV lacks": (
            {"a.csv": b"id,q,meta.by\n1,a,\n", "b.csv": b"id,qq,meta.by\n2,b,\n"},
            "/b.csv: no column 'q' (columns.q); it has id, qq, meta.by; did you mean 'qq'?",
        ),
    }.values(),
)  # fmt: skip
def test_what_a_folder_may_not_hold_is_named_with_the_file(files: dict[str, bytes], said: str, tmp_path: Path) -> None:
    for name, body in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    with pytest.raises(CurationError) as error:
        read_columns(str(tmp_path), NAMES, TYPES)
    assert str(error.value).startswith(f"{tmp_path}{said.format(tmp_path)}")


def test_a_damaged_parquet_shard_is_named_and_one_that_lacks_a_column_too(tmp_path: Path) -> None:
    in_parquet_shards(tmp_path, ROWS)
    body = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(body[:-20])
    with pytest.raises(CurationError, match=rf"^{tmp_path}/b\.parquet: cannot be read as parquet: "):
        read_columns(str(tmp_path), NAMES, TYPES)
    parquet([{"id": 1, "q": "a", "meta": {"bye": "x"}}], tmp_path / "b.parquet")
    with pytest.raises(CurationError) as error:
        read_columns(str(tmp_path), NAMES, TYPES)
    missing = "no column 'meta.by' (columns.by); it has id, q, meta; did you mean 'meta.bye'?"
    assert str(error.value) == f"{tmp_path}/b.parquet: {missing}"


def test_links_in_a_folder_are_followed_to_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    folder = Path("data/import/shards")
    folder.mkdir(parents=True)
    (folder / "a.jsonl").symlink_to(in_json(elsewhere, ROWS))
    assert read_columns(str(folder), NAMES, TYPES).height == 5
    (folder / "b.jsonl").symlink_to(elsewhere / "gone.jsonl")
    with pytest.raises(CurationError, match=r"^data/import/shards: b\.jsonl is a link to .*, which does not exist"):
        read_columns(str(folder), NAMES, TYPES)
    Path("data/import/link").symlink_to(elsewhere)
    with pytest.raises(CurationError, match=r"^data/import/link: is a link to a folder, which DVC does not follow; "):
        read_columns("data/import/link", NAMES, TYPES)


ODD: dict[str, Any] = {"a.b": 1, "a": {"b": 2, "c.d": 3, "c": {"d": 4, "e": None}}, "l": [{"x": 5}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.b", 1), ("a.c.d", 3), ("a.c.e", None), ("a.c", {"d": 4, "e": None}), ("a.x", MISSING), ("a.b.c", MISSING),
        ("l.0", {"x": 5}), ("l.0.x", 5), ("l.0.y", MISSING), ("l.-1", MISSING), ("l.x", MISSING),
        ("b", MISSING), ("", MISSING), (".", MISSING), ("a.", MISSING),
    ],
)  # fmt: skip
def test_a_name_means_what_is_there_as_it_stands_and_else_a_field(name: str, value: Any, tmp_path: Path) -> None:
    assert take(ODD, name, MISSING) == value
    schema = pa.Table.from_pylist([ODD]).schema
    assert (find_field(schema, name) is None) == (value is MISSING)
    for lay in (in_json, in_parquet):
        table = open_path(str(lay(tmp_path, [ODD, {}])))
        if value is MISSING:
            with pytest.raises(CurationError, match=r"no column '.*' \(columns\.x\); it has a\.b, a, l"):
                list(table.blocks({"columns.x": name}))
        else:
            assert [block.values("columns.x") for block in table.blocks({"columns.x": name})] == [[value, None]]


def kept(path: Path, where: str) -> list[int]:
    """The ids of the rows that a filter keeps."""
    rows = open_path(str(path), where).read({"id": "id"}, {"id": ColumnType(REAL)})
    assert rows["row"].to_list() == rows["id"].to_list()
    return [int(number) for number in rows["id"]]


FILTERS = {
    "lang = 'en'": [0, 3, 4],
    "lang is null": [2],
    "lang <> 'en'": [1],
    "score >= 2 and lang in ('en', 'de')": [1, 4],
    "meta.by = 'a' or id = 2": [0, 2, 3],
    "meta.by = 'a' and score = 1": [0],
    "length(q) > 100 or score is null": [3],
    "length(meta.tags) = 1": [0, 4],
    "contains(meta.tags, 'y')": [3, 4],
    "LENGTH(lang) = 2 and not id between 1 and 3": [0, 4],
    "score / 2 > 1.4 -- of them": [2, 4],
}


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize("lay", LAID)
def test_where_keeps_the_rows_of_which_it_is_true(
    lay: Callable[..., Path], where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(tmp_path, ROWS)
    assert kept(path, where) == FILTERS[where]
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"{path}: where leaves out {5 - len(FILTERS[where])} of 5 rows"


def test_where_reads_nothing_else_of_the_rows_that_it_leaves_out(tmp_path: Path, ledger: Ledger) -> None:
    """A row that could not be read is one to be left out; and what is counted and numbered are the rows of the file."""
    from test_imported import ROWS

    bad = [{**ROWS[0], "q": 5, "gold": {"a": 1}, "use": False}, {**ROWS[0], "text": None, "use": None}]
    rows = [*bad, *({**row, "use": True} for row in ROWS)]
    path = save(tmp_path / "rows.jsonl", rows)
    prompts = read_sources({"mine": source(path, where="use")})
    traces = generate("theirs", generator(path, where="use"), prompts, ledger)
    whole = save(tmp_path / "whole.jsonl", ROWS)
    assert prompts.equals(read_sources({"mine": source(whole)}))
    assert traces.equals(generate("theirs", generator(whole), prompts, ledger))
    save(tmp_path / "rows.jsonl", [*bad, {**ROWS[0], "use": True, "text": 7}])
    with pytest.raises(CurationError, match=r"rows\.jsonl: line 3: column 'text' \(columns\.completion\) is 7, not"):
        generate("theirs", generator(path, where="use"), prompts, ledger)


MIXED: list[Any] = [1, 2.5, "1", "N/A", True, None, 4, "4.0", 2**70, float("nan"), 0.5]


@pytest.mark.parametrize("where", ["v = '1'", "try_cast(v as double) >= 2", "v like '%4%'", "v is null", "v <> ''"])
def test_a_filter_keeps_the_same_rows_in_any_order_and_in_blocks_of_any_size(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a column that holds numbers in some rows and text in others: it is text then."""
    rows = [{"id": number, "v": value} for number, value in enumerate(MIXED)]
    found = set()
    for size in (1, 3, 100):
        monkeypatch.setattr(user_rows, "BLOCK", size)
        for number, order in enumerate((rows, rows[::-1], [*rows[5:], *rows[:5]])):
            (tmp_path / f"{number}.jsonl").write_bytes(lines(order))
            table = open_path(str(tmp_path / f"{number}.jsonl"), where)
            found.add(tuple(sorted(table.read({"id": "id"}, {"id": ColumnType(KEY)})["id"])))
    assert len(found) == 1 and 0 < len(next(iter(found))) < len(MIXED)


FAULTY = {  # said before any file is read
    "lang =": "where: 'lang =' is not an SQL expression: ",
    "id = 1) union select (true": "where: 'id = 1) union select (true' is more than one expression; write one of a row",
    "count(*) > 1": "where: 'count(*) > 1' looks at other rows; write an expression of a row's own columns",
    "row_number() over () = 1": "where: 'row_number() over () = 1' looks at other rows; write",
    "random() < 0.5": "where: 'random() < 0.5' calls random(), which gives another value another time",
    "lang in (select 'en')": "where: \"lang in (select 'en')\" has a subquery; write one expression of a row's own",
    "read_text('/etc/passwd') = lang": "where: \"read_text('/etc/passwd') = lang\" calls read_text(), which an ",
    "true": "where: 'true' names no column; leave `where` out to read every row",
    "meta is null or meta.by = 'a'": "where: \"meta is null or meta.by = 'a'\" names meta and a field of it; name the ",
}


def test_params_name_what_a_filter_may_not_say_and_what_else_is_wrong_with_an_import(tmp_path: Path) -> None:
    raw = world.settings()
    raw["sources"] = {
        f"s{number}": source(f"{number}.jsonl").model_dump(exclude={"verifier"}) | {"where": where, "verifier": None}
        for number, where in enumerate(FAULTY)
    }
    commit = {"name": "org/set", "split": "train", "revision": "0" * 40}
    shared = {"kind": "imported", "unmatched": "error"}
    for number, (section, more) in enumerate({
        "generators": {"columns": world_columns(), "family": None, "scale_b": None},
        "judges": {"trace_id": "id", "dimensions": {"x": "x"}},
        "pairwise_judges": {"pair_id": "id", "verdict": "v", "order": None},
    }.items()):  # fmt: skip
        raw[section] |= {
            f"none{number}": {**shared, **more},
            f"both{number}": {**shared, **more, "path": "a.jsonl", "dataset": commit},
            f"main{number}": {**shared, **more, "dataset": commit | {"revision": "main"}},
            f"name{number}": {**shared, **more, "dataset": commit | {"name": "set", "split": "train[:10%]"}},
        }
    flow.write(raw, tmp_path / "params.yaml")
    with pytest.raises(Errors) as error:
        read(tmp_path / "params.yaml")
    typed = [line.removeprefix(f"{tmp_path}/params.yaml: ") for line in error.value.lines]
    for number, section in enumerate(("generators", "judges", "pairwise_judges")):
        revision = f"{section}.main{number}.dataset.revision: 'main' is no commit, so it may be other rows tomorrow; "
        assert any(line.startswith(revision) for line in typed)
        name = f"{section}.name{number}.dataset.name: 'set' is not the name of a published data set; write ORG/SET"
        assert name in typed
        assert any(f"name{number}.dataset.split: 'train[:10%]' is not the name of a split; " in line for line in typed)
        for kind in ("main", "name"):
            del raw[section][f"{kind}{number}"]
    flow.write(raw, tmp_path / "params.yaml")
    with pytest.raises(Errors) as error:
        read(tmp_path / "params.yaml")
    said = [line.removeprefix(f"{tmp_path}/params.yaml: ") for line in error.value.lines]
    for number, expected in enumerate(FAULTY.values()):
        assert any(line.startswith(f"sources.s{number}.{expected}") for line in said), (expected, said)
    for number, section in enumerate(("generators", "judges", "pairwise_judges")):
        assert f"{section}.none{number}.path: missing; add it, or dataset" in said
        assert f"{section}.both{number}.dataset: org/set stands beside path a.jsonl; leave one of the two" in said


def world_columns() -> dict[str, str | None]:
    from test_imported import COLUMNS

    return dict(COLUMNS)


AT_ROWS = {  # said once they are read
    "langg = 'en'": "no column 'langg' (where); it has id, q, lang, score, meta; did you mean 'lang'?",
    "meta.bye = 'a' and nosuch = 1": "no column 'meta.bye' (where), no column 'nosuch' (where); it has id, q, lang, "
    "score, meta; did you mean 'meta.by'?",
    "score": "where: 'score' is not true or false",
    "lang = 'fr'": "where: \"lang = 'fr'\" is true of none of 5 rows; correct it",
    "meta is not null": "column 'meta' (where) holds objects; name a field of them",
    "lang::int > 1": "where: 'lang::int > 1': Conversion Error: Could not convert string 'en' to INT32",
    "lang > 1": "where: 'lang > 1': ",
}


@pytest.mark.parametrize("where", AT_ROWS)
@pytest.mark.parametrize("lay", [in_json, in_parquet])
def test_a_filter_that_does_not_fit_the_file_is_named(lay: Callable[..., Path], where: str, tmp_path: Path) -> None:
    path = lay(tmp_path, ROWS)
    with pytest.raises(CurationError) as error:
        kept(path, where)
    assert str(error.value).removeprefix(f"{path}: ").startswith(AT_ROWS[where])


IN_PARQUET = {
    "dictionary": pa.array(["a", None]).dictionary_encode(),
    "text of another type": pa.array(["a", None], pa.string_view()),
    "decimal": pa.array([Decimal("1.5"), None]),
    "long decimal": pa.array([Decimal("1.5"), None], pa.decimal256(60, 2)),
    "half": pa.array([1.5, math.nan], pa.float16()),
    "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
    "a moment": pa.array([datetime(2020, 1, 1, 12), None], pa.timestamp("us", "Pacific/Auckland")),
    "day": pa.array([date(2020, 1, 1), None]),
    "binary": pa.array([b"\xff", None]),
    "list": pa.array([["a"], None], pa.large_list(pa.large_string())),
    "list of structs": pa.array([[{"x": 1}], None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
}


@pytest.mark.parametrize("kind", IN_PARQUET)
def test_a_filter_reads_every_type_of_parquet_or_refuses_it(kind: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [0, 1], "v": IN_PARQUET[kind]}), tmp_path / "f.parquet")
    assert kept(tmp_path / "f.parquet", "v is not null") == [0]
    for where in ("v = 'a'", "v > 1", "length(v) = 1", "v[1] = 'a'", "v"):
        with suppress(CurationError):
            assert kept(tmp_path / "f.parquet", where) == [0]


def test_a_moment_is_compared_alike_on_every_machine(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [0, 1], "v": IN_PARQUET["a moment"]}), tmp_path / "f.parquet")
    assert kept(tmp_path / "f.parquet", "v = '2020-01-01 12:00'") == [0]


def test_a_check_of_params_looks_for_the_columns_of_a_filter_that_nothing_maps(tmp_path: Path) -> None:
    """In a small file by reading it, in a big one of Parquet by its footer."""
    from curation.tables import user_files

    small = source(str(in_json(tmp_path, ROWS)), where="langg = 'en'", columns={"answer": None})
    big = source(str(in_parquet(tmp_path, ROWS)), where="langg = 'en'", columns={"answer": None})
    for settings in (small, big):
        (line,) = settings.unmet(None)  # type: ignore[arg-type]
        assert line.startswith(f"path: {settings.path}: no column 'langg' (where); it has id, q, lang")
        assert list(settings.model_copy(update={"where": "lang = 'en'"}).unmet(None)) == []  # type: ignore[arg-type]
        user_files.MOST_READ, most = 0, user_files.MOST_READ
        try:
            (line,) = big.unmet(None)  # type: ignore[arg-type]
        finally:
            user_files.MOST_READ = most
        assert line.startswith(f"path: {big.path}: no column 'langg' (where)")


def test_a_list_in_a_field_is_read_as_one_of_a_column(tmp_path: Path) -> None:
    for lay in (in_json, in_parquet):
        rows = open_path(str(lay(tmp_path, ROWS))).read({"a": "meta.tags"}, {"a": ColumnType(ANSWERS, nullable=True)})
        assert rows["a"].to_list() == [row["meta"]["tags"] for row in ROWS]


@pytest.mark.slow
def test_dvc_sees_a_shard_change_and_what_a_link_to_one_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dvc.yaml names data/import, and so all that a folder there holds."""
    from dvc.repo import Repo

    monkeypatch.setattr(logging.getLogger("dvc"), "handlers", [])  # they hold the output of an earlier test
    monkeypatch.chdir(tmp_path)
    shards, elsewhere = Path("data/import/set"), tmp_path / "elsewhere.jsonl"
    shards.mkdir(parents=True)
    elsewhere.write_bytes(lines(ROWS[:2]))
    (shards / "a.jsonl").write_bytes(lines(ROWS[2:]))
    (shards / "b.jsonl").symlink_to(elsewhere)
    Path("dvc.yaml").write_text("stages: {s: {cmd: echo 1 > out, deps: [data/import], outs: [out]}}\n")
    Repo.init(no_scm=True)
    Repo().reproduce()
    for file, body in {elsewhere: lines(ROWS[:1]), shards / "a.jsonl": b"{}", shards / "c.jsonl": b"{}"}.items():
        before = file.read_bytes() if file.exists() else None
        assert Repo().status() == {}
        file.write_bytes(body)
        assert Repo().status() == {"s": [{"changed deps": {"data/import": "modified"}}]}
        file.unlink() if before is None else file.write_bytes(before)
