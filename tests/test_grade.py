"""`curation grade` as a user runs it: an extraction and a verifier, tried on his own lines.

Kinds of fault: a verdict that says nothing of what was compared; a mistake in what was typed that ends in a traceback;
text of a model that reaches a terminal as it is; an example in the docs that is not what the command prints.
"""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from served import Done, ran

ROOT = Path(__file__).parents[1]
LINES = [
    {"completion": r"5 + 5 = 10, so \boxed{10}.", "gold": "10"},
    {"completion": "The answer is 1,250.", "gold": "1250"},
    {"completion": "It is 10-8", "gold": "8"},
    {"completion": "I do not know.", "gold": "7"},
    {"completion": "It is 3", "gold": None},
    {"completion": None, "gold": "3"},
]
VERDICTS = ["right", "right", "wrong", "no_answer", "no_gold", "no_answer"]


def grade(folder: Path, *arguments: str) -> Done:
    """The command, ended, in a folder without a params.yaml."""
    return ran(folder, "curation", "grade", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graded")
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return folder


def test_every_row_has_a_verdict_and_how_it_came_about(folder: Path) -> None:
    done = grade(
        folder, "lines.jsonl", "--extract", "boxed", "--extract", "last_number", "--verifier", "math", "--json"
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [row["verdict"] for row in rows] == VERDICTS
    assert [row["answer"] for row in rows] == ["10", "1250", "10-8", None, "3", None]
    assert [row["gold"] for row in rows] == [line["gold"] for line in LINES]
    for row in rows[:3]:
        assert row["read_answer"] and row["read_gold"] and row["why"]
    assert done.stderr.splitlines()[-1] == "lines.jsonl: 6 rows: 2 right, 1 wrong, 2 no_answer, 1 no_gold"


def test_settings_are_given_as_a_mapping_and_rows_are_chosen_by_verdict(folder: Path) -> None:
    pl.DataFrame(
        {"text": ["so\n#### 72\n\nQuestion: next\n#### 13", "#### 5"], "label": ["72", "6"]}
    ).write_parquet(folder / "other.parquet")  # fmt: skip
    columns = ("--completion", "text", "--gold", "label", "--only", "wrong", "--json")
    first = '{kind: after, marker: "####", match: first}'
    done = grade(folder, "other.parquet", "--extract", first, "--verifier", "{kind: math}", *columns)
    assert done.returncode == 0, done.stderr
    assert [(row["row"], row["answer"], row["gold"]) for row in json.loads(done.stdout)] == [(1, "5", "6")]
    assert done.stderr.splitlines()[-1] == "other.parquet: 2 rows: 1 right, 1 wrong"


def test_a_list_of_golds_is_right_by_any_of_them(folder: Path) -> None:
    lines = [{"completion": "\\boxed{4}", "gold": ["four", "4"]}, {"completion": "\\boxed{5}", "gold": ["four", "4"]}]
    (folder / "lists.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = grade(folder, "lists.jsonl", "--extract", "boxed", "--verifier", "exact", "--json")
    assert [(row["verdict"], row["gold"]) for row in json.loads(done.stdout)] == [("right", "4"), ("wrong", "four")]


SOUND = ("lines.jsonl", "--extract", "boxed", "--verifier", "math")
MISTAKES = {  # what is typed in the place of SOUND: what is said of it
    ("absent.jsonl", *SOUND[1:]): "absent.jsonl: does not exist; name a file that is there",
    (*SOUND, "--gold", "label"): "lines.jsonl: no column 'label' (--gold); it has completion, gold",
    ("lines.jsonl", "--extract", "boxd", "--verifier", "math"): (
        "grade --extract boxd: kind: 'boxd' is not one of after, boxed, json_field, last_number, regex; did you mean "
        "'boxed'?"
    ),
    ("lines.jsonl", "--extract", "after", "--verifier", "math"): "grade --extract after: marker: missing; add it",
    ("lines.jsonl", "--extract", "{kind: boxed, mtch: last}", "--verifier", "math"): (
        "grade --extract {kind: boxed, mtch: last}: mtch: unknown key; did you mean 'match'?"
    ),
    (
        "lines.jsonl",
        "--extract",
        "{kind: boxed",
        "--verifier",
        "math",
    ): "grade --extract {kind: boxed:  line 1: not YAML",
    ("lines.jsonl", "--extract", "boxed", "--verifier", "reasoning_gym"): (
        "grade --verifier reasoning_gym: reasoning_gym asks the library about a prompt of its own"
    ),
    ("lines.jsonl", "--extract", "boxed", "--verifier", "maths"): "grade --verifier maths: 'maths' is not one of ",
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", MISTAKES, ids=lambda arguments: " ".join(arguments))
def test_a_mistake_is_one_line(arguments: tuple[str, ...], folder: Path) -> None:
    done = grade(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {MISTAKES[arguments]}")


@pytest.mark.slow
def test_a_terminal_gets_no_control_sequence_of_a_model(folder: Path) -> None:
    completion = "\\boxed{\x1b[2J\x1b]0;owned\x07\u202e5}"
    (folder / "hostile.jsonl").write_text(json.dumps({"completion": completion, "gold": "\x1b[31m5"}) + "\n")
    for form in ((), ("--json",)):
        done = grade(folder, "hostile.jsonl", "--extract", "boxed", "--verifier", "math", *form)
        assert done.returncode == 0, done.stderr
        assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout + done.stderr)


def test_the_example_of_the_docs_is_what_is_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs/answers.md").read_text()
    block = re.search(r"```\n\$ cat lines\.jsonl\n(.*?)\$ curation grade ([^\n]*)\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "lines.jsonl").write_text(block[1])
    assert grade(tmp_path, *block[2].split()).stdout == block[3]
