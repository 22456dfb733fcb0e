"""What a command prints is text: no terminal, spreadsheet or browser acts on what a model, a file or a user said.

Kinds of fault: a control sequence that reaches the terminal, by whichever form or message; a text that a spreadsheet
runs; markup of a text that becomes markup of a page; a value of a type that the printing does not know; a letter that
the terminal's encoding lacks; JSON or CSV that gives other rows back.
"""

import csv
import io
import json
import sys
import unicodedata
from pathlib import Path

import duckdb
import polars as pl
import pytest
from served import ran
from world import sound, write

from curation.commands.rows import print_rows
from curation.core.errors import CurationError, run
from curation.core.text import LONGEST_LINE, UNSEEN, neutralize, one_line, shorten
from curation.tables import ask, db

HOSTILE = [
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\", "\x9b2J",
    "\x9d0;t\x9c", "\x1bP1$r\x1b\\", "a\rb", "a\bb", "a\x7fb", "\x00", "\x0c", "\x0b", "\x85", "\u202egnp.exe",
    "\u2066a\u2069", "\u200b", "\u200f", "\u2028", "\u2029", "\ufeff", "\u00ad", "\U000e0041", "\x1b[2J\x1b[H", "\x1bc",
    "\x0e",
]  # fmt: skip
READABLE = [
    "é",
    "日本語　全角",
    "👍🏽 👨\u200d👩\u200d👧 🇨🇭 ❤️",
    "می\u200cخواهم",
    "क्\u200dष",
    "x² ≤ ½ → ∞",
    "a\u00a0b",
    "Ünïcödé",
]
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r\n=1",
    "\n=1",
    "=cmd|' /C calc'!A0",
    "＝1+1",
    "-",
    "+",
    "=",
    "-x",
]
NOT_FORMULAS = ["-3.2", "+4", "-1e5", "-12345678901234567890", "a=1", " =1", "", "1", "'=1"]
SIGNS_THAT_SHOW = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
JOINERS = {0x200C, 0x200D}
FORMS = [None, "md", "csv", "json"]


def printed(rows: pl.DataFrame, form: str | None, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    print_rows(rows, form)
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(sound(), tmp_path)
    return tmp_path


def test_every_character_that_is_no_text_is_neutralized_and_no_other() -> None:
    for code in (*range(0x20000), *range(0xE0000, 0xE2000), sys.maxunicode):
        unseen = UNSEEN.fullmatch(chr(code)) is not None
        kind = unicodedata.category(chr(code))
        acts = kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in SIGNS_THAT_SHOW | JOINERS | {9, 10}
        assert unseen == acts or (unseen and kind in ("Cn", "Mn")), hex(code)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_form_prints_what_a_terminal_acts_on(
    hostile: str, form: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pl.DataFrame({
        hostile: [hostile, None], "list": [[hostile], []], "struct": [{"a": hostile}] * 2,
        "bytes": [hostile.encode("utf-8", "replace"), b""],
        "category": pl.Series([hostile, None], dtype=pl.Categorical), "nested": [[{hostile: [hostile]}]] * 2,
    })  # fmt: skip
    assert not UNSEEN.search(printed(rows, form, capsys))


@pytest.mark.parametrize("form", FORMS)
def test_what_can_be_read_stays(form: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(pl.DataFrame({"text": READABLE}), form, capsys)
    assert all(text in out for text in READABLE)


def test_json_gives_back_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [*HOSTILE, *READABLE, *FORMULAS, "a\r\nb\tc", '"\\']
    assert [row["x"] for row in json.loads(printed(pl.DataFrame({"x": texts}), "json", capsys))] == texts
    rows = pl.DataFrame({"x": [1.5, float("nan"), float("inf"), None], "y": [[float("nan")], [1.0], [], None]})
    assert json.loads(printed(rows, "json", capsys)) == [
        {"x": 1.5, "y": [None]}, {"x": None, "y": [1.0]}, {"x": None, "y": []}, {"x": None, "y": None},
    ]  # fmt: skip


def test_csv_keeps_lines_and_protects_formulas_alone(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [*FORMULAS, *NOT_FORMULAS, "a\nb", "a\r\nb", "a\tb", 'a,"b"']
    rows = pl.DataFrame({"=n": texts, "number": [-1.5] * len(texts), "pair_id": [-5] * len(texts)})
    head, *read = csv.reader(io.StringIO(printed(rows, "csv", capsys), newline=""))
    assert head == ["'=n", "number", "pair_id"]
    assert [row[0] for row in read] == [f"'{text}" if text in FORMULAS else text for text in texts]
    assert {tuple(row[1:]) for row in read} == {("-1.5", "-5")}


def test_markdown_shows_texts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [
        "a|b",
        "a\nb",
        "`code`",
        "<script>alert(1)</script>",
        "![x](http://x.example/p.png)",
        "**b**",
        "a\\|b",
        "&amp;",
    ]
    out = printed(pl.DataFrame({"a|<b>": texts}), "md", capsys).splitlines()
    assert len(out) == len(texts) + 2
    assert [line.strip("| ") for line in out] == [
        "a\\|&lt;b&gt;", out[1].strip("| "), "a\\|b", "a\\\\nb", "\\`code\\`", "&lt;script&gt;alert(1)&lt;/script&gt;",
        "!\\[x\\](http://x.example/p.png)", "\\*\\*b\\*\\*", "a\\\\\\|b", "&amp;amp;",
    ]  # fmt: skip


def test_a_long_text_and_many_rows_are_cut_in_tables_alone(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"x": ["y" * 500] * 300})
    for form in (None, "md"):
        out = printed(rows, form, capsys)
        assert "y" * 80 + "…" in out and "y" * 81 not in out and 200 < len(out.splitlines()) < 210
    assert len(printed(rows, "csv", capsys).splitlines()) == 301


TYPES = [
    "interval 1 day", "1::uhugeint", "170141183460469231731687303715884105727", "'1'::bit", "'a'::enum('a', 'b')",
    "map {'a': 1}", "map {'a': interval 1 day}", "uuid()", "null", "timestamptz '2020-01-01'", "time '12:00'",
    "'\\x1b'::blob", "date 'infinity'", "timestamp 'infinity'", "date '-4000-01-01'", "union_value(a := 1)",
    "[interval 1 day]", "{'a': [interval 1 day]}", "[1, 2]::int[2]", "9" * 50, "'{}'::variant", "row(1, 2)",
    "[[1], [2]]", "1 as a, 2 as a", "1 as \"a\"\"b\"", "[]", "{'a': 'nan'::double}", "1e300", "-0.0", "chr(27)",
    "1 as \"\x1b\"",
]  # fmt: skip


@pytest.mark.parametrize("expression", TYPES)
def test_every_type_of_duckdb_is_printed_in_every_form(expression: str, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect() as connection:
        (rows,) = ask.answer(connection, f"select {expression}")
    for form in FORMS:
        out = printed(rows, form, capsys)
        assert out and not UNSEEN.search(out)
    assert len(json.loads(printed(rows, "json", capsys))) == 1


def test_messages_are_short_and_nothing_but_text(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in them."""
    for text in [*HOSTILE, "x" * 10**5, "\x1b" * 10**5, "a\nb"]:
        assert len(one_line(text)) <= LONGEST_LINE and not UNSEEN.search(one_line(text)) and "\n" not in one_line(text)
    assert shorten("abcdefghij", 5) == "ab…ij" and shorten("abcde", 5) == "abcde"

    def fail() -> None:
        print("\x1b[31m")
        print("\u202e", file=sys.stderr)
        raise CurationError("\n".join(["\x1b[31m" + "x" * 10**4] * 1000))

    with pytest.raises(SystemExit) as left:
        run(fail)
    lines = str(left.value.code).splitlines()
    assert len(lines) == 101 and lines[-1] == "error: and 900 more like these"
    assert all(
        line.startswith(("error: \\x1b[31mxxx", "error: and")) and len(line) <= LONGEST_LINE + 7 for line in lines
    )
    assert capfd.readouterr() == ("\\x1b[31m\n", "\\u202e\n")


EVIL = "\x1b[31m\u202e"
TOLD = [  # as an argument, a file, a question, a column, a key
    [EVIL], ["params", "evil.yaml"], ["sql", "-q", EVIL], ["sql", f"select '{EVIL}' as \"{EVIL}\""],
    ["shelf", "sample_delta", f"--{EVIL}", EVIL], ["ledger", "export", f"{EVIL}.parquet"],
]  # fmt: skip
TOLD_TOO = [
    ["params", EVIL], ["sql", f'select "{EVIL}"'], ["sql", f"--{EVIL}"], ["shelf", EVIL],
    ["ledger", "export", "x.parquet", "--name", EVIL], ["ledger", EVIL], ["ledger", "import", EVIL],
    ["batch", "write", "judge", EVIL, "x"], ["orphans", EVIL], ["verify", EVIL],
]  # fmt: skip


@pytest.mark.parametrize(
    "all_arguments", [TOLD, pytest.param(TOLD_TOO, marks=pytest.mark.slow)], ids=["some", "others"]
)
def test_a_name_that_is_hostile_is_told_of_as_text(all_arguments: list[list[str]], folder: Path) -> None:
    (folder / "evil.yaml").write_text(f'"{neutralize(EVIL)}": 1\npair: "{neutralize(EVIL)}"\n')
    for arguments in all_arguments:
        done = ran(folder, "curation", *arguments)
        assert not UNSEEN.search(done.stdout + done.stderr), arguments
        assert "Traceback" not in done.stderr


OUTSIDE = [
    "copy prompts to 'x.csv'", "copy (select 1) to 'data/prompts.parquet'", "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'", "select * from read_text('params.yaml')", "select * from glob('/*')",
    "select * from read_parquet('data/prompts.parquet')", "attach 'x.db'", "install httpfs", "load httpfs",
    "set threads = 8", "pragma threads = 8",
    "set enable_external_access = true", "reset lock_configuration", "set allowed_paths = ['/']", "export database 'x'",
    "import database 'x'", "select * from read_parquet('http://127.0.0.1:1/x.parquet')", "call enable_logging()",
    "explain analyze copy (select 1) to 'x.csv'", "select * from parquet_metadata('data/prompts.parquet')",
    "with x as (copy (select 1) to 'data/prompts.parquet' (format parquet, use_tmp_file false)) select * from x",
    "create secret (type s3)", "select * from study", "select * from sniff_csv('params.yaml')",
]  # fmt: skip


def test_safe_sql_reads_the_tables_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.read_bytes() for file in folder.rglob("*.parquet")}
    monkeypatch.chdir(folder)
    with db.connect(safe=True) as connection:
        for statement in OUTSIDE:
            with pytest.raises(CurationError, match=r"^sql: [^\n]*$"):
                ask.answer(connection, statement)
    done = ran(folder, "curation", "sql", "--safe", OUTSIDE[0])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('error: sql: Permission Error: Cannot access file "x.csv"')
    assert {file: file.read_bytes() for file in folder.rglob("*.parquet")} == before
    with db.connect() as plain, db.connect(safe=True) as closed:
        for question in (
            "select * from prompts order by all",
            "select count(*) as n, sum(chosen.characters) as c from candidates",
            "select selection, count(*) as n from subsets group by all order by all",
            "select * from deltas order by all",
        ):
            assert ask.answer(plain, question)[0].equals(ask.answer(closed, question)[0])


def test_no_table_is_a_variable_of_ours(folder: Path) -> None:
    for name in ("study", "rows", "questions", "arguments"):
        assert f"there is no table {name}" in ran(folder, "curation", "sql", f"select * from {name}").stderr
