"""`ask` against a server that misbehaves: each fault is the right reply, and no fault becomes another's."""

import socket
import threading
import time
import traceback
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
import pytest
from conftest import Serve
from pydantic import BaseModel, ConfigDict
from server import (
    BROKEN,
    DROPPED,
    NO_CHOICES,
    STALLED,
    TRICKLE,
    TWICE,
    Answer,
    ChatServer,
    Request,
    cut,
    endpoint,
    failing,
    good,
    knowing,
    shaped,
)

from curation.calls import pace
from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.endpoint import Endpoint
from curation.calls.ledger import Ledger
from curation.calls.wire import find_schema_error
from curation.core.errors import CurationError

KEY = "sk-planted-0123456789"


class Ratings(BaseModel):
    """A reply's shape, as a judge asks for it."""

    model_config = ConfigDict(extra="forbid")
    steps: Literal[1, 2, 3]


SHAPES = pytest.mark.parametrize(
    "schema", [pytest.param(None, id="free"), pytest.param(Ratings, id="schema", marks=pytest.mark.slow)]
)


def call(prompt: str = "p", **sampling: object) -> Call:
    return Call(
        "a-model",
        "r1",
        [{"role": "user", "content": prompt}],
        {"temperature": 0.0, "max_tokens": 8, "seed": 1, **sampling},
        0,
    )


def replies(to: Endpoint, calls: list[Call], schema: type[BaseModel] | None = None) -> dict[str, Reply]:
    """By prompt, what was heard."""
    heard: dict[str, Reply] = {}
    HttpEngine(to, schema)(iter(calls), lambda one, reply: heard.update({one.messages[-1]["content"]: reply}))
    return heard


def one_reply(server: ChatServer, schema: type[BaseModel] | None = None, **changes: object) -> Reply:
    return replies(server.endpoint(**changes), [call()], schema)["p"]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


FAULTS = {
    "503": (failing(503, "loading"), "HTTP 503: loading"),
    "vllm's": (Answer(b'{"object": "error", "message": "bad top_k"}', 400), "HTTP 400: bad top_k"),
    "400": (failing(400, "prompt too long"), "HTTP 400: prompt too long"),
    "422": (failing(422, "bad seed"), "HTTP 422: bad seed"),
    "429": (failing(429, "slow down"), "HTTP 429: slow down"),
    "500": (failing(500, "out of memory"), "HTTP 500: out of memory"),
    "html": (Answer(b"<html>\n<p>Bad\ngateway</p>", 502), "HTTP 502: <html> <p>Bad gateway</p>"),
    "dropped": (DROPPED, "the connection broke before the reply was whole"),
    "broken": (BROKEN, "the connection broke before the reply was whole"),
    "cut": (cut(), f"the body is not JSON: {cut().body.decode().strip()}"),
    "event stream": (Answer(b'data: {"choices": []}\n\n'), 'the body is not JSON: data: {"choices": []}'),
    "queued": (
        shaped({"status": "queued", "wait": "1 h"}),
        'the reply has no choice: {"status": "queued", "wait": "1 h"}',
    ),
    "errors": (shaped({"errors": [{"code": 7003}]}), 'the reply has no choice: {"errors": [{"code": 7003}]}'),
    "delta": (shaped({"choices": [{"delta": {}}]}), 'the reply has no message: {"choices": [{"delta": {}}]}'),
    "empty": (Answer(b""), "the body is not JSON"),
    "no choices": (NO_CHOICES, f"the reply has no choice: {NO_CHOICES.body.decode()}"),
    "null choice": (shaped({"choices": [None]}), 'the reply has no choice: {"choices": [null]}'),
    "a list": (shaped([]), "the reply has no choice: []"),
    "choices text": (shaped({"choices": "abc"}), 'the body is not a chat completion: {"choices": "abc"}'),
    "content list": (
        shaped({"choices": [{"message": {"content": [1]}, "finish_reason": "stop"}]}),
        "the reply is empty",
    ),
}


@SHAPES
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_error_that_says_what_happened(serve: Serve, fault: str, schema: type[BaseModel] | None) -> None:
    answer, said = FAULTS[fault]
    reply = one_reply(serve([answer]), schema)
    assert (reply.text, reply.finish_reason, reply.error) == (None, "error", said)


@SHAPES
@pytest.mark.parametrize("slow", [STALLED, TRICKLE], ids=["stalled", "trickle"])
def test_a_slow_body_is_given_up(serve: Serve, slow: Answer, schema: type[BaseModel] | None) -> None:
    reply = one_reply(serve([slow]), schema, timeout_s=0.2)
    assert (reply.text, reply.error) == (None, "no reply within 0.2 s")


KEPT = {
    "good": (good('{"steps": 2}'), '{"steps": 2}', "stop"),
    "other shape": (good('{"mood": [1]}'), '{"mood": [1]}', "stop"),
    "no JSON": (good("Sure! 5/5"), "Sure! 5/5", "stop"),
    "empty": (good(""), "", "stop"),
    "length": (good('{"steps":', "length"), '{"steps":', "length"),
    "whole at the limit": (good('{"steps": 2}', "length"), '{"steps": 2}', "length"),
    "content filter": (good(None, "content_filter"), None, "content_filter"),
    "refusal": (good(None, refusal="I will not."), "I will not.", "refusal"),
    "brackets": (good("[" * 4000), "[" * 4000, "stop"),
    "half a pair": (Answer(good("x").body.replace(b'"x"', rb'"a\ud83d"')), "a?", "stop"),
}


@SHAPES
@pytest.mark.parametrize("case", KEPT)
def test_what_a_model_says_is_kept_as_it_is(
    serve: Serve, ledger: Ledger, case: str, schema: type[BaseModel] | None
) -> None:
    answer, text, finish_reason = KEPT[case]
    to = serve([answer]).endpoint()
    [reply] = ledger.fulfil([call()], HttpEngine(to, schema), "judge", "j")
    assert (reply.completion, reply.finish_reason, reply.error) == (text, finish_reason, None)
    assert (reply.prompt_tokens, reply.completion_tokens, reply.engine) == (7, 3, "fake fake-1")
    assert ledger.find(call()) == reply


@SHAPES
def test_a_bad_reply_is_not_asked_again(serve: Serve, schema: type[BaseModel] | None) -> None:
    server = serve([good("not JSON")])
    one_reply(server, schema, max_retries=3)
    assert len(server.requests) == 1


@SHAPES
@pytest.mark.parametrize("fault", [failing(429), failing(500), DROPPED], ids=["429", "500", "dropped"])
def test_a_passing_fault_is_tried_again(serve: Serve, fault: Answer, schema: type[BaseModel] | None) -> None:
    server = serve([fault, good('{"steps": 1}')])
    assert one_reply(server, schema, max_retries=2).text == '{"steps": 1}'
    assert len(server.requests) == 2


def test_retries_end(serve: Serve) -> None:
    server = serve([failing(429, "slow down")])
    assert one_reply(server, max_retries=2).error == "HTTP 429: slow down"
    assert len(server.requests) == 3


PASSES = {
    "429": failing(429), "429 alone": failing(429, retry_after=None), "500": failing(500), "503": failing(503),
    "dropped": DROPPED, "broken": BROKEN, "cut": cut(), "no choices": NO_CHOICES, "stalled": STALLED,
}  # fmt: skip
STANDS = {
    "400": failing(400), "422": failing(422), "no completion": shaped({"choices": "abc"}),
    "length": good("x", "length"), "refusal": good(None, refusal="No."),
}  # fmt: skip


@pytest.mark.parametrize("fault", PASSES)
def test_every_attempt_is_a_row(serve: Serve, ledger: Ledger, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may pass is tried twice more, what will not is not, and the ledger has each attempt with its number."""
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.01)
    server = serve([PASSES[fault], PASSES[fault], good("fine")])
    to = server.endpoint(max_retries=2, timeout_s=0.5 if fault == "stalled" else 30.0)
    [reply] = ledger.fulfil([call()], HttpEngine(to), "generate", "g")
    kept = ledger.db.execute("SELECT attempt, error IS NULL, text FROM calls ORDER BY attempt").fetchall()
    assert (reply.text, kept) == ("fine", [(1, 0, None), (2, 0, None), (3, 1, "fine")])
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", STANDS)
def test_what_will_not_pass_is_not_tried_again(serve: Serve, fault: str) -> None:
    server = serve([STANDS[fault]])
    one_reply(server, max_retries=3)
    assert len(server.requests) == 1


def test_a_reply_sent_twice_answers_no_other_call(serve: Serve) -> None:
    server = serve(lambda request: TWICE if int(request.last_message[1:]) % 2 else good(request.last_message))
    heard = replies(server.endpoint(max_retries=2), [call(f"p{n}") for n in range(40)])
    assert {prompt: reply.text for prompt, reply in heard.items()} == {
        f"p{n}": "hello" if n % 2 else f"p{n}" for n in range(40)
    }


def test_failure_upon_failure_ends_the_run(serve: Serve) -> None:
    server = serve([failing(500, "boom")])
    with pytest.raises(CurationError) as caught:
        replies(server.endpoint(concurrency=2), [call(f"p{n}") for n in range(200)])
    assert (
        str(caught.value)
        == f"{server.url}: a-model: 25 calls in a row failed, the last with HTTP 500: boom; run again to go on"
    )
    assert len(server.requests) <= 27


def test_a_prompt_that_is_refused_first_worsens_no_other_mode(serve: Serve) -> None:
    server = serve(
        lambda request: failing(400, "too long") if request.last_message.startswith("p0") else good('{"steps": 3}')
    )
    heard = replies(server.endpoint(), [call("p0"), call("p1")], Ratings)
    assert (heard["p0"].error, heard["p1"].mode) == ("HTTP 400: too long", "json_schema")
    assert len(server.requests) == 4


def test_a_request_no_call_of_which_succeeds_ends_the_run(serve: Serve) -> None:
    server = serve([failing(400, "unknown parameter top_q")])
    with pytest.raises(
        CurationError,
        match="25 calls in a row failed, the last with HTTP 400: unknown parameter top_q; run again to go on",
    ):
        replies(server.endpoint(), [call(f"p{n}") for n in range(60)])
    assert len(server.requests) == 25


def test_a_reply_of_another_shape_is_shown_to_the_model(serve: Serve, ledger: Ledger) -> None:
    """Each attempt is kept with its text and charged; the last stands, whatever it is."""
    server = serve([good('{"steps": 9}'), good('{"steps": 2}')])
    to = server.endpoint(validation_retries=1)
    [reply] = ledger.fulfil([call()], HttpEngine(to, Ratings), "judge", "j")
    assert (reply.text, reply.mode) == ('{"steps": 2}', "json_schema")
    said = [str(message["content"]) for message in server.requests[1].body["messages"]]
    assert said[0] == "p" and '{"steps": 9}' in said[1] and "1 validation error" in said[2]
    kept = ledger.db.execute("SELECT text, error FROM calls ORDER BY attempt").fetchall()
    assert kept == [('{"steps": 9}', "not of the schema: 1 error(s)"), ('{"steps": 2}', None)]
    assert ledger.spending().calls == 2

    worse = serve([good("no"), good("never")])
    stands = replies(worse.endpoint(validation_retries=1), [call("b")], Ratings)["b"]
    assert (stands.text, stands.error, len(worse.requests)) == ("never", None, 2)


@pytest.mark.parametrize("knows", ["json_schema", "json_object", None])
def test_the_best_mode_the_server_knows_is_found_once(serve: Serve, knows: str | None) -> None:
    server = serve(knowing(knows, '{"steps": 3}'))
    heard = replies(server.endpoint(), [call(f"p{n}") for n in range(4)], Ratings)
    mode = knows or "prompt"
    assert [(reply.error, reply.mode) for reply in heard.values()] == [(None, mode)] * 4
    assert len(server.requests) == 4 + ("json_schema", "json_object", "prompt").index(mode)
    assert all(reply.finish_reason == "stop" and find_schema_error(Ratings, reply) is None for reply in heard.values())
    assert mode == "json_schema" or "steps" in str(server.requests[-1].body["messages"])


def test_a_call_whose_mode_is_refused_after_a_better_one_was_found_takes_that(serve: Serve) -> None:
    """Calls are under way in the first mode while the server's own is found: none of them is lost."""
    answered = threading.Event()

    def script(request: Request) -> Answer:
        answer = knowing(None, '{"steps": 3}')(request)
        if "response_format" not in request.body:
            answered.set()
        elif request.last_message.startswith("late"):
            assert answered.wait(30)
            time.sleep(0.05)  # until the engine has read the answer that has just been sent
        return answer

    heard = replies(serve(script).endpoint(concurrency=4), [call(p) for p in ("late1", "early", "late2")], Ratings)
    assert {(reply.error, reply.mode) for reply in heard.values()} == {(None, "prompt")}


@SHAPES
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_model_refused_stops_the_run(serve: Serve, status: int, schema: type[BaseModel] | None) -> None:
    server = serve([failing(status, "unknown\nmodel")])
    with pytest.raises(CurationError) as caught:
        replies(server.endpoint(), [call("a"), call("b")], schema)
    assert str(caught.value) == f"{server.url}: a-model: HTTP {status}: unknown model; check model and api_key_env"
    assert len(server.requests) == 1


@SHAPES
def test_a_dead_address_stops_the_run(schema: type[BaseModel] | None) -> None:
    url = f"http://127.0.0.1:{closed_port()}/v1"
    with pytest.raises(CurationError) as caught:
        replies(endpoint(url), [call()], schema)
    assert (
        str(caught.value)
        == f"{url}: no server answers; start one that serves a-model, or import a ledger with its replies"
    )


@SHAPES
@pytest.mark.parametrize(
    "poison", [failing(400, "too long"), DROPPED, cut(), good("", "length")], ids=["400", "dropped", "cut", "length"]
)
def test_one_poisoned_prompt_costs_one_reply(serve: Serve, poison: Answer, schema: type[BaseModel] | None) -> None:
    server = serve(lambda request: poison if request.last_message == "p3" else good(f"re {request.last_message}"))
    heard = replies(server.endpoint(concurrency=4), [call(f"p{n}") for n in range(8)], schema)
    assert {prompt for prompt, reply in heard.items() if reply.text != f"re {prompt}"} == {"p3"}
    assert len(heard) == 8


def test_concurrency_is_a_limit(serve: Serve) -> None:
    busy, most = list[str](), list[int]()

    def slowly(request: Request) -> Answer:
        busy.append(request.last_message)
        most.append(len(busy))
        time.sleep(0.03)
        busy.remove(request.last_message)
        return good("x")

    replies(serve(slowly).endpoint(concurrency=3), [call(f"p{n}") for n in range(12)])
    assert 2 <= max(most) <= 3


def test_the_request_is_the_call(serve: Serve) -> None:
    server = serve([good('{"steps": 1}')])
    asked_for = call(top_k=7, logprobs=True, top_logprobs=4)
    replies(server.endpoint(), [asked_for], Ratings)
    body = server.requests[0].body
    assert {"model": body["model"], "messages": body["messages"]} == {
        "model": "a-model",
        "messages": asked_for.messages,
    }
    assert {name: body[name] for name in asked_for.sampling} == asked_for.sampling
    assert body["response_format"]["json_schema"]["schema"]["properties"]["steps"]["enum"] == [1, 2, 3]


def test_log_probabilities_are_kept_in_the_ledgers_form(serve: Serve) -> None:
    server = serve([good("5", logprobs=[("5", {"5": -0.1234567, "4": -2.0}), ("!", {})])])
    assert one_reply(server).logprobs == [["5", {"5": -0.123457, "4": -2.0}], ["!", {}]]


def test_log_probabilities_without_alternatives(serve: Serve) -> None:
    position = {"token": "x", "logprob": -0.1, "top_logprobs": None}
    server = serve(
        [
            shaped(
                {
                    "choices": [
                        {"message": {"content": "x"}, "finish_reason": "stop", "logprobs": {"content": [position]}}
                    ]
                }
            )
        ]
    )
    assert one_reply(server).logprobs == [["x", {}]]


def echo(request: Request) -> Answer:
    """A rude server: its error repeats the credential it got."""
    return failing(400, f"bad credential {request.authorization}") if request.last_message == "rude" else good("fine")


def test_a_planted_key_stays_out_of_ledger_and_export(
    serve: Serve, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", f"{KEY}\n")
    server = serve(echo)
    to = server.endpoint(api_key_env="PLANTED")
    kept = ledger.fulfil([call("p"), call("rude")], HttpEngine(to), "generate", "g")
    assert {request.authorization for request in server.requests} == {f"Bearer {KEY}"}
    assert [reply.error for reply in kept] == [None, "HTTP 400: bad credential Bearer [key]"]
    ledger.export_file(tmp_path / "out.parquet")
    assert KEY not in str(pq.read_table(tmp_path / "out.parquet").to_pylist())
    assert {file.name for file in tmp_path.iterdir()} >= {"ledger.sqlite", "ledger.sqlite-wal", "out.parquet"}
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_planted_key_stays_out_of_the_error(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    server = serve(lambda request: failing(401, f"no such key: {request.authorization}"))
    with pytest.raises(CurationError) as caught:
        replies(server.endpoint(api_key_env="PLANTED"), [call()])
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert "HTTP 401: no such key: Bearer [key];" in str(caught.value)


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_key_is_named(serve: Serve, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("PLANTED", raising=False) if value is None else monkeypatch.setenv("PLANTED", value)
    server = serve([good("x")])
    with pytest.raises(CurationError, match=r"environment variable PLANTED \(api_key_env\) is not set; export it"):
        replies(server.endpoint(api_key_env="PLANTED"), [call()])
    assert server.requests == []
