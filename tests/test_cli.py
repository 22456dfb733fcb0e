"""`curation` as a user runs it, over the small world; as a process of its own where what it leaves to its shell is
tested."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from served import Done, ran
from world import sound, write

import curation as package
from curation.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(sound(), tmp_path)
    return tmp_path


def curation(folder: Path, *arguments: str, typed: str = "") -> Done:
    return ran(folder, "curation", *arguments, typed=typed)


def test_the_same_rows_as_json_csv_and_markdown(folder: Path) -> None:
    question = "select prompt_id, split from prompts order by prompt_id limit 1"
    rows = json.loads(curation(folder, "sql", "--json", question).stdout)
    assert isinstance(rows[0]["prompt_id"], str)
    assert (
        curation(folder, "sql", "--csv", question).stdout
        == f"prompt_id,split\n{rows[0]['prompt_id']},{rows[0]['split']}\n"
    )
    table = curation(folder, "sql", "--md", question).stdout.splitlines()
    assert table[0].split() == ["|", "prompt_id", "|", "split", "|"]
    assert set(table[1]) <= set("|-: ")


def test_each_statement_prints_its_rows_and_json_has_no_nan(folder: Path) -> None:
    both = "create temp table t as select 'nan'::double as x; select x, 1 as y from t; drop table t; select 2 as z"
    assert curation(folder, "sql", "--csv", both).stdout == "x,y\nnan,1\nz\n2\n"
    assert json.loads(
        curation(folder, "sql", "--json", "select 'nan'::double as x, 'inf'::double as y, 1.5::double as z").stdout
    ) == [{"x": None, "y": None, "z": 1.5}]


def test_the_readmes_sql_runs(folder: Path) -> None:
    text = (ROOT / "README.md").read_text()
    commands = re.findall(r"^\$ curation (sql (?:[^\n\"]|\"[^\"]*\")+)$", text, re.MULTILINE)
    assert len(commands) > 1 and any('"' in command for command in commands)
    for command in commands:
        done = curation(folder, *shlex.split(command))
        assert done.returncode == 0, done.stderr


def test_questions_are_listed_and_asked(folder: Path) -> None:
    listed = curation(folder, "sql", "-q", "list").stdout.splitlines()
    assert len(listed) == 17
    assert curation(folder, "sql", "-q", "ladder").returncode == 0
    wrong = curation(folder, "sql", "-q", "lader")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "error: sql --question lader: no such question; did you mean 'ladder'?\n"


def test_a_table_that_is_not_built_yet_is_said_so(folder: Path) -> None:
    (folder / "data/comparisons.parquet").unlink()
    assert (
        curation(folder, "sql", "-q", "gains").stderr
        == "error: sql: there is no table comparisons yet; `dvc repro` makes it\n"
    )


@pytest.mark.slow
def test_a_reader_that_has_read_enough_is_no_error(folder: Path) -> None:
    shell = f"{sys.executable} -m curation sql --csv 'select * from range(200000)' | head -n 1"
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("range\n", "")


def test_a_stage_without_its_name_says_so(folder: Path) -> None:
    assert ran(folder, "stages.select") == (
        1,
        "",
        "error: name one entry of params.yaml: selections, as in `select NAME`\n",
    )


def test_wrong_sql_is_one_message_and_no_traceback(folder: Path) -> None:
    done = curation(
        folder, "sql", "select nothing from pairs"
    )  # whose traceback would come up here, as would that of any other command
    assert (
        (done.returncode, done.stdout) == (1, "")
        and done.stderr.startswith("error: sql: ")
        and "nothing" in done.stderr
    )


def test_the_shell_answers_and_survives_a_mistake(folder: Path) -> None:
    done = curation(folder, "sql", "--csv", typed="select 1 +\n 1 as two;\nselect oops;\nselect 3 as three")
    assert done.returncode == 0
    assert "two\n2\n" in done.stdout
    assert "three\n3\n" in done.stdout
    assert "oops" in done.stderr


def test_ledger_export_import_and_stat(folder: Path) -> None:
    assert curation(folder, "ledger", "export", "calls.parquet").stdout == "calls.parquet: 0 calls\n"
    assert curation(folder, "ledger", "import", "calls.parquet").returncode == 0
    assert curation(folder, "ledger", "stat").returncode == 0
    (folder / "bad.parquet").write_text("not parquet")
    bad = curation(folder, "ledger", "import", "bad.parquet")
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: bad.parquet: not a whole Parquet file")
    assert curation(folder, "ledger", "export").stderr == "error: ledger export: name a Parquet file\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("prune --stage judge", "ledger prune: takes no --stage, which goes with export"),
        ("prune calls.parquet", "ledger prune: takes no file, which goes with export or import"),
        ("import calls.parquet --name rubric", "ledger import: takes no --name, which goes with export"),
        ("verify --redacted", "ledger verify: takes no --redacted, which goes with prune"),
    ],
)
def test_an_argument_that_would_be_ignored_is_refused(folder: Path, typed: str, said: str) -> None:
    """The kind of fault: `prune --stage judge` that prunes every stage."""
    assert curation(folder, "ledger", *typed.split()) == (1, "", f"error: {said}\n")


def test_a_command_that_is_none_has_the_nearest_one(folder: Path) -> None:
    for typed, said in {
        "orphan": "orphan: no such command; did you mean 'orphans'?",
        "strays": "strays: is now orphans",
        "--foo": "--foo: no such option",
        "select": "select: is a stage and no command; `dvc repro` runs it, `dvc stage list` names each",
    }.items():
        done = curation(folder, typed)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1] == f"curation: error: {said}"
    assert curation(folder).returncode == 2


def test_help_is_a_command_too(folder: Path) -> None:
    assert curation(folder, "help") == curation(folder, "--help")
    assert curation(folder, "help").returncode == 0


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    assert curation(folder, "--version") == (0, f"curation {package.__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_is_for(folder: Path, name: str) -> None:
    assert name in curation(folder, "--help").stdout
    done = curation(folder, name, "--help")
    assert done.returncode == 0 and done.stdout.startswith(f"usage: curation {name} [-h]")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_narrow_terminal(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text does; an example stays on its line, as it is typed. Descriptions were 120 wide in any terminal."""
    words = dict[str, list[str]]()
    for columns in ("60", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        said = curation(folder, name, "--help").stdout
        words[columns] = said.partition("]\n\n")[2].split()
        assert [line for line in said.splitlines() if len(line) > int(columns) and not line.startswith("  ")] == []
    assert words["60"] == words["200"]


def test_every_command_has_a_file(folder: Path) -> None:
    with_main = {
        file.stem.replace("_", "-")
        for file in (ROOT / "curation/commands").glob("*.py")
        if "\ndef main(" in file.read_text()
    }
    assert with_main == set(COMMANDS)


SHORTENED = (
    "ledger prune --redact",
    "ledger prune --r",
    "ledger export x.parquet --st judge",
    "orphans --del",
    "orphans --d",
    "plan --run",
    "sql --quest list",
    "shelf --al",
)


@pytest.mark.parametrize("typed", SHORTENED)
def test_no_option_is_taken_by_its_beginning(folder: Path, typed: str) -> None:
    """The kind of fault: a slip of the keyboard that deletes."""
    orphan = folder / "data/traces/gone.parquet"
    orphan.write_bytes(b"")
    done = curation(folder, *typed.split())
    assert done.returncode != 0 and orphan.exists() and not (folder / "x.parquet").exists() and not done.stdout
    assert ": no such option; " in done.stderr or done.stderr.startswith("error: shelf: ")


SLIPS = {
    "export top_step_coherence --to llamafactory --out x": (
        "--to: 'llamafactory' is not one of axolotl, llama-factory, ms-swift, nemo-rl, open-instruct, openai, "
        "openrlhf, trl, unsloth; did you mean 'llama-factory'?"
    ),
    "ledger exprt": "action: 'exprt' is not one of stat, export, import, verify, prune; did you mean 'export'?",
    "batch write judg a b.jsonl": "stage: 'judg' is not one of generate, judge; did you mean 'judge'?",
    "plan powr": "powr: no such section; did you mean 'power'?",
    "plan --lables": "--lables: no such option; did you mean '--labels'?",
    "aside --lst=now": "--lst=now: no such option; did you mean '--list'?",
    "register x": "'x': one argument too many",
    "preflight --max-length 0": "argument --max-length: '0' is no whole number above 0",
}


@pytest.mark.parametrize("typed", SLIPS)
def test_a_slip_of_the_keyboard_has_the_nearest_word(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of every command: all read their arguments by one parser. The kind of fault: an error that is argparse's own,
    which lists what there is in Python's words and leaves the reader to look for the letter."""
    command, *words = typed.split()
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"curation.commands.{command}").main(words)
    last = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and last.endswith(SLIPS[typed]) and last.startswith(f"curation {command}: error: ")


def test_every_command_reads_its_arguments_by_that_parser() -> None:
    for file in (ROOT / "curation").rglob("*.py"):
        assert file.name == "terminal.py" or "ArgumentParser(" not in file.read_text(), file


def test_params_says_what_is_there_and_what_is_wrong(folder: Path) -> None:
    assert curation(folder, "params").stdout.startswith("params.yaml: valid; ")
    missing = curation(folder, "params", "nosuch.yaml")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("error: nosuch.yaml: is no file")
    file = folder / "misspelt.yaml"
    file.write_text(
        (ROOT / "params.yaml")
        .read_text()
        .replace("chain_sum: {prompts: 22, config: {min_terms", "chain_sum: {prompts: 22, config: {min_trms")
    )
    wrong = curation(folder, "params", "misspelt.yaml")
    place = "misspelt.yaml: sources.arithmetic.tasks.chain_sum.config.min_trms"
    assert wrong.stderr == f"error: {place}: unknown key; did you mean 'min_terms'?\n"


def test_what_is_not_built_is_said_beside_an_answer(folder: Path) -> None:
    gone = sorted((folder / "data/traces").glob("*.parquet"))[0]
    gone.unlink()
    done = curation(folder, "sql", "--csv", "select count(*) > 0 as some from traces")
    assert done.stdout == "some\nTrue\n"
    assert done.stderr == f"note: not built yet, so not among the rows: data/traces/{gone.name}\n"
    wrong = curation(folder, "sql", "select * from nosuch").stderr
    assert "\nerror: sql: there is no table nosuch; there are arms, calibration, candidates, comparisons, " in wrong


def test_what_cannot_be_written_leaves_nothing_behind(folder: Path) -> None:
    (folder / "taken").mkdir()
    done = curation(folder, "ledger", "export", "taken")
    assert (done.returncode, done.stderr) == (1, "error: taken: cannot be written: Is a directory\n")
    assert not list(folder.glob("*.partial"))
    assert (
        curation(folder, "ledger", "export", "x.parquet", "--name", "nosuch").stderr
        == "error: ledger export: no such calls; there are none\n"
    )
