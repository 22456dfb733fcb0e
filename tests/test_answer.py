"""The answer judge: what it takes for the answer, what it takes for equal, and what it leaves unscored.

Kinds of fault: a verdict of the extraction that was not declared; a trace without an answer that is told from a wrong
one by nothing; a right answer that is wrong because another is right too; a score from what no verifier could read; a
verdict that depends on how many others are asked for, or in how many processes.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from published import SIZES, published

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.text import MOST_SHOWN
from curation.judging.answers import reasoning_gym as asked
from curation.judging.judge import judge, metrics
from curation.judging.judges.answer import Grade, Params, Question, find_answers
from curation.judging.judges.answer import grade as grade_all
from curation.tables.contracts import JUDGMENTS, PROMPTS
from curation.tables.parquet import check

SAMPLE = 300
ROOT = Path(__file__).parents[1]
AFTER_A = {"kind": "after", "marker": "A:", "match": "last", "until": "line", "take": "all"}
BOXED = {"kind": "boxed", "match": "last"}
NUMBER = {"kind": "last_number"}


def settings(*extract: dict[str, Any], **changes: Any) -> Params:
    body = {"kind": "answer", "extract": list(extract or (NUMBER,)), "missing_answer": "wrong", "pass_at": 0.99}
    return Params.model_validate(body | changes)


def grade(
    judge_settings: Params,
    completion: str | None,
    references: str | Sequence[str] | None,
    verifier: str | None,
    entry: str | None = None,
) -> Grade:
    """The grade of one completion."""
    accepted = [references] if isinstance(references, str) else references or []
    return grade_all(judge_settings, [Question(completion, accepted, verifier, entry)])[0]


@pytest.mark.parametrize(
    ("extract", "completion", "answer"),
    [
        ([BOXED, NUMBER], r"\boxed{7} and then 8", "7"),
        ([BOXED, NUMBER], "first 7 and then 8", "8"),
        ([BOXED, NUMBER], r"in \boxed{}, so 8", "8"),
        ([NUMBER, BOXED], r"\boxed{7} and then 8", "8"),
        ([AFTER_A, BOXED], "A:\n\\boxed{x}", "x"),
        ([AFTER_A], "I do not know.", None),
        ([AFTER_A], "", None),
    ],
)
def test_the_answer_is_that_of_the_first_extraction_that_finds_one(
    extract: list[dict[str, Any]], completion: str, answer: str | None
) -> None:
    assert find_answers(settings(*extract).extract, [None, completion, completion]) == [None, answer, answer]


EQUAL = [
    ("$1,234.50", "1234.5"), ("18.", "18"), ("18.00", "18"), ("1/2", "0.5"), (r"\frac{1}{2}", "0.5"), ("-3", "-3"),
    ("2^3", "8"), ("2/4", "1/2"), ("10 / 4", "2.5"), ("x=3", "3"),
]  # fmt: skip
DIFFERENT = [
    ("18", "81"), ("-3", "3"), ("1.8", "18"), ("1/3", "0.33"), ("12,345", "1234"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "reference", "equal"), [*((*case, True) for case in EQUAL), *((*case, False) for case in DIFFERENT)]
)
def test_math_compares_values(answer: str, reference: str, equal: bool) -> None:
    graded = grade(settings(AFTER_A), f"A:{answer}", reference, "math")
    assert (graded.score, graded.status) == (float(equal), "scored")
    assert graded.rationale.startswith(f"answered {answer}") and f"; reference {reference}" in graded.rationale


@pytest.mark.parametrize(("missing", "score"), [("wrong", 0.0), ("unscored", None)])
def test_a_missing_answer_is_a_status_of_its_own_and_scored_as_the_settings_say(
    missing: str, score: float | None
) -> None:
    graded = grade(settings(missing_answer=missing), "I give up", "5", "math")
    assert graded == (score, "no_answer", "no answer found")


@pytest.mark.parametrize("missing", ["wrong", "unscored"])
@pytest.mark.parametrize(
    ("completion", "answer", "verifier", "status"),
    [
        (None, "5", "math", "error"),
        ("It is 5", None, "math", "no_reference"),
        ("It is 5", "5", None, "no_reference"),
        ("who knows", None, "math", "no_reference"),
        (None, None, None, "error"),
    ],
)
def test_what_cannot_be_graded_has_no_score(
    completion: str | None, answer: str | None, verifier: str | None, status: str, missing: str
) -> None:
    score, said, _ = grade(settings(missing_answer=missing), completion, answer, verifier)
    assert (score, said) == (None, status)


def test_of_several_references_one_is_enough() -> None:
    by_number = settings()
    assert grade(by_number, "It is 5", ["4", "5", "6"], "math").score == 1.0
    assert "reference 5" in grade(by_number, "It is 5", ["4", "5", "6"], "math").rationale
    assert grade(by_number, "It is 5", ["4", "6"], "math").score == 0.0


@pytest.mark.slow
def test_an_answer_is_not_wrong_while_one_reference_could_not_be_compared() -> None:
    """What breaks the scorer has no score, though the other reference was compared and is another."""
    answer, verifier, entry = task("prime_factorization")
    graded = grade(settings(AFTER_A), "A: two by two", [answer, answer + "1"], verifier, entry)
    assert (graded.score, graded.status) == (None, "unparsable")


@cache
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
    right = grade(settings(AFTER_A), f"so\nA: {answer}", answer, verifier, entry)
    assert right[:2] == (1.0, "scored") and right.rationale.startswith(f"answered {answer}; reference {answer}; ")
    assert grade(settings(AFTER_A), "A: 987654321", answer, verifier, entry).score == 0.0


@pytest.mark.parametrize("written", ["{}.", "${}$", "**{}**", " {}\n"])
@pytest.mark.parametrize("name", ["letter_counting", "prime_factorization", "spell_backward"])
def test_what_only_wraps_an_answer_costs_it_nothing(name: str, written: str) -> None:
    """Scorers of the library compare texts, or read numbers, and fail on a full stop."""
    answer, _, entry = task(name)
    verdict = asked.verify(asked.PLAIN, written.format(answer), answer, name, entry)
    assert verdict.score == 1.0


def test_a_part_of_a_score_is_right_from_pass_at_on() -> None:
    answer, verifier, entry = task("letter_counting")
    completion = f"A: there are {answer} of them"
    assert [grade(settings(AFTER_A, pass_at=at), completion, answer, verifier, entry).score for at in (0.99, 0.01)] == [
        0.0,
        1.0,
    ]


def test_an_answer_that_breaks_a_scorer_is_unscored() -> None:
    score, status, rationale = grade(settings(AFTER_A), "A: two by two", *task("prime_factorization"))
    assert (score, status) == (None, "unparsable")
    assert rationale.startswith("answered two by two; ") and "ValueError" in rationale


def test_an_unknown_task_is_no_unscored_row() -> None:
    pytest.importorskip("reasoning_gym")
    with pytest.raises(ValueError, match="no_such_task"):
        grade(settings(), "5", "5", "reasoning_gym:no_such_task", "{}")


def test_a_long_answer_is_shortened_in_the_rationale() -> None:
    rationale = grade(settings(AFTER_A), f"A: {'x' * 10_000}", "5", "math").rationale
    assert len(rationale) < 6 * MOST_SHOWN


def test_the_rows_keep_the_tables_contract_and_coverage_counts_what_has_no_answer(ledger: Ledger) -> None:
    question = [{"role": "user", "content": "?"}]
    shared = {"source": "s", "task": "t", "split": "train", "prompt": question}
    prompts = world.rows_of(
        PROMPTS,
        [
            {"prompt_id": 1, "answer": "5", "verifier": "math", **shared},
            {"prompt_id": 2, "answer": None, "verifier": None, **shared},
            {"prompt_id": 3, "answer": "7", "answers": ["7", "8"], "verifier": "math", **shared},
        ],
    )
    completions = [
        (10, 1, "It is 5"), (11, 1, "It is 6"), (12, 1, None), (13, 1, "who knows"), (14, 2, "It is 5"), (15, 3, "8"),
    ]  # fmt: skip
    traces = world.traced(
        [
            (n, prompt, "g", n, None, None, text, "error" if text is None else "stop", None)
            for n, prompt, text in completions
        ]
    )
    for missing, score in (("unscored", None), ("wrong", 0.0)):
        rows = judge("answer", settings(missing_answer=missing), traces, prompts, ledger)
        check(JUDGMENTS, rows, "judgments")
        assert rows.select("trace_id", "score", "status").rows() == [
            (10, 1.0, "scored"), (11, 0.0, "scored"), (12, None, "error"), (13, score, "no_answer"),
            (14, None, "no_reference"), (15, 1.0, "scored"),
        ]  # fmt: skip
        assert set(rows["judge"]) | set(rows["dimension"]) == {"answer", "correct"}
        measured = metrics(rows, traces)
        assert measured["coverage"] == 0.5 and measured["by_generator"] == {"g": 0.5}
        assert measured["status"] == {"error": 1, "no_answer": 1, "no_reference": 1, "scored": 3}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("name", "extract"),
    [
        ("gsm8k_openai", AFTER_A),
        ("zeroeval_gsm", {"kind": "regex", "pattern": r'"answer":\s*"?([^"\n]+)', "match": "last"}),
    ],
)
def test_real_traces_are_graded_as_upstream_graded_them(name: str, extract: dict[str, Any], size: str) -> None:
    rows = published(size, name, "traces").filter(pl.col("is_correct").is_not_null())
    sample = rows.gather_every(rows.height // SAMPLE).head(SAMPLE)
    questions = [
        Question(trace, [reference], "math", None)
        for trace, reference in sample.select("trace", "reference_answer").iter_rows()
    ]
    grades = grade_all(settings(extract), questions)
    agreed = [(graded.score == 1.0) == right for graded, right in zip(grades, sample["is_correct"], strict=True)]
    share = sum(agreed) / len(agreed)
    print(f"{name}: {share:.1%} of {len(agreed)} traces graded as upstream did")
    assert 0.2 < sample["is_correct"].sum() / SAMPLE < 0.95
    assert share >= 0.97


PREFIX = """
from typing import Literal
from curation.core.params import Strict
from curation.judging.answers._kind import Verdict

class Params(Strict):
    kind: Literal["prefix"]
    length: int

PLAIN = None

def verify(settings, answer, reference, task, entry):
    equal = answer[: settings.length] == reference[: settings.length]
    return Verdict(float(equal), answer, reference, "their beginnings are compared")
"""
LINE = """
from typing import Literal
from curation.core.params import Strict

class Params(Strict):
    kind: Literal["line"]
    number: int

def extract(settings, texts):
    return [text.splitlines()[settings.number] for text in texts]
"""
ADDED = """
from curation.core.inner_kinds import write_verifier
from curation.core.kinds import extractions, verifiers
from curation.judging.judges.answer import Params, Question, grade
from curation.prompts.sources.table import Params as Table

table = {"kind": "table", "path": "x", "split": "train", "columns": {"prompt": "q", "answer": "a", "task": None},
         "verifier": {"kind": "prefix", "length": 1}, "instruction": None}
verifier = write_verifier(Table.model_validate(table).verifier)
extract = [{"kind": "line", "number": 1}]
settings = Params(kind="answer", extract=extract, missing_answer="wrong", pass_at=0.5)
print("prefix" in verifiers(), "line" in extractions(), verifier)
print(*grade(settings, [Question("52\\n57\\n60", ["5"], verifier, None)])[0])
"""


def test_a_file_in_the_folder_is_a_verifier_or_an_extraction(tmp_path: Path) -> None:
    """Sources and judges may name it with settings of its own, with nothing else touched."""
    shutil.copytree(ROOT / "curation", tmp_path / "curation", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "curation/judging/answers/prefix.py").write_text(PREFIX)
    (tmp_path / "curation/judging/extractions/line.py").write_text(LINE)
    child = subprocess.run([sys.executable, "-c", ADDED], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert child.stdout == (
        'True True prefix:{"length": 1}\n1.0 scored answered 57; reference 5; their beginnings are compared\n'
    ), child.stderr


def test_an_unknown_verifier_is_named() -> None:
    with pytest.raises(CurationError, match=r"verifier: 'maths' is not one of .*math.*; did you mean 'math'[?]"):
        grade(settings(), "5", "5", "maths")
