"""What a server says where no model speaks: counts, log-probabilities, names and errors that no column can hold are
left out, and end no run."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import OpenLedger, RubricSettings, Serve
from server import Answer, good, shaped
from test_chat import call, one_reply
from test_rubric import FIVE, judged, ratings, spelling, split

from curation.calls import upkeep
from curation.calls.call import Reply
from curation.calls.chat import HttpEngine
from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.judging.probabilities import score_probabilities

HALF = "\ud83d"  # of a surrogate pair: `\\ud83d` in JSON


def completion(**changes: Any) -> Answer:
    """A good reply but for the changes."""
    return shaped(
        {
            "choices": [{"message": {"content": "fine"}, "finish_reason": changes.pop("finish_reason", "stop")}],
            **changes,
        }
    )


@pytest.mark.parametrize("status", [400, 401, 500])
def test_an_error_with_half_a_surrogate_pair_is_kept(serve: Serve, ledger: Ledger, tmp_path: Path, status: int) -> None:
    """The kind of fault: text that a table cannot hold. It ended the run in a traceback, and the attempt was lost."""
    server = serve([Answer(json.dumps({"error": {"message": f"too long: {HALF}"}}).encode(), status)])
    if status == 401:
        with pytest.raises(CurationError, match=r"a-model: HTTP 401: too long: \?; check model and api_key_env"):
            list(ledger.fulfil([call()], HttpEngine(server.endpoint()), "generate", "g"))
    else:
        list(ledger.fulfil([call()], HttpEngine(server.endpoint()), "generate", "g"))
    assert ledger.db.execute("SELECT error FROM calls").fetchall() == [(f"HTTP {status}: too long: ?",)]
    assert ledger.export_file(tmp_path / "out.parquet") == upkeep.verify(ledger) == 1


@pytest.mark.parametrize("detail", [HALF, [HALF], {HALF: HALF}], ids=["text", "list", "object"])
def test_no_other_text_of_a_server_ends_a_run(serve: Serve, ledger: Ledger, tmp_path: Path, detail: Any) -> None:
    """The same kind: a fingerprint, a reason to end, an error of another shape."""
    answers = [
        completion(finish_reason=f"st{HALF}op", system_fingerprint=detail),
        Answer(json.dumps({"detail": detail}).encode(), 422),
    ]
    said, failed = ledger.fulfil([call("a"), call("b")], HttpEngine(serve(answers).endpoint()), "generate", "g")
    assert (said.text, said.finish_reason) == ("fine", "st?op")
    assert HALF not in said.engine + str(failed.error) and str(failed.error).startswith("HTTP 422: ")
    assert ledger.export_file(tmp_path / "out.parquet") == upkeep.verify(ledger) == 2


def test_a_rationale_with_half_a_surrogate_pair_is_in_the_table(
    serve: Serve, ledger: Ledger, rubric_settings: RubricSettings, tmp_path: Path
) -> None:
    """The same kind, behind the ledger: the model's text holds the escape, and its JSON the half."""
    server = serve([good(json.dumps({"rationale": f"so{HALF}", **json.loads(ratings())}))])
    rows = judged(rubric_settings(endpoint=server.endpoint().model_dump(), rationale=True), ledger, "5")
    assert set(rows["rationale"]) == {"so?"} and set(rows["status"]) == {"scored"}


COUNTS = [2**70, 2**63, "3", "sk-planted", {}, [3], True, float("inf"), float("nan"), -5, 1.5, None]


@pytest.mark.parametrize("count", COUNTS, ids=repr)
def test_a_count_that_is_none_is_null(serve: Serve, ledger: Ledger, count: Any) -> None:
    """The kind of fault: a number of the server's, trusted. It ended the run, or stayed in the ledger for good,
    where it broke the sums."""
    usage = {"prompt_tokens": count, "completion_tokens": 3}
    [reply] = ledger.fulfil([call()], HttpEngine(serve([completion(usage=usage)]).endpoint()), "generate", "g")
    note = None if count is None else "unusable prompt_tokens dropped"
    assert reply == Reply("fine", "stop", None, 3, None, None, "fake", note=note) == ledger.find(call())
    assert [
        type(one) for one in ledger.db.execute("SELECT prompt_tokens, completion_tokens FROM calls").fetchone()
    ] == [type(None), int]


@pytest.mark.parametrize("usage", [None, [], "none", 7, {}])
def test_a_usage_of_another_shape_counts_nothing(serve: Serve, usage: Any) -> None:
    assert one_reply(serve([completion(usage=usage)])) == Reply("fine", "stop", engine="fake")


def test_the_largest_counts_can_be_summed(serve: Serve, ledger: Ledger) -> None:
    """SQLite's sum of whole numbers overflows in an error."""
    for count in (2**63 - 1, 2**31 - 1):
        calls = [call(f"{count} {n}") for n in range(3)]
        list(
            ledger.fulfil(
                calls,
                HttpEngine(serve([completion(usage={"prompt_tokens": count, "completion_tokens": count})]).endpoint()),
                "generate",
                "g",
            )
        )
    assert count_calls(ledger)[0]["prompt_tokens"] == 3 * (2**31 - 1) and ledger.spending().calls == 6


LOGPROBS: list[Any] = [float("inf"), float("-inf"), float("nan"), 800, 0.5, 10**400, -(10**400), None, "-1", True, {}]


@pytest.mark.parametrize("value", LOGPROBS, ids=lambda value: repr(value)[:8])
def test_an_alternative_without_a_log_probability_is_left_out(
    serve: Serve, open_ledger: OpenLedger, rubric_settings: RubricSettings, value: Any
) -> None:
    """The kind of fault: a number that is none, and makes another that is none after all calls were paid. From a
    server, and from an old ledger."""
    tops = {"5": -0.25, "1": value}
    text = ratings(**dict.fromkeys(FIVE, 5))
    positions = split(text, tops)
    server = serve([good(text, logprobs=positions)])
    ledger, sampling = open_ledger(), {"temperature": 0.0, "max_tokens": 64, "seed": 0, "top_logprobs": 5}
    rows = judged(rubric_settings(endpoint=server.endpoint().model_dump(), sampling=sampling), ledger, "5")
    assert rows["expected_score"].to_list() == [5.0] * 5
    (kept,) = ledger.db.execute("SELECT logprobs FROM calls").fetchone()
    assert json.loads(kept, parse_constant=pytest.fail) == [
        [token, {"5": -0.25} if token == "5" else tops] for token, tops in positions
    ]
    old = spelling(split('{"facts": 5}', tops))
    assert score_probabilities(old, {"facts": range(1, 6)}) == {"facts": {5: 1.0}}


def test_a_rounding_error_above_certainty_is_certainty(serve: Serve) -> None:
    assert one_reply(serve([good("5", logprobs=[("5", {"5": 1e-6, "4": -0.0000004})])])).logprobs == [
        ["5", {"5": 0.0, "4": 0.0}]
    ]


def test_a_token_of_thousands_of_digits_is_no_score() -> None:
    """The same kind: `int` refuses it."""
    reply = spelling(split('{"facts": 5}', {"5": -0.1, "1" * 5000: -3.0, "５": -4.0}))
    assert score_probabilities(reply, {"facts": range(1, 6)}) == {"facts": {5: 1.0}}
