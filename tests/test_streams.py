"""What a command leaves to its shell, whatever its terminal and its pipe are: one sentence, the right exit code, and no
traceback.

Kinds of fault: a reader that has gone; a disk that is full; a stream that is closed; an encoding without the letter; a
terminal of twenty columns; Ctrl-C in the middle of a long question.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from world import sound, write

ROOT = Path(__file__).parents[1]
CURATION = f"{sys.executable} -m curation"
ASCII = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
ENDLESS = "select count(*) from range(100000000) a, range(100000) b where a.range + b.range = 7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("study")
    write(sound(), where)
    return where


SHELL = [  # what is typed, the exit code, what is printed
    ("{c} sql --csv 'select * from range(200000)' | head -n 1; exit ${{PIPESTATUS[0]}}", 141, "range\n", ""),
    ("{c} --help | true; exit ${{PIPESTATUS[0]}}", None, "", ""),
    ("{c} sql 'select 1' > /dev/full", 1, "", "error: standard output: No space left on device\n"),
    ("{c} sql 'select 1' >&-", 0, "", ""),
    ("{c} sql <&- 2> /dev/null", 0, "", ""),
    ("{c} nosuch 2>&-", 2, "", ""),
    ("{ascii} {c} sql --csv \"select 'é日' as x\"", 0, "x\n\\xe9\\u65e5\n", ""),
    ("{ascii} {c} sql --json \"select 'é' as x\"", 0, '[\n {{\n  "x": "\\u00e9"\n }}\n]\n', ""),
    ("COLUMNS=1 {c} sql --help > /dev/null", 0, "", ""),
    ("COLUMNS=x NO_COLOR=1 TERM=dumb {c} ledger 2> /dev/null", 2, "", ""),
    ("{c} sql $'select \\xff'", 1, "", "error: sql: the statement is not UTF-8 text\n"),
    ("{c} params $'\\xff' 2>&1 | cut -c1-24", 0, "error: \\udcff: is no fil\n", ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "code", "out", "err"), SHELL)
def test_a_shell_gets_text_and_an_exit_code(folder: Path, typed: str, code: int | None, out: str, err: str) -> None:
    done = subprocess.run(
        ["bash", "-c", typed.format(c=CURATION, ascii=ASCII)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (out.replace("{{", "{").replace("}}", "}"), err)
    assert done.returncode in ((0, 141) if code is None else (code,))


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["sql", ENDLESS], ["sql", "--safe", ENDLESS], ["sql"]])
def test_ctrl_c_ends_a_question_and_a_shell(folder: Path, arguments: list[str]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "curation", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    maps = Path(f"/proc/{child.pid}/maps")
    while "duckdb" not in maps.read_text():  # an interrupt of Python's own start is not ours to word
        assert child.poll() is None
        time.sleep(0.1)
    time.sleep(3)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130 and err.endswith("interrupted\n")
    assert "Traceback" not in err
