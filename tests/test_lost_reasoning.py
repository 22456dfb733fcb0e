"""Nothing of a reply is lost that another rule of reading may want; and what a version before the third layout lost is
counted, said where it is used, and bought again when asked.

Kinds of fault: a field of a message that has no column; the order of parts; tokens that were paid for and stand in no
text; tokens that are counted twice, or not at all.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import OpenLedger, Serve
from served import ran, save, served_params
from server import Answer, Request, good, shaped
from test_ledger import call
from test_ledger_layout import old_file

from curation.calls import upkeep, wire
from curation.calls.attempts import ADDED, id_of
from curation.calls.call import Call
from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger, Params
from curation.calls.message import SPARE_TOKENS
from curation.calls.upkeep import (
    drop_without_reasoning,
    find_hidden_reasoning,
    find_without_reasoning,
    tell_of_lost_reasoning,
)
from curation.core.params import read
from curation.prompts.collect import read_sources
from curation.traces.sampling import make_calls


def body(message: dict[str, Any], **usage: Any) -> dict[str, Any]:
    counts = {"prompt_tokens": 7, "completion_tokens": 100, **usage}
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}],
        "usage": counts,
    }


PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "2+3"}], "signature": "s"},
    {"type": "text", "text": "It is "},
    {"type": "thinking", "thinking": "is it?"},
    {"type": "text", "text": "5."},
]
SENT: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "a plain text": ({"content": "5", "refusal": None, "tool_calls": [], "annotations": []}, None),
    "reasoning in its field": ({"content": "5", "reasoning_content": "2+3"}, None),
    "vllm's field": ({"content": "5", "reasoning": "2+3"}, None),
    "two fields alike": ({"content": "5", "reasoning": "2+3", "reasoning_content": "2+3"}, None),
    "parts in their order": ({"content": PARTS}, {"content": PARTS}),
    "details": (
        {"content": "5", "reasoning": "2+3", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
    ),
    "reasoning that is an object": ({"content": "5", "reasoning": {"text": "2+3"}}, {"reasoning": {"text": "2+3"}}),
    "a server's own": ({"content": "5", "annotations": [{"url": "é"}]}, {"annotations": [{"url": "é"}]}),
}


@pytest.mark.parametrize("how", SENT)
def test_what_of_a_message_has_no_column_is_kept_beside(open_ledger: OpenLedger, how: str) -> None:
    message, rest = SENT[how]
    reply, ledger = wire.read_body(200, body(message), "e").reply, open_ledger()
    ledger.append(call(how), reply, "generate", "g")
    kept = ledger.find(call(how))
    assert kept == reply and reply.error is None
    assert (None if reply.rest is None else json.loads(reply.rest)) == rest
    assert (reply.reasoning or "").startswith("2+3") == ("2+3" in json.dumps(message))


def test_a_message_that_nothing_can_read_is_kept_whole(open_ledger: OpenLedger) -> None:
    message = {"content": "5", "reasoning": "2+3", "reasoning_content": "3+2"}
    reply, ledger = wire.read_body(200, body(message), "e").reply, open_ledger()
    ledger.append(call("both"), reply, "generate", "g")
    assert (
        reply.error == "reasoning_content and reasoning hold different reasoning" and ledger.find(call("both")) is None
    )
    ((rest, tokens),) = ledger.db.execute("SELECT rest, completion_tokens FROM calls").fetchall()
    assert json.loads(rest) == {"role": "assistant", **message} and tokens == 100


def test_what_is_too_long_to_keep_beside_is_said() -> None:
    reply = wire.read_body(200, body({"content": "5", "images": ["x" * 2**21]}), "e").reply
    assert (reply.text, reply.rest, reply.note) == ("5", None, "images too long to keep besides")


USAGE: dict[str, tuple[dict[str, Any], tuple[Any, Any]]] = {
    "none thought": ({}, (100, None)),
    "among the others": ({"completion_tokens_details": {"reasoning_tokens": 80}, "total_tokens": 107}, (100, 80)),
    "beside the others": ({"completion_tokens_details": {"reasoning_tokens": 80}, "total_tokens": 187}, (180, 80)),
    "of its own": ({"reasoning_tokens": 80, "total_tokens": 187}, (180, 80)),
    "no total": ({"completion_tokens_details": {"reasoning_tokens": 80}}, (100, 80)),
    "more than all": ({"completion_tokens_details": {"reasoning_tokens": 300}, "total_tokens": 107}, (100, 300)),
    "no number": ({"completion_tokens_details": {"reasoning_tokens": "80"}, "total_tokens": 187}, (100, None)),
    "no mapping": ({"completion_tokens_details": [80], "total_tokens": True}, (100, None)),
}


@pytest.mark.parametrize("how", USAGE)
def test_thoughts_are_counted_once(how: str) -> None:
    usage, counts = USAGE[how]
    reply = wire.read_body(200, body({"content": "5", "reasoning": "2+3"}, **usage), "e").reply
    assert (reply.completion_tokens, reply.reasoning_tokens) == counts and reply.error is None


ANSWER = "It is 5, é."  # 12 bytes
LOST: dict[str, dict[str, Any]] = {
    "far above": {"completion_tokens": 900},
    "just above": {"completion_tokens": len(ANSWER.encode()) + SPARE_TOKENS + 1},
    "nothing but thought": {"text": None, "finish_reason": "length", "completion_tokens": 96},
}
WHOLE: dict[str, dict[str, Any]] = {
    "as many as bytes": {"completion_tokens": len(ANSWER.encode()) + SPARE_TOKENS},
    "no count": {"completion_tokens": None},
    "a count that is none": {"completion_tokens": "many"},
    "tokens that are there": {"completion_tokens": 900, "logprobs": '[["5", {"5": -0.1}]]'},
    "inline": {"text": f"<think>{'2+3, ' * 200}</think>5", "completion_tokens": 900},
    "failed": {"text": None, "finish_reason": "error", "error": "HTTP 500: boom", "completion_tokens": 900},
    "none": {"finish_reason": "error", "completion_tokens": 900},
}


def old_row(asked: Call, **changes: Any) -> tuple[Any, ...]:
    """A row of the second layout, of a good reply unless changed."""
    row = {
        "key": asked.key, "max_tokens": asked.max_tokens, "attempt": 1, "stage": "generate", "name": "writer",
        "model": asked.model, "request": asked.request, "text": ANSWER, "finish_reason": "stop", "prompt_tokens": 7,
        "completion_tokens": 9, "logprobs": None, "error": None, "mode": "", "engine": "e",
        "created_at": "2026-11-01T00:00:00.000000+00:00",
    } | changes  # fmt: skip
    return (id_of((*row.values(), *(None for _ in ADDED))), *row.values())


def test_what_was_kept_without_its_reasoning_is_found_and_nothing_else(open_ledger: OpenLedger, tmp_path: Path) -> None:
    kept = [old_row(call(how), **changes) for how, changes in (LOST | WHOLE).items()]
    old_file(tmp_path / "ledger.sqlite", [*kept, old_row(Call("other", "r", [], {}, 0), completion_tokens=900)])
    ledger = open_ledger()
    for how in ("hidden, and counted", "encrypted"):  # this version's: the server shows no more
        said = {"content": "5"} | ({"reasoning_details": [{"data": "x"}]} if how == "encrypted" else {})
        usage = {} if how == "encrypted" else {"completion_tokens_details": {"reasoning_tokens": 90}}
        ledger.append(call(how), wire.read_body(200, body(said, **usage), "e").reply, "generate", "writer")
    hows = [*LOST, *WHOLE, "hidden, and counted", "encrypted", "never asked"]
    assert find_without_reasoning(ledger, [call(how).key for how in hows]) == [call(how).key for how in LOST]
    by_model = {row["model"]: row for row in count_calls(ledger)}
    assert {name: row["without_reasoning"] for name, row in by_model.items()} == {"m": len(LOST), "other": 1}
    assert (by_model["m"]["answered"], by_model["m"]["failed"]) == (len(LOST) + len(WHOLE), 2)
    assert drop_without_reasoning(ledger, "m") == len(LOST) and drop_without_reasoning(ledger, "m") == 0
    assert {row["model"]: row["without_reasoning"] for row in count_calls(ledger)} == {"m": 0, "other": 1}
    assert all((ledger.find(call(how)) is None) == (how in (*LOST, "failed", "none")) for how in LOST | WHOLE)


HIDDEN: dict[str, tuple[dict[str, Any], dict[str, Any], int | None]] = {  # message, usage, tokens that are hidden
    "counted": ({"content": ANSWER}, {"completion_tokens_details": {"reasoning_tokens": 90}}, 90),
    "counted, few": ({"content": ANSWER * 50}, {"completion_tokens_details": {"reasoning_tokens": 9}}, 9),
    "encrypted": ({"content": ANSWER, "reasoning_details": [{"data": "x"}]}, {"reasoning_tokens": 80}, 80),
    "a blank field": ({"content": ANSWER, "reasoning": ""}, {"reasoning_tokens": 70}, 70),
    "a limit": ({"content": None}, {"completion_tokens_details": {"reasoning_tokens": 100}}, 100),
    "not counted": ({"content": ANSWER}, {"completion_tokens": 900}, None),
}
SHOWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "in a field": ({"content": ANSWER, "reasoning": "2+3"}, {"reasoning_tokens": 90}),
    "inline": ({"content": f"<think>2+3</think>{ANSWER}"}, {"reasoning_tokens": 90, "completion_tokens": 900}),
    "none was thought": ({"content": ANSWER}, {"completion_tokens_details": {"reasoning_tokens": 0}}),
    "as many as bytes": ({"content": ANSWER}, {"completion_tokens": len(ANSWER.encode()) + SPARE_TOKENS}),
    "not counted at all": ({"content": ANSWER}, {"completion_tokens": None}),
}


def test_what_a_server_hides_is_told_from_what_was_lost(
    open_ledger: OpenLedger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is sent to buy again what no server sends, and nobody is told that a model did not think."""
    old_file(tmp_path / "ledger.sqlite", [old_row(call("lost"), completion_tokens=900)])
    ledger, calls = open_ledger(), [call(how) for how in ("lost", *HIDDEN, *SHOWN)]
    for how, (message, usage, *_) in (HIDDEN | SHOWN).items():
        sent = body(message, **usage)
        sent["choices"][0]["finish_reason"] = "length" if how == "a limit" else "stop"
        reply = wire.read_body(200, sent, "e").reply
        assert reply.error is None
        ledger.append(call(how), reply, "generate", "writer")
    assert find_without_reasoning(ledger, [asked.key for asked in calls]) == [call("lost").key]
    found = find_hidden_reasoning(ledger, "m", {asked.key for asked in calls})
    assert found == {call(how).key: tokens for how, (*_, tokens) in HIDDEN.items()}
    (counted,) = count_calls(ledger)
    assert (counted["without_reasoning"], counted["hidden_reasoning"]) == (1, len(HIDDEN))
    tell_of_lost_reasoning(ledger, calls, "generate", "writer")
    lost, hidden = capsys.readouterr().err.splitlines()
    assert lost.startswith("generate writer: 1 of 12 replies were kept without their reasoning")
    assert hidden == (
        "generate writer: 6 of 12 replies were thought about before they were answered, and the server keeps that to "
        "itself: 349 tokens, which are paid for. There is nothing to buy again; their traces have no reasoning"
    )


def test_what_was_bought_again_outlives_an_old_export(open_ledger: OpenLedger, tmp_path: Path) -> None:
    """The kind of fault: a reply of before comes back with a file, is the older one, and the better one goes for it."""
    old_file(tmp_path / "ledger.sqlite", [old_row(call("x"), completion_tokens=900)])
    ledger = open_ledger()
    ledger.export_file(tmp_path / "old.parquet")
    assert upkeep.drop_without_reasoning(ledger, "m") == 1
    whole = wire.read_body(200, body({"content": ANSWER, "reasoning": "2+3"}), "e").reply
    ledger.append(call("x"), whole, "generate", "writer")
    ledger.import_file(tmp_path / "old.parquet")
    assert (upkeep.prune(ledger), upkeep.drop_without_reasoning(ledger, "m")) == (0, 1)
    found = ledger.find(call("x"))
    assert found is not None and found.reasoning == "2+3"


def thinking(request: Request) -> Answer:
    answer = json.loads(good("It is 5.").body)
    answer["choices"][0]["message"]["reasoning_content"] = "2+3"
    answer["usage"]["completion_tokens"] = 900
    return shaped(answer)


def test_it_is_said_where_it_is_used_and_bought_again_when_asked(serve: Serve, tmp_path: Path) -> None:
    server = serve(thinking)
    params = served_params(tmp_path, server.url, 3, 1)
    params["budget"] |= {"prices": {"writer": {"prompt": 0.0, "completion": 1.0}}}
    params["renderings"] = {"count": False}  # what a student makes of them is another matter
    save(params, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        study = read()
        prompts = read_sources(study.sources)
    writer = study.generators["writer"]
    calls = make_calls(prompts, "writer", "r1", None, writer.sampling)
    file = tmp_path / ".curation/ledger.sqlite"
    old_file(
        file, [old_row(asked, completion_tokens=tokens) for asked, tokens in zip(calls, (900, 9, 800), strict=True)]
    )
    said = (
        "generate writer: 2 of 3 replies were kept without their reasoning, by a version that dropped it; `curation "
        "ledger prune --without-reasoning writer` deletes them, and the next run buys them again. It helps "
        "once: a server that keeps its reasoning to itself sends none then either\n"
    )
    assert ran(tmp_path, "stages.collect").returncode == 0
    generated = ran(tmp_path, "stages.generate", "writer")
    assert (generated.returncode, said in generated.stderr, server.requests) == (0, True, [])
    assert said in ran(tmp_path, "curation", "plan").stderr
    wrong = ran(tmp_path, "curation", "ledger", "prune", "--without-reasoning", "writr")
    assert (wrong.returncode, wrong.stderr) == (
        1, "error: ledger prune: no call of the model 'writr'; did you mean 'writer'?\n",
    )  # fmt: skip
    pruned = ran(tmp_path, "curation", "ledger", "prune", "--without-reasoning", "writer")
    assert pruned.stdout == (
        ".curation/ledger.sqlite: 2 replies kept without reasoning deleted, to be bought again by the next run\n"
    )
    again = ran(tmp_path, "stages.generate", "writer")
    assert (again.returncode, "without their reasoning" in again.stderr, len(server.requests)) == (0, False, 2)
    rows = pl.read_parquet(tmp_path / "data/traces/writer.parquet").sort("n_tokens")
    assert rows["reasoning"].to_list() == [None, "2+3", "2+3"]
    with Ledger(Params(path=str(file), recorded="none", offline=True, max_failed=0.0)) as ledger:
        assert count_calls(ledger)[0]["completion_tokens"] == 9 + 2 * 900
