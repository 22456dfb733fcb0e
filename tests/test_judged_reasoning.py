"""What judges are shown of traces that reason, and what becomes of those that came to no answer.

The kinds of fault: reasoning that a judge does not see, or sees as the answer; a call for a trace of which there is
nothing to show; a score that nobody gave.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
import world
from conftest import RUBRIC, OpenLedger, RubricSettings, Serve
from server import Answer, Request, good
from test_process import by_word
from test_rubric import FIVE, prompts, ratings

from curation.calls.ledger import Ledger
from curation.core.metrics import mean
from curation.judging.judge import judge, metrics
from curation.judging.judges import answer, process
from curation.judging.pairwise_judges import verdict
from curation.judging.prefer import prefer
from curation.pairs import pair
from curation.tables import contracts, parquet
from curation.traces import generate

ASKING = {name: value for name, value in RUBRIC.items() if name not in ("kind", "calls", "dimensions")}
THOUGHT, SAID = "2 and 3.\nSo 5.", "It is 5."
LENGTH = "length"


def traced(*texts: tuple[str | None, str | None] | tuple[str | None, str | None, str]) -> pl.DataFrame:
    """Traces 10, 11, … of one prompt, each from its reasoning, its completion and why it ended."""
    rows = [
        {"trace_id": 10 + number, "prompt_id": 1, "generator": f"g{number}", "sample_index": 0, "scale_b": 9.0 - number,
         "reasoning": reasoning, "completion": completion, "finish_reason": [*ending, "stop"][0]}
        for number, (reasoning, completion, *ending) in enumerate(texts)
    ]  # fmt: skip
    return generate.add_text_columns(world.rows_of(contracts.TRACES, rows))


def marked(request: Request) -> list[str]:
    """The texts between the marks of traces, in their order."""
    return re.findall(r"<trace-\w+>\n(.*?)\n</trace", request.last_message, re.DOTALL)


@pytest.mark.parametrize(("shows", "texts"), [
    (None, [THOUGHT, SAID]), ("both", [THOUGHT, SAID]), ("answer", [SAID]), ("reasoning", [THOUGHT]),
])  # fmt: skip
def test_a_judge_sees_what_it_says_that_it_shows(
    shows: str | None, texts: list[str], serve: Serve, ledger: Ledger, rubric_settings: RubricSettings
) -> None:
    server = serve(lambda _: good(ratings()))
    settings = rubric_settings(endpoint=server.endpoint().model_dump(), shows=shows)
    judge("strict", settings, traced((THOUGHT, SAID)), prompts(), ledger)
    assert [marked(request) for request in server.requests] == [texts]
    headed = server.requests[0].last_message.count("Reasoning before the answer:")
    assert headed == (THOUGHT in texts)


@pytest.mark.parametrize("none", [None, "", " \u3000\r\n"])
def test_a_trace_without_reasoning_is_asked_about_as_ever(
    none: str | None, serve: Serve, open_ledger: OpenLedger, rubric_settings: RubricSettings
) -> None:
    """By the same call, byte for byte, whatever is shown; but there is no reasoning to show alone."""
    server = serve(lambda _: good(ratings()))
    endpoint = server.endpoint().model_dump()
    for number, shows in enumerate((None, "both", "answer", "reasoning")):
        settings = rubric_settings(endpoint=endpoint, shows=shows)
        rows = judge("strict", settings, traced((none, SAID)), prompts(), open_ledger(str(number)))
        parquet.check(contracts.JUDGMENTS, rows, "judgments")
        expected = ("missing", "no reasoning") if shows == "reasoning" else ("scored", None)
        assert rows.select("status", "rationale").unique().rows() == [expected]
    assert len(server.requests) == 3 and len({json.dumps(one.body) for one in server.requests}) == 1
    assert marked(server.requests[0]) == [SAID]


UNANSWERED = {
    "cut off while reasoning": ((THOUGHT, None, "length"), "no_answer", "no answer: the trace is truncated"),
    "cut off before anything is said": ((None, None, "length"), "no_answer", "no answer: the trace is truncated"),
    "never done": ((THOUGHT, None, "unfinished"), "no_answer", "no answer: the trace is unfinished"),
    "failed": ((None, None, "error"), "error", None),
    "refused after reasoning": ((THOUGHT, None, "content_filter"), "error", None),
    "without a text": ((THOUGHT, None, "tool_calls"), "error", None),
}


@pytest.mark.parametrize("case", UNANSWERED)
@pytest.mark.parametrize("shows", [None, "both", "answer", "reasoning"])
def test_a_trace_without_an_answer_costs_no_call_and_has_no_score(
    case: str, shows: str | None, serve: Serve, ledger: Ledger, rubric_settings: RubricSettings
) -> None:
    """Not even of its reasoning: no pair has it."""
    trace, status, why = UNANSWERED[case]
    server = serve([])
    endpoint = server.endpoint().model_dump()
    traces = traced(trace)
    rated = judge("strict", rubric_settings(endpoint=endpoint, shows=shows, repeats=2), traces, prompts(), ledger)
    steps = judge("steps", steps_of(endpoint=endpoint, shows=shows), traces, prompts(), ledger)
    assert server.requests == []
    assert rated.height == 2 * len(FIVE) and steps.height == 2
    for rows in (rated, steps):
        parquet.check(contracts.JUDGMENTS, rows, "judgments")
        assert rows["score"].null_count() == rows.height
        assert rows["status"].unique().to_list() == [status]
    assert rated["rationale"].unique().to_list() == [why]
    assert metrics(rated, traces)["coverage"] == 0.0


@pytest.mark.parametrize("missing_answer", ["wrong", "unscored"])
def test_reasoning_without_an_answer_counts_as_missing_answer_says(missing_answer: str, ledger: Ledger) -> None:
    """Though the reasoning holds the right one. A trace that failed is no wrong answer."""
    settings = answer.Params.model_validate(
        {"kind": "answer", "extract": [{"kind": "last_number"}], "missing_answer": missing_answer, "pass_at": 0.99}
    )
    traces = traced(
        (THOUGHT, "It is 6."), ("6?", SAID), *(trace for trace, *_ in UNANSWERED.values()), (THOUGHT, " \n")
    )
    rows = judge("answer", settings, traces, prompts(), ledger)
    parquet.check(contracts.JUDGMENTS, rows, "judgments")
    none = (0.0 if missing_answer == "wrong" else None, "no_answer")
    expected = [(0.0, "scored"), (1.0, "scored"), *[none] * 3, *[(None, "error")] * 3, none]
    assert rows.select("score", "status").rows() == expected


def steps_of(**changes: Any) -> process.Params:
    return process.Params.model_validate(ASKING | {"kind": "process", "separator": r"\n+", "max_steps": 4} | changes)


STEPS = {  # what is shown, of which texts: worst_step, first_bad_step, status
    "both": (None, ("valid\nvalid", "valid\ninvalid"), (-1, 3, "scored")),
    "the reasoning is bad": ("both", ("valid\ninvalid", "valid"), (-1, 1, "scored")),
    "the answer alone": ("answer", ("invalid", "valid\nneutral"), (0, 2, "scored")),
    "the reasoning alone": ("reasoning", ("valid\nneutral\nvalid", "invalid"), (0, 3, "scored")),
    "an answer without a step": ("both", ("valid\nvalid", " \n "), (1, 2, "scored")),
    "too many together": (None, ("valid\nvalid\nvalid", "valid\nvalid"), (None, None, "truncated")),
    "not too many alone": ("answer", ("valid\n" * 9, "valid"), (1, 1, "scored")),
}


@pytest.mark.parametrize("case", STEPS)
def test_the_steps_of_the_reasoning_come_before_those_of_the_answer(case: str, serve: Serve, ledger: Ledger) -> None:
    shows, texts, (worst, first_bad, status) = STEPS[case]
    server = serve(by_word)
    settings = steps_of(endpoint=server.endpoint().model_dump(), shows=shows)
    rows = judge("steps", settings, traced(texts), prompts(), ledger).sort("dimension")
    assert rows.select("score", "status").rows() == [(first_bad, status), (worst, status)]
    if case == "both":
        assert marked(server.requests[0]) == ["Step 1:\nvalid\nStep 2:\nvalid", "Step 3:\nvalid\nStep 4:\ninvalid"]


def compared(
    shows: str | None, texts: Sequence[tuple[str | None, str | None]], serve: Serve, ledger: Ledger
) -> tuple[pl.DataFrame, list[list[str]]]:
    """The rows of a pairwise judge about the pairs of these traces, and what it was shown."""

    def longest(request: Request) -> Answer:
        solutions = re.split(r"Solution 2 \(", request.last_message)
        return good(json.dumps({"better": 1 if len(solutions[0]) > len(solutions[1]) else 2}))

    server, traces = serve(longest), traced(*texts)
    body = ASKING | {"kind": "verdict", "ties": True, "endpoint": server.endpoint().model_dump(), "shows": shows}
    pairs = pair.pair(world.pairing(order="scale"), traces)
    rows = prefer("versus", verdict.Params.model_validate(body), pairs, traces, prompts(), ledger)
    parquet.check(contracts.PREFERENCES, rows, "preferences")
    return rows, [marked(request) for request in server.requests]


@pytest.mark.parametrize(("shows", "seen"), [
    (None, [["t1", "It is 5.", "t2", "Or 6."], ["t2", "Or 6.", "t1", "It is 5."]]),
    ("answer", [["It is 5.", "Or 6."], ["Or 6.", "It is 5."]]),
    ("reasoning", [["t1", "t2"], ["t2", "t1"]]),
])  # fmt: skip
def test_a_pairwise_judge_sees_both_sides_alike(
    shows: str | None, seen: list[list[str]], serve: Serve, ledger: Ledger
) -> None:
    rows, shown = compared(shows, [("t1", SAID), ("t2", "Or 6.")], serve, ledger)
    assert sorted(shown) == sorted(seen) and rows["status"].to_list() == ["scored"] * 2


def test_a_pair_that_shows_one_text_twice_has_no_verdict(serve: Serve, open_ledger: OpenLedger) -> None:
    """The traces differ in what the judge does not see."""
    same_answer = [("t1", SAID), ("t2", f"{SAID}\n")]
    assert compared("answer", same_answer, serve, open_ledger("answer"))[0].is_empty()
    assert compared("both", same_answer, serve, open_ledger("both"))[0].height == 2
    same_reasoning = [("t", SAID), ("t\r\n", "Or 6.")]
    assert compared("reasoning", same_reasoning, serve, open_ledger("reasoning"))[0].is_empty()


@pytest.mark.parametrize("texts", [[("t1", SAID), (None, "Or 6.")], [("", SAID), (" ", "Or 6.")]])
def test_a_side_without_reasoning_leaves_a_judge_of_reasoning_without_a_verdict(
    texts: list[tuple[str | None, str]], serve: Serve, ledger: Ledger
) -> None:
    rows, shown = compared("reasoning", texts, serve, ledger)
    assert shown == [] and rows.select("order", "verdict", "status").rows() == [
        (order, None, "missing") for order in contracts.ORDERS
    ]
    assert mean(rows["status"] == "scored") == 0.0
