"""The answer judge: what it takes for the answer, what it takes for equal, and what it leaves unscored."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from published import SIZES, published
from pydantic import ValidationError

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.judging.judge import judge
from curation.judging.judges.answer import Grade, Params, final_answer, grade
from curation.tables.contracts import JUDGMENTS, PROMPTS, empty
from curation.tables.parquet import check

SAMPLE = 300
ROOT = Path(__file__).parents[1]


def settings(*patterns: str, **changes: Any) -> Params:
    body = {
        "kind": "answer",
        "patterns": list(patterns or (r"(-?[\d.]+)",)),
        "missing_answer": "wrong",
        "pass_at": 0.99,
    }
    return Params.model_validate(body | changes)


@pytest.mark.parametrize(
    ("patterns", "completion", "answer"),
    [
        ((r"A: (.+)",), "5 + 5 = 10\nA: 10", "10"),
        ((r"A: (.+)",), "A: 9\nNo.\nA:  10  ", "10"),
        ((r"boxed\{(.+?)\}", r"(\d+)"), r"\boxed{7} and then 8", "7"),
        ((r"boxed\{(.+?)\}", r"(\d+)"), "first 7 and then 8", "8"),
        ((r"A: (.+)",), "I do not know.", None),
        ((r"A: (.+)",), "", None),
        ((r"A:(.*)",), "A: ", None),
    ],
)
def test_the_answer_is_the_last_match_of_the_first_pattern_that_matches(
    patterns: tuple[str, ...], completion: str, answer: str | None
) -> None:
    assert final_answer(settings(*patterns), completion) == answer


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "is not a regular expression"), ("A: .+", "has 0 groups"), ("(A): (.+)", "has 2 groups")],
)
def test_a_pattern_without_one_group_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(pattern)


EQUAL = [
    ("$1,234.50", "1234.5"), ("18.", "18"), ("18.00", "18"), ("1/2", "0.5"), (r"\frac{1}{2}", "0.5"), ("-3", "-3"),
    ("€ 20", "20"), ("2^3", "8"), ("2/4", "1/2"), ("10 / 4", "2.5"), ("x=3", "3"), ("18 apples", "18"), ("50%", "50"),
    ("1e3", "1000"),
]  # fmt: skip
DIFFERENT = [
    ("18", "81"), ("-3", "3"), ("1.8", "18"), ("1/3", "0.33"), ("1/0", "0"), ("12,345", "1234"), ("none", "0"),
    ("sNaN", "1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "reference", "equal"), [*((*case, True) for case in EQUAL), *((*case, False) for case in DIFFERENT)]
)
def test_math_compares_values(answer: str, reference: str, equal: bool) -> None:
    assert grade(settings("A:(.*)"), f"A:{answer}", reference, "math", None) == Grade(
        float(equal), "scored", f"answered {answer.strip()}"
    )


@pytest.mark.slow  # it takes the 5 s of the limit
def test_what_takes_too_long_to_evaluate_is_not_equal() -> None:
    assert grade(settings("A:(.*)"), "A: 10**10**10", "5", "math", None).score == 0.0


@pytest.mark.parametrize(("missing", "verdict"), [("wrong", (0.0, "scored")), ("unscored", (None, "unparsable"))])
def test_a_missing_answer_is_what_the_settings_say(missing: str, verdict: tuple[float | None, str]) -> None:
    assert grade(settings(missing_answer=missing), "I give up", "5", "math", None) == (*verdict, "no answer found")


@pytest.mark.parametrize("missing", ["wrong", "unscored"])
@pytest.mark.parametrize(
    ("completion", "answer", "verifier", "status"),
    [
        (None, "5", "math", "error"),
        ("It is 5", None, "math", "no_reference"),
        ("It is 5", "5", None, "no_reference"),
        (None, None, None, "error"),
    ],
)
def test_what_cannot_be_graded_has_no_score(
    completion: str | None, answer: str | None, verifier: str | None, status: str, missing: str
) -> None:
    score, said, _ = grade(settings(missing_answer=missing), completion, answer, verifier, None)
    assert (score, said) == (None, status)


def task(name: str, seed: int = 1, **config: Any) -> tuple[str, str, str]:
    """Answer, verifier and entry of one real reasoning-gym problem."""
    reasoning_gym = pytest.importorskip("reasoning_gym")
    entry = reasoning_gym.create_dataset(name, size=1, seed=seed, **config)[0]
    return entry["answer"], f"reasoning_gym:{name}", json.dumps(entry, default=str)


@pytest.mark.parametrize(
    "name", ["chain_sum", "products", "basic_arithmetic", "gcd", "lcm", "letter_counting", "prime_factorization"]
)
def test_reasoning_gym_accepts_its_own_answer_and_no_other(name: str) -> None:
    answer, verifier, entry = task(name)
    judge_settings = settings("A: (.+)")
    assert grade(judge_settings, f"so\nA: {answer}", answer, verifier, entry) == (1.0, "scored", f"answered {answer}")
    assert grade(judge_settings, "A: 987654321", answer, verifier, entry).score == 0.0


def test_a_part_of_a_score_is_right_from_pass_at_on() -> None:
    answer, verifier, entry = task("letter_counting")
    completion = f"A: there are {answer} of them"
    assert [
        grade(settings("A: (.+)", pass_at=at), completion, answer, verifier, entry).score for at in (0.99, 0.01)
    ] == [0.0, 1.0]


def test_an_answer_that_breaks_a_scorer_is_unscored() -> None:
    said = grade(settings("A: (.+)"), "A: two by two", *task("prime_factorization"))
    assert said == (None, "unparsable", "answered two by two, which the scorer cannot read (ValueError)")


def test_an_unknown_task_is_no_unscored_row() -> None:
    pytest.importorskip("reasoning_gym")
    with pytest.raises(ValueError, match="no_such_task"):
        grade(settings(), "5", "5", "reasoning_gym:no_such_task", "{}")


def test_the_rows_keep_the_tables_contract(ledger: Ledger) -> None:
    sources = [(1, "5", "math"), (2, None, None)]
    prompts = [
        (n, "s", "t", "train", [{"role": "user", "content": "?"}], answer, verifier, None)
        for n, answer, verifier in sources
    ]
    completions = [(10, 1, "It is 5"), (11, 1, "It is 6"), (12, 1, None), (13, 1, "who knows"), (14, 2, "It is 5")]
    traces = [
        (n, prompt, "g", n, None, None, text, "error" if text is None else "stop", None)
        for n, prompt, text in completions
    ]
    rows = judge(
        "verifier",
        settings(missing_answer="unscored"),
        world.traced(traces),
        pl.DataFrame(prompts, schema=empty(PROMPTS).schema, orient="row"),
        ledger,
    )
    check(JUDGMENTS, rows, "judgments")
    assert rows.select("trace_id", "score", "status").rows() == [
        (10, 1.0, "scored"), (11, 0.0, "scored"), (12, None, "error"), (13, None, "unparsable"),
        (14, None, "no_reference"),
    ]  # fmt: skip
    assert set(rows["judge"]) | set(rows["dimension"]) == {"verifier", "correct"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "pattern"), [("gsm8k_openai", r"A:\s*(.+)"), ("zeroeval_gsm", r'"answer":\s*"?([^"\n]+)')]
)
def test_real_traces_are_graded_as_upstream_graded_them(name: str, pattern: str, size: str) -> None:
    rows = published(size, name, "traces").filter(pl.col("is_correct").is_not_null())
    sample = rows.gather_every(rows.height // SAMPLE).head(SAMPLE)
    judge_settings = settings(pattern)
    agreed = [
        (grade(judge_settings, trace, reference, "math", None).score == 1.0) == right
        for trace, reference, right in sample.select("trace", "reference_answer", "is_correct").iter_rows()
    ]
    share = sum(agreed) / len(agreed)
    print(f"{name}: {share:.1%} of {len(agreed)} traces graded as upstream did")
    assert 0.2 < sample["is_correct"].sum() / SAMPLE < 0.95
    assert share >= 0.97


ADDED = """
from curation.core.kinds import verifiers
from curation.judging.judges.answer import Params, grade
from curation.prompts.sources.table import Params as Table

columns = {"prompt": "q", "answer": "a", "task": None}
table = {"kind": "table", "path": "x", "split": "train", "columns": columns, "verifier": "prefix", "instruction": None}
settings = Params(kind="answer", patterns=["A: (.+)"], missing_answer="wrong", pass_at=0.5)
print(Table.model_validate(table).verifier, verifiers(), *grade(settings, "A: 52", "5", "prefix:1", None))
"""


def test_a_file_in_the_folder_is_a_verifier(tmp_path: Path) -> None:
    """Sources may name it and the judge finds it, with nothing else touched."""
    shutil.copytree(ROOT / "curation", tmp_path / "curation", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "curation/judging/answers/prefix.py").write_text(
        "def score(answer, reference, task, entry):\n    return float(answer[: int(task)] == reference[: int(task)])\n"
    )
    child = subprocess.run([sys.executable, "-c", ADDED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (
        child.stdout
        == "prefix ['choice', 'exact', 'literal', 'math', 'number', 'prefix', 'reasoning_gym'] 1.0 scored answered 52\n"
    ), child.stderr


def test_an_unknown_verifier_is_named() -> None:
    with pytest.raises(
        CurationError,
        match=r"'maths' is not one of choice, exact, literal, math, number, reasoning_gym; did you mean 'm",
    ):
        grade(settings(), "5", "5", "maths", None)
