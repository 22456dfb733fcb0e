"""The verifiers of answers: what each takes for the same answer, and what it leaves unscored.

Kinds of fault: a reading that leaves out what it does not know and compares the rest; a notation that loses its
structure (digit groups, mixed numbers, units, bases) before it is compared; an order, a bracket or a sign that does not
count; a limit that the load of the machine decides; a text that ends the process or never ends.
"""

import ast
import json
import os
import random
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.spellings import LITERALS, changed_literal, perturbed, respelt, respelt_literal
from curation.core.inner_kinds import read_extraction
from curation.core.kinds import verifier_kind, verifiers
from curation.judging.answers import literal, math
from curation.judging.answers._kind import Verdict
from curation.judging.judges.answer import find_answers
from curation.judging.verification import Case, verify_all

DATA = Path(__file__).parent / "data/answers"
CASES = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
HELD_OUT = [json.loads(line) for line in (DATA / "held_out.jsonl").read_text().splitlines()]
GOLDS = (DATA / "golds.txt").read_text().splitlines()
FEW_GOLDS = [pytest.param(gold, marks=[pytest.mark.slow] if place % 6 else []) for place, gold in enumerate(GOLDS)]


def judge(case: dict[str, Any]) -> Verdict:
    module = verifier_kind(case["verifier"]["kind"])
    params = module.Params.model_validate(case["verifier"])
    return module.verify(params, case["answer"], case["reference"], "", None)


def compare(answer: str, reference: str) -> Verdict:
    return math.verify(math.PLAIN, answer, reference, "", None)


@pytest.mark.parametrize("kind", sorted({case["kind"] for case in CASES}))
def test_cases_have_the_stated_verdicts(kind: str) -> None:
    cases = [case for case in CASES if case["kind"] == kind]
    given = [(case["answer"], case["reference"], judge(case).score) for case in cases]
    assert given == [(case["answer"], case["reference"], case["want"]) for case in cases]


def extractions(declared: Any) -> list[Any]:
    """The extractions of a case, which declares one or several in order."""
    return [read_extraction(one) for one in (declared if isinstance(declared, list) else [declared])]


@pytest.mark.parametrize("one_in", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_cases_written_apart_have_the_verdicts_they_want(one_in: int) -> None:
    """Other instances of every kind, from the completion on: where the answer stands, and whether it is right."""
    cases = HELD_OUT[::one_in]
    found = [find_answers(extractions(case["extract"]), [case["completion"]])[0] for case in cases]
    given = [
        judge({"verifier": case["verifier"], "answer": answer, "reference": case["gold"]}).score
        if answer is not None
        else 0.0
        for case, answer in zip(cases, found, strict=True)
    ]
    wrong = [
        (case["id"], answer, case["gold"], score)
        for case, answer, score in zip(cases, found, given, strict=True)
        if score != case["want"]
    ]
    assert wrong == []


def test_every_verifier_has_cases_but_that_which_asks_a_library() -> None:
    assert {case["verifier"]["kind"] for case in CASES} == set(verifiers()) - {"reasoning_gym"}


@pytest.mark.parametrize("kind", ["math", "number", "literal"])
def test_the_sides_may_change_places(kind: str) -> None:
    cases = [case for case in CASES if case["verifier"]["kind"] == kind and not case["verifier"].get("relative")]
    for case in cases:
        swapped = case | {"answer": case["reference"], "reference": case["answer"]}
        if kind != "number" or case["want"] == 1:
            assert judge(swapped).score == case["want"], swapped


@pytest.mark.parametrize("gold", FEW_GOLDS)
def test_a_gold_is_no_other_and_is_itself_in_every_spelling(gold: str) -> None:
    assert compare(gold, gold).score == 1.0
    assert {text: compare(text, gold).score for text in respelt(gold)} == dict.fromkeys(respelt(gold), 1.0)
    others = [text for text in perturbed(gold) if text != gold]
    assert others or gold.startswith(r"\text") or gold == "B"
    assert [text for text in others if compare(text, gold).score == 1.0] == []
    assert sum(compare(text, gold).score is None for text in others) <= len(others) / 3


@pytest.mark.slow
def test_no_gold_is_another() -> None:
    pairs = list(combinations(GOLDS, 2))[::9]
    assert [pair for pair in pairs if compare(*pair).score] == []


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_python_value_is_itself(value: Any) -> None:
    assert literal.verify(literal.PLAIN, repr(value), repr(value), "", None).score == 1.0


@given(VALUES, VALUES)
def test_two_python_values_are_the_same_where_python_writes_them_alike(one: Any, other: Any) -> None:
    """As `repr` writes them, but for 1 and 1.0, and for signed zeros."""
    left, right = (re.sub(r"-(0(?:\.0)?\b(?!\.))", r"\1", repr(value)) for value in (one, other))
    verdict = literal.verify(literal.PLAIN, repr(one), repr(other), "", None)
    if left == right:
        assert verdict.score == 1.0
    elif one != other:
        assert verdict.score == 0.0


@pytest.mark.parametrize("text", LITERALS)
def test_a_literal_is_itself_in_every_spelling_and_no_changed_one(text: str) -> None:
    def score(other: str) -> float | None:
        return literal.verify(literal.PLAIN, other, text, "", None).score

    assert {other: score(other) for other in respelt_literal(text)} == dict.fromkeys(respelt_literal(text), 1.0)
    assert {other: score(other) for other in changed_literal(text)} == dict.fromkeys(changed_literal(text), 0.0)


CHANGED = [
    ("1", "2"), ("[1, 2, 3]", "[1, 2]"), ("[1, 2]", "[1, [2]]"), ("(1, 2)", "(2, 1)"), ("'ab'", "'ba'"), ("'1'", "1"),
    ("{'a': [1]}", "{'a': (1,)}"), ("{1, 2}", "{1, 3}"), ("True", "False"), ("None", "'None'"), ("-1", "1"),
    ("1.5", "15"), ("''", "' '"), ("[None]", "[]"), ("{'a': None}", "{}"), ("[True]", "[1]"), ("b''", "''"),
    ("[[], [1]]", "[[1], []]"), ("'a b'", "'a  b'"), ("'A'", "'a'"), ("(1,)", "1"), ("{}", "[]"), ("1j", "1"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), CHANGED)
def test_a_changed_python_value_is_another(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        assert literal.verify(literal.PLAIN, left, right, "", None).score == 0.0


HUGE = [
    "9" * 5000, "-" * 20_000 + "1", "[" * 3000, "(" * 50_000, "[" * 90 + "]" * 90, "(" * 300 + "1" + ")" * 300,
    r"\frac{1}{" * 300 + "1" + "}" * 300, "2^" * 500 + "2", "1" + "!" * 400, "x" * 2500, "1," * 1400 + "1",
    "{" * 1500 + "}" * 1500, r"\text{" * 400 + "a" + "}" * 400, "1e999999999", "10**10**10**10", r"\pm" * 30 + "1",
    r"\sqrt{" * 200 + "2" + "}" * 200, "." * 3000, "," * 3000, "$" * 3000, "\\" * 3000, "'" * 3001, "a and " * 400,
    "1/" * 900 + "1", "|" * 900, "x_" * 900, "{'a': " * 99 + "1" + "}" * 99, "0." + "3" * 5000, "1" * 25_000,
    r"\begin{pmatrix}" * 50, "x<" * 300 + "1", "((1+x)^99)^99-((1+x)^99)^99", "2^{2^{2^{2^{2^{2}}}}}", "999999!",
    "\x00", "\ud800", "1\u0660", "²" * 900, "𝟙𝟚", "٣", "½" * 600, "gcd(" * 100 + "1" + ")" * 100,
]  # fmt: skip
FEW_HUGE = [pytest.param(text, marks=[pytest.mark.slow] if place % 5 else []) for place, text in enumerate(HUGE)]


@pytest.mark.parametrize("name", ["math", pytest.param("number", marks=pytest.mark.slow), "choice", "exact", "literal"])
@pytest.mark.parametrize("text", FEW_HUGE, ids=range(len(HUGE)))
def test_no_text_is_too_long_too_deep_or_too_large(name: str, text: str) -> None:
    """Nothing is raised, and a text is never other than itself."""
    module = verifier_kind(name)
    params = module.PLAIN or module.Params(kind="number", tolerance=0.0, relative=False, units="same")
    assert module.verify(params, text, text, "", None).score in (1.0, None)
    assert module.verify(params, text, "5", "", None).score in (0.0, None)
    assert module.verify(params, "5", text, "", None).score in (0.0, None)


PIECES = st.sampled_from((DATA / "pieces.txt").read_text().split())


TEXTS = st.lists(PIECES, max_size=9).map(" ".join) | st.lists(PIECES, max_size=9).map("".join) | st.text(max_size=12)


def hold_text(text: str) -> None:
    """A text is itself or unscored, blanks around it do not count, and the two sides may change places."""
    assert compare(text, text).score in (1.0, None)
    assert compare(f" {text}\n", text).score == compare(text, text).score
    for other in ("2", "x", "1, 2", "(0, 1)", "x < 1", "5 cm"):
        assert compare(text, other).score == compare(other, text).score
    assert all(isinstance(part, str) for part in compare(text, "2")[1:])


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_is_itself_or_unscored_and_nothing_is_raised(text: str) -> None:
    hold_text(text)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(TEXTS)
def test_five_thousand_texts_are_themselves_or_unscored(text: str) -> None:
    hold_text(text)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=5).map(" ".join), st.lists(PIECES, max_size=5).map(" ".join))
def test_the_order_of_two_texts_does_not_matter(one: str, other: str) -> None:
    assert compare(one, other).score == compare(other, one).score


@settings(deadline=None)
@given(st.fractions(), st.fractions())
def test_fractions_are_compared_exactly(one: Any, other: Any) -> None:
    assert compare(f"{one}", rf"\frac{{{other.numerator}}}{{{other.denominator}}}").score == float(one == other)


def test_verdicts_say_how_each_side_was_read() -> None:
    assert compare("2 2/3", r"\frac{8}{3}") == Verdict(1.0, "8/3", "(8 / 3)", "the two are equal")
    assert compare("1, 234", "1,234") == Verdict(
        0.0, "list of 1; 234", "1234", "the answer is a list, the reference a number"
    )
    assert compare("5 cm", "5 m")[1:3] == ("5 [cm]", "5 [m]")
    assert compare("5 +", "5") == Verdict(None, "5 +", "5", "the answer cannot be read: it ends too early")


@pytest.mark.slow
def test_the_same_bytes_on_every_call() -> None:
    """Whatever was compared before: nothing that is remembered decides."""
    pairs = [(case["answer"], case["reference"]) for case in CASES if case["verifier"]["kind"] == "math"]
    first = [compare(*pair) for pair in pairs]
    order = list(range(len(pairs)))
    random.Random(0).shuffle(order)
    again = {place: compare(*pairs[place]) for place in order}
    assert [again[place] for place in range(len(pairs))] == first


def test_no_verifier_reads_a_clock_or_runs_what_it_reads() -> None:
    """Nothing in the room imports a clock, a signal or a process, or calls eval."""
    for file in (Path(math.__file__).parent).rglob("*.py"):
        tree = ast.parse(file.read_text())
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not named & {"time", "signal", "threading", "multiprocessing", "subprocess"}, file
        assert not called & {"eval", "exec", "compile"}, file


@pytest.mark.slow
def test_the_same_verdicts_beside_a_burner_on_every_core() -> None:
    """What is compared on an idle machine, and again in two processes while every core is busy with something else."""
    cases = [
        Case(case["answer"], case["reference"], "math", None) for case in CASES if case["verifier"]["kind"] == "math"
    ]
    calm = verify_all(cases, "calm", processes=1)
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        busy = verify_all(cases, "busy", processes=2)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert busy == calm
