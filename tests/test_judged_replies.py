"""What a judge settled on is its rating. What it drafted in its thinking, or before words that take it back, is none;
log-probabilities count where they spell the end of the reply."""

import json
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
from conftest import RUBRIC, RubricSettings, Serve
from server import Answer, Request, good, shaped
from test_chat import call
from test_pairwise import settings as verdict_settings
from test_rubric import judged, said, spelling, split, traces

from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.calls.wire import MODES, Mode, read_response
from curation.judging import judge
from curation.judging.judges import process, rubric
from curation.judging.pairwise_judges import verdict
from curation.judging.probabilities import score_probabilities

HANDED = Path(__file__).parents[2] / "shared/cases/replies.jsonl"
SCALE = {"logic": {"description": "Is it sound?", "scores": {n: str(n) for n in range(1, 6)}}}
ONE, FOUR = '{"logic": 1}', '{"logic": 4}'
# text, finish_reason, what comes of it in each of MODES: a score, or a status
DRAFTS: dict[str, tuple[str, str, tuple[int | str, ...]]] = {
    "cut in its thinking": (f"<think>maybe {ONE} but then", "length", ("truncated",) * 3),
    "cut after a draft": (f"<think>maybe {ONE}", "length", ("truncated",) * 3),
    "ended in its thinking": (f"<think>maybe {ONE}", "stop", ("unparsable",) * 3),
    "taken back": (f"{ONE}\nI will not rate this.", "stop", ("unparsable",) * 3),
    "taken back after a fence": (f"```json\n{ONE}\n```\nI will not rate this.", "stop", ("unparsable",) * 3),
    "thought, then refused": (f"<think>{ONE}</think>I will not rate this.", "stop", ("unparsable",) * 3),
    "thought again": (f"```json\n{ONE}\n```\n<think>no, {FOUR}", "length", ("truncated",) * 3),
    "closed at its end": (f"maybe {ONE}</think>", "stop", ("unparsable",) * 3),
    "thought, then rated": (f"<think>maybe {ONE}</think>\n{FOUR}", "stop", (4, 4, 4)),
    "opened in the prompt": (f"maybe {ONE}</think>\n{FOUR}", "stop", (4, 4, 4)),
    "in brackets": (f"[THINK]{ONE}[/THINK]{FOUR}", "stop", (4, 4, 4)),
    "in a namespace": (f"<seed:think>{ONE}</seed:think>{FOUR}", "stop", (4, 4, 4)),
    "in channels": (f"<|channel|>analysis<|message|>{ONE}<|end|><|channel|>final<|message|>{FOUR}", "stop", (4, 4, 4)),
    "one channel": (f"<|channel|>analysis<|message|>{ONE}", "length", ("truncated",) * 3),
    "two drafts in words": (f"First {ONE}, but no:\n{FOUR}", "stop", ("unparsable", "unparsable", 4)),
    "in a fence": (f"```json\n{FOUR}\n```", "stop", ("unparsable", "unparsable", 4)),
    "two values": ('{"logic": 1, "logic": 4}', "stop", ("unparsable",) * 3),
    "one value twice": ('{"logic": 4, "logic": 4}', "stop", (4, 4, 4)),
    "within": ('{"all": {"logic": 1}}', "stop", ("unparsable",) * 3),
    "quoted": ('{"logic": "4"}', "stop", ("unparsable",) * 3),
    "a tag in its reason": ('{"rationale": "It says </think>.", "logic": 4}', "stop", (4, 4, 4)),
    "whole at its limit": (FOUR, "length", (4, 4, 4)),
}


@pytest.mark.parametrize(("at", "mode"), enumerate(MODES))
@pytest.mark.parametrize("case", DRAFTS)
def test_a_draft_is_no_rating_to_any_reader(rubric_settings: RubricSettings, case: str, at: int, mode: Mode) -> None:
    """The same text with the words of each judge in it: a rubric's, a step's, a verdict's."""
    text, finish_reason, wanted = DRAFTS[case]
    score, status = (wanted[at], "scored") if isinstance(wanted[at], int) else (None, wanted[at])
    ratings, _ = rubric.parse(rubric_settings(dimensions=SCALE), Reply(text, finish_reason, mode=mode))
    assert ratings["logic"] == (score, None, status)
    steps = text.replace("logic", "step_1").replace(": 1", ': "invalid"').replace(": 4", ': "valid"')
    if case != "quoted":
        rated = process.parse(Reply(steps, finish_reason, mode=mode), 1)
        assert (rated.worst, rated.status) == (None if score is None else 1.0, status)
    better = text.replace("logic", "better").replace(": 1", ": 2").replace(": 4", ": 1").replace('"4"', '"1"')
    preference = verdict.parse(verdict_settings(), Reply(better, finish_reason, mode=mode), "chosen_first")
    assert (preference.verdict, preference.status) == (None if score is None else "chosen", status)


@pytest.mark.parametrize("text", [FOUR, f"<think>{ONE}</think>{FOUR}"])
@pytest.mark.parametrize("thought", [None, "", f"maybe {ONE}", f"{ONE}</think>"])
def test_what_a_judge_thought_in_a_field_of_its_own_is_no_rating(
    rubric_settings: RubricSettings, text: str, thought: str | None
) -> None:
    """A judge that thinks is read as one that does not, whatever its server makes of its thoughts."""
    body = {"choices": [{"message": {"content": text, "reasoning_content": thought}, "finish_reason": "stop"}]}
    for mode in MODES:
        reply = replace(read_response(200, json.dumps(body).encode(), "e").reply, mode=mode)
        ratings, _ = rubric.parse(rubric_settings(dimensions=SCALE), reply)
        assert ratings["logic"] == (4, None, "scored")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(None, "length", reasoning=FOUR, reasoning_field="reasoning"), "truncated"),
        (Reply(None, "stop", reasoning=FOUR, reasoning_field="reasoning"), "unparsable"),
        (Reply("", "stop", reasoning=FOUR, reasoning_field="reasoning"), "unparsable"),
        (Reply(None, "tool_calls", tool_calls=f"[{FOUR}]"), "unparsable"),
        (Reply(FOUR, "stop", tool_calls=f"[{FOUR}]"), "unparsable"),
        (Reply(FOUR, "refusal", refusal="No."), "refused"),
        (Reply(FOUR, "content_filter"), "refused"),
        (Reply(FOUR, "error"), "error"),
    ],
    ids=["cut reasoning", "reasoning alone", "empty", "a tool", "words and a tool", "refused", "filtered", "failed"],
)
def test_no_rating_is_read_from_another_field(rubric_settings: RubricSettings, reply: Reply, status: str) -> None:
    ratings, _ = rubric.parse(rubric_settings(dimensions=SCALE), reply)
    assert ratings["logic"] == (None, None, status)


TOPS = {"4": log(0.75), "5": log(0.25)}
END = ("<|im_end|>", {"<|im_end|>": 0.0})
SPELT: dict[str, tuple[str, list[Any], float | None]] = {
    "the text": (FOUR, split(FOUR, TOPS), 4.25),
    "thinking before it": (FOUR, [*split(f"<think>{ONE}", {"1": 0.0}), ("</think>", {}), *split(FOUR, TOPS)], 4.25),
    "thinking in the text": (
        f"<think>{ONE}</think>{FOUR}",
        [*split(f"<think>{ONE}</think>", {}), *split(FOUR, TOPS)],
        4.25,
    ),
    "an end of turn after it": (FOUR, [*split(FOUR, TOPS), END], 4.25),
    "its last token left out": (FOUR, split(FOUR, TOPS)[:-1], 4.25),
    "a blank in the token": (
        FOUR,
        [('{"', {}), ("logic", {}), ('":', {}), (" 4", {" 4": log(0.5), "5": log(0.5)}), ("}", {})],
        4.5,
    ),
    "blanks after it": (FOUR + "\n", split(FOUR, TOPS), 4.25),
    "other blanks after it": (FOUR, [*split(FOUR, TOPS)[:-1], ("}\n", {}), ("\n", {})], 4.25),
    "odd bytes in its reason": (
        '{"rationale": "é", "logic": 4}',
        [('{"rationale": "', {}), ("\\xc3", {}), ("\\xa9", {}), ('", "', {}), *split(FOUR, TOPS)[2:]],
        4.25,
    ),
    "another text": ('{"logic": 1}', split(FOUR, TOPS), None),
    "another text of that end": ('{"logic": 4, "x": 1}', split('{"logic": 5, "x": 1}', TOPS), None),
    "nothing of it": (FOUR, split("I cannot say", {}), None),
    "no probabilities": (FOUR, split(FOUR, {"4": -0.01, "5": -0.01}), None),
    "tokens within the value": ('{"logic": 4}', [('{"logic": 4}', TOPS)], None),
}


@pytest.mark.parametrize("case", SPELT)
def test_log_probabilities_count_where_they_spell_the_end(rubric_settings: RubricSettings, case: str) -> None:
    text, logprobs, expected = SPELT[case]
    ratings, _ = rubric.parse(rubric_settings(dimensions=SCALE), Reply(text, "stop", logprobs=[*map(list, logprobs)]))
    rating = ratings["logic"]
    assert rating.status == "scored" and rating.expected_score == (
        None if expected is None else pytest.approx(expected)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("logprobs", "share"), [(split(FOUR, TOPS), 1.0), (split(ONE, TOPS), 0.0)])
def test_log_probabilities_that_are_not_used_are_counted(
    serve: Serve, ledger: Ledger, rubric_settings: RubricSettings, logprobs: list[Any], share: float
) -> None:
    """In the metrics of the judge's stage."""
    to, asking = (
        serve([good(FOUR, logprobs=logprobs)]).endpoint().model_dump(),
        RUBRIC["sampling"] | {"top_logprobs": 2},
    )
    rows = judged(rubric_settings(endpoint=to, dimensions=SCALE, sampling=asking), ledger, "a", "b")
    counted = judge.metrics(rows, traces("a", "b"))
    assert (counted["coverage"], counted["with_expected_score"]) == (1.0, share)


def test_a_name_within_another_value_lends_no_probability() -> None:
    text = '{"logic": 4, "why": {"logic": 1}}'
    logprobs = [(token, {"1": 0.0} if token == "1" else tops) for token, tops in split(text, TOPS)]
    shares = score_probabilities(spelling([*map(list, logprobs)]), {"logic": range(1, 6)})
    assert shares == {"logic": {4: pytest.approx(0.75), 5: pytest.approx(0.25)}}


# what the handed cases ask for in words, as what comes of them
JUDGED: dict[str, tuple[float | None, float | None, str]] = {
    "logprob_null": (4.0, 4.0, "scored"),
    "logprob_inf": (4.0, None, "scored"),
    "logprob_other_text": (1.0, None, "scored"),
    "surrogate_rationale": (4.0, None, "scored"),
    "draft_then_none": (None, None, "truncated"),
    "quoted": (None, None, "unparsable"),
}
GENERATED: dict[str, dict[str, Any]] = {
    "finish_error": {"error": "the server ended the reply with an error", "text": "A: 5 is ha", "completion": None},
    "null_by_length": {"completion": None, "ending": "length", "reasoning": "thinking about 5"},
    "null_by_nothing": {"error": "the reply is empty", "completion": None},
    "tool_call": {"completion": None, "ending": "tool_calls"},
    "content_parts": {"completion": "A: 5", "reasoning": "2+3"},
    "inline_thinking": {"text": "<think>2+3=6? no</think>A: 5"},
    "error_body": {"error": "HTTP 200: Provider returned error: quota exceeded", "completion": None},
    **{f"usage_{how}": {"completion": "x", "completion_tokens": None} for how in ("text", "huge", "negative")},
    "finish_number": {"completion": "x", "ending": "unknown"},
    "fingerprint_dict": {"completion": "x", "engine": "fake"},
    "key_in_text": {"completion": "The set is EMPTY, x, 3."},
}


@pytest.mark.skipif(not HANDED.exists(), reason="the handed cases are not here")
def test_the_handed_cases_come_out_as_they_say(
    serve: Serve, ledger: Ledger, rubric_settings: RubricSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUMMY", "EMPTY")
    cases = {case["id"]: case for case in map(json.loads, HANDED.open())}
    assert cases.keys() == JUDGED.keys() | GENERATED.keys()

    def answer(request: Request) -> Answer:
        return shaped(cases[request.last_message]["body"])

    to = serve(answer).endpoint(api_key_env="DUMMY")
    settings = rubric_settings(dimensions=SCALE)
    calls: list[Call] = [call(name) for name in cases]
    for name, reply in zip(cases, ledger.fulfil(calls, HttpEngine(to), "generate", "g"), strict=True):
        if name in GENERATED:
            assert {field: getattr(reply, field) for field in GENERATED[name]} == GENERATED[name], name
        else:
            ratings, rationale = rubric.parse(settings, reply)
            assert ratings["logic"] == pytest.approx(JUDGED[name]), name
            assert rationale in (None, "? and")


def test_a_number_of_thousands_of_digits_costs_its_own_name_only(rubric_settings: RubricSettings) -> None:
    two = SCALE | {"style": SCALE["logic"]}
    ratings, _ = rubric.parse(rubric_settings(dimensions=two), said(f'{{"style": {"1" * 5000}, "logic": 4}}'))
    assert ratings == {"style": (None, None, "unparsable"), "logic": (4.0, None, "scored")}


def test_bytes_that_are_no_text_cost_themselves_only() -> None:
    body = b'{"choices": [{"message": {"content": "a\xffb"}, "finish_reason": "stop"}]}'
    assert read_response(200, body, "e").reply.completion == "a\ufffdb"
