"""Where the final answer stands: every kind of extraction, on what models write and on what nobody should have to read.

Kinds of fault: an answer cut at a brace, a separator or a sign that belongs to it; a number that is none, since it is a
part of a name, an exponent, or what is left of an operation; an empty mention taken for an answer; an answer of another
question, which a model went on to ask itself; a text or a pattern that takes longer than its length allows.
"""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.core.inner_kinds import read_extraction
from curation.core.kinds import extraction_kind, extractions
from curation.judging.extractions import _numbers, after, boxed, json_field
from curation.judging.extractions._kind import says_something

AFTER = {"kind": "after", "marker": "####", "match": "first", "until": "line", "take": "all"}
FIELD = {"kind": "json_field", "field": "answer", "match": "last", "take": "all"}
REGEX = {"kind": "regex", "pattern": r"(\d+)", "match": "last"}
EACH: list[dict[str, Any]] = [
    {"kind": "boxed", "match": "last"},
    {"kind": "last_number"},
    AFTER,
    FIELD | {"take": "first_number"},
    REGEX,
]


def extract(settings: dict[str, Any], text: str) -> str | None:
    """The answer of one text."""
    typed = read_extraction(settings)
    (answer,) = extraction_kind(typed.kind).extract(typed, [text])
    return answer


def test_every_kind_is_tried_below() -> None:
    assert sorted(settings["kind"] for settings in EACH) == extractions()


BOXES = {  # a text: its last box, and its first
    r"\boxed{5}": ("5", "5"),
    r"$\boxed{\dfrac{\sqrt{\frac{1}{2}}}{2}}$.": (r"\dfrac{\sqrt{\frac{1}{2}}}{2}",) * 2,
    r"First \boxed{5}. No: \fbox{4}.": ("4", "5"),
    r"\boxed{\left\{ 1, 2 \right\}}": (r"\left\{ 1, 2 \right\}",) * 2,
    r"\boxed{\{1, 2\}} or \boxed{\}}": (r"\}", r"\{1, 2\}"),
    r"\boxed {5}": ("5", "5"),
    r"\boxed 5": ("5", "5"),
    r"so $\boxed5$.": ("5", "5"),
    r"so \boxed\frac{1}{2}.": (r"\frac{1}{2}",) * 2,
    r"\boxed{ $5$ }": ("5", "5"),
    r"\boxed{\boxed{5}}": ("5", "5"),
    r"\fbox{ $\boxed{5}$ }": ("5", "5"),
    r"\boxed{x = \boxed{5}}": (r"x = \boxed{5}",) * 2,
    r"\boxed{7}. Put it in \boxed{}, I was told.": ("7", "7"),
    r"Put it in \boxed{}: \boxed{7}": ("7", "7"),
    r"{ \boxed{5} and } }": ("5", "5"),
    r"{\"answer\": \"\\boxed{\\frac{1}{2}}\"}": (r"\\frac{1}{2}",) * 2,
    "boxed{5}": ("5", "5"),
    r"$\boxed{5$": (None, None),
    r"\boxed{4}, no, wait: \boxed{5": (None, "4"),
    r"\boxed \frac{1}{2": (None, None),
    r"\boxed{}": (None, None),
    r"\boxedtext{5}, unboxed{5}": (None, None),
    "no box": (None, None),
}


@pytest.mark.parametrize("text", BOXES)
def test_a_box_is_read_to_the_brace_that_closes_it(text: str) -> None:
    assert tuple(extract({"kind": "boxed", "match": match}, text) for match in ("last", "first")) == BOXES[text]


NUMBERS = {  # a text: its last number, and its first
    "The total is 1,234.": ("1234", "1234"),
    "1 200 of them": ("1200", "1200"),
    "1{,}234{,}567": ("1234567", "1234567"),
    r"11,\! 000": ("11000", "11000"),
    "1\u202f234.5": ("1234.5", "1234.5"),
    "in 2023 150 came": ("150", "2023"),
    "It is 5-2=3": ("3", "5-2"),
    "5 - 3 = 2, so 2": ("2", "5 - 3"),
    "10-8": ("10-8", "10-8"),
    "10 − 8": ("10 − 8", "10 − 8"),
    "2 boxes and 3 x 4": ("3 x 4", "2"),
    "(2+3)*4": ("(2+3)*4",) * 2,
    r"2^{10}": (r"2^{10}",) * 2,
    r"6.02 \times 10^{23}": (r"6.02 \times 10^{23}",) * 2,
    "3,14": ("3,14", "3,14"),
    "12:30": ("12:30", "12:30"),
    "1.2.3": ("1.2.3", "1.2.3"),
    "1,23,456": ("1,23,456",) * 2,
    "1, 2, 3": ("3", "1"),
    "$1,450": ("1450", "1450"),
    "-$5": ("-5", "-5"),
    "$-5": ("-5", "-5"),
    "−4": ("-4", "-4"),
    "x = - 5": ("-5", "-5"),
    "\n- 8 apples": ("8", "8"),
    "5\n-8": ("-8", "5"),
    "-2 - 3 = -5": ("-5", "-2 - 3"),
    ".5": (".5", ".5"),
    "1/2": ("1/2", "1/2"),
    r"-\frac{3}{4}": (r"-\frac{3}{4}",) * 2,
    "1 1/4": ("1 1/4", "1 1/4"),
    "25%": ("25%", "25%"),
    "1.5e-7": ("1.5e-7",) * 2,
    "２５": ("25", "25"),
    r"2\pi": (r"2\pi", r"2\pi"),
    r"3\sqrt{14}": (r"3\sqrt{14}",) * 2,
    "5 m^2": ("5", "5"),
    "x2 is H2O, x^2, a_1": (None, None),
    "USD5": ("5", "5"),
    "That gives seven (7) boxes, as asked in part 2.": ("7", "7"),
    "Step 1: 12 apples, by equation (3)": ("12", "12"),
    "It fails in step 4.": ("4", "4"),
    "To solve the problem 7 + 8": ("7 + 8", "7 + 8"),
    r"3\cdot x, so \approx5": ("5", "3"),
    "18.": ("18", "18"),
    "none": (None, None),
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_read_with_all_that_belongs_to_it(text: str) -> None:
    assert (_numbers.find_number(text, "last"), _numbers.find_number(text, "first")) == NUMBERS[text]
    assert extract({"kind": "last_number"}, text) == NUMBERS[text][0]


MARKED = {  # settings, text: the answer
    ("####", "first", "line", "all"): {
        "#### 72\n\nQuestion: next\n#### 13": "72",
        "so\n#### 1 200 apples\n": "1 200 apples",
        "####\n#### 5": "5",
        "####": None,
    },
    ("A:", "last", "line", "all"): {
        "A: 3, no\nA: 4": "4",
        "A: 3\nA:": "3",
        "**A:** 5": "5",
        "**A: 5**": "5",
        "A: **5**": "5",
        "A: `[1, 2]`": "[1, 2]",
        "DNA: 5": None,
        "5": None,
    },
    ("answer is", "last", "text", "last_number"): {"The answer is 3\nof the 12 boxes.": "12", "The answer is no": None},
    ("answer is", "last", "line", "first_number"): {"The answer is 3 of the 12.": "3"},
}


@pytest.mark.parametrize(("given_settings", "text"), [(s, text) for s, texts in MARKED.items() for text in texts])
def test_what_stands_after_a_marker(given_settings: tuple[str, str, str, str], text: str) -> None:
    settings = {"kind": "after", **dict(zip(("marker", "match", "until", "take"), given_settings, strict=True))}
    assert extract(settings, text) == MARKED[given_settings][text]


FIELDS = {  # a text: its last answer, and its first
    '{"reasoning": "80,000 then", "answer": "70,000"}': ("70,000", "70,000"),
    'Sure:\n```json\n{"answer": 5.10}\n```\nThat is 5.': ("5.10", "5.10"),
    '{"answer": "…"} is the form. {"answer": 6}': ("6", "6"),
    '{"steps": [{"answer": 1}], "answer": 2}': ("2", "2"),
    '{"result": {"answer": [1, "a", true, null]}}': ('[1, "a", true, null]',) * 2,
    '{"answer": null}, {"answer": false}': ("false", "false"),
    r'{"answer": "\(5\)"}': (r"\(5\)",) * 2,
    r'{"answer": "\boxed{\frac{1}{2}} \text{cm}"}': (r"\boxed{\frac{1}{2}} \text{cm}",) * 2,
    '{"answer": "two\nlines"}': ("two\nlines",) * 2,
    '{x} {"answer": 3}': ("3", "3"),
    '{"answer": "not closed': (None, None),
    '{"answer": "  "}': (None, None),
    '["answer", 5]': (None, None),
    '{"answer": ' + "9" * 6000 + "}": ("9" * 6000,) * 2,
}


@pytest.mark.parametrize("text", FIELDS, ids=lambda text: text[:40])
def test_a_field_is_read_wherever_its_object_stands(text: str) -> None:
    assert tuple(extract(FIELD | {"match": match}, text) for match in ("last", "first")) == FIELDS[text]


def test_a_regular_expression_gives_its_group_and_never_hangs() -> None:
    assert extract(REGEX | {"pattern": r"(?m)^A: (.+)$"}, "A: 1\nA: 2\nB: 3") == "2"
    assert extract(REGEX | {"pattern": r"(?m)^A: (.+)$", "match": "first"}, "A:  \nA: 2\nA: 3") == "2"
    assert extract(REGEX | {"pattern": r"((?:a+)+)$"}, "a" * 100_000 + "b") is None
    assert extract(REGEX | {"pattern": r"(?:x|(\d))"}, "x\x00é5") == "5"


REFUSED = {
    "(a": "missing", "A: .+": "has 0 groups", "(A): (.+)": "has 2 groups", r"(?<=x)(a)": "no lookaround",
    r"(a)\1": "no backreference", r"(a)\Z": r"\\z in place of", "(((((((((a)))))))))": "has 9 groups",
}  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_is_not_run_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[pattern]):
        read_extraction(REGEX | {"pattern": pattern})


LETTERS = st.text(st.characters(exclude_characters="{}\\$", exclude_categories=("Cs",)), max_size=8)
NESTED = st.recursive(
    LETTERS, lambda inner: st.lists(inner, max_size=3).map("".join) | inner.map("\\frac{{{}}}{{2}}".format)
)
AROUND = st.text(st.characters(exclude_categories=("Cs",)), max_size=40).filter(lambda text: "box" not in text)


@given(NESTED, AROUND, AROUND)
def test_any_nesting_is_read_to_its_end(content: str, before: str, after_it: str) -> None:
    content = f"x{content}y"
    assert extract({"kind": "boxed", "match": "last"}, f"{before} \\boxed{{{content}}} {after_it}") == content


@given(
    st.integers(-(10**12), 10**12),
    st.integers(0, 999),
    st.sampled_from([",", " ", "\u202f", "{,}", ""]),
    st.sampled_from(["", "$", "€"]),
)
def test_any_grouping_is_the_same_number(whole: int, decimals: int, group: str, money: str) -> None:
    written = f"{whole:,}".replace(",", group).replace("-", f"-{money}" if whole < 0 else "-")
    text = f"It comes to {'' if whole < 0 else money}{written}.{decimals:03} in all."
    assert extract({"kind": "last_number"}, text) == f"{whole}.{decimals:03}"


VALUES = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs", "Cc")))


@given(st.dictionaries(st.sampled_from(["reasoning", "answer", "other"]), VALUES | st.lists(VALUES)), LETTERS)
def test_any_object_is_found_in_prose(body: dict[str, Any], prose: str) -> None:
    value = body.get("answer")
    text = value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    found = extract(FIELD, f"{prose} {json.dumps(body)} {prose}")
    assert found == (text if value is not None and says_something(text) else None)


PIECES = [*'\\{}[]":,#$ \n-+.0123456789abeoxd√½%^_', "\\boxed", "\\frac", "####", '"answer"']


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example("\\boxed" * 50)
@example('{"answer":' * 50)
def test_whatever_a_text_says_its_answer_is_a_text_or_none(text: str) -> None:
    for settings in EACH:
        if settings["kind"] != "regex":  # which is RE2's
            answer = extract(settings, text)
            assert answer is None or answer.strip() == answer != ""


LONG = {  # a piece of text: how its repetitions could cost the square of their number
    "\\boxed": "each reads on to the end", "\\boxed{": "each waits for its brace", "\\boxed a{": "each looks for it",
    "\\boxed{\\boxed{1}}": "each is unwrapped", "{": "each begins an object", '{"answer":': "each holds the others",
    '{"answer": 1} ': "each is an object", "####": "each is followed by all", "1,234,": "each is a group",
    "1+": "each is a part of one sum", "7": "a number without an end", "1-": "a sum", "a": "nothing at all", "- ": "",
    "1 ": "a row of numbers", "\\frac{": "fractions", "$": "", "\n": "", "**": "",
}  # fmt: skip


def count_lines(settings: dict[str, Any], text: str) -> int:
    """How many lines of Python's the extraction runs: what no load of the machine changes."""
    typed = read_extraction(settings)
    modules = {module.__file__ for module in (_numbers, after, boxed, json_field)}
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename in modules else None

    sys.settrace(trace)
    try:
        extraction_kind(typed.kind).extract(typed, [text])
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("settings", [*EACH[:4], AFTER | {"until": "text", "match": "last"}], ids=str)
@pytest.mark.parametrize("piece", LONG)
def test_the_cost_of_a_long_text_grows_with_its_length(settings: dict[str, Any], piece: str) -> None:
    short, long = (piece * (length // len(piece)) for length in (2_000, 8_000))
    assert count_lines(settings, long) <= 5 * count_lines(settings, short) + 200


@pytest.mark.slow  # ten million characters
@pytest.mark.parametrize("settings", EACH, ids=lambda settings: settings["kind"])
def test_a_hundred_thousand_characters_are_read(settings: dict[str, Any]) -> None:
    for piece in LONG:
        extract(settings, piece * (100_000 // len(piece)))
