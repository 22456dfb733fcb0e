"""Fields of a request that the user declares, and tools: they reach whatever answers, by each way that a call may go,
and are part of its key; a call without them is the call that it was.

Kinds of fault: a field that is set twice, once by us; a secret that would be kept with every call; a setting that an
engine, a server or a template does nothing with, and nobody says so; a form of tool calls that its reader cannot read.
"""

import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import Serve
from pydantic import ValidationError
from served import answering, ran, save, served_params
from server import Request, failing, good, knowing
from test_chat import Ratings, replies
from test_params import broken
from test_vllm import ENGINE
from tiny import TEMPLATE, save_tiny_llama

from curation.calls import extra as declared
from curation.calls.call import Call, Reply, key_of
from curation.calls.chat import HttpEngine
from curation.calls.tool_calls import for_server
from curation.calls.worker import Worker
from curation.core.errors import CurationError
from curation.judging import prompting
from curation.models import weights
from curation.models.call_rendering import render_call
from curation.models.engines import _vllm_process, transformers, vllm
from curation.traces.sampling import GenerationSampling, make_calls

ASKED = [{"role": "user", "content": "What is 2 + 3?"}]
SAMPLING = {"temperature": 0.7, "top_p": 1.0, "top_k": 50, "max_tokens": 96}
GENERATION = SAMPLING | {"samples": 1, "seed": 0}
EXTRA = {"reasoning_effort": "high", "min_p": 0.05, "chat_template_kwargs": {"enable_thinking": False}}
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
CALLED = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"numbers": [2, 3]}}}
USED = [
    *ASKED,
    {"role": "assistant", "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "5"},
]
KEY = "319dfbd666389a701f9ed67d00713a8b99c368ccc19d376341d13c5e81b10f00"  # of PLAIN, as version 0.1 made it


def call(messages: list[dict[str, Any]] = ASKED, tools: Any = None, **sampling: Any) -> Call:
    return Call("a-model", "r1", messages, {**SAMPLING, "seed": 7, **sampling}, 0, None, tools)


def of(sampling: dict[str, Any]) -> Call:
    prompts = pl.DataFrame({"prompt_id": [1], "prompt": [ASKED], "messages": [None], "tools": [None]})
    return make_calls(prompts, "a-model", "r1", None, GenerationSampling.model_validate(sampling))[0]


def test_a_call_without_them_is_the_call_that_it_was() -> None:
    assert call().key == KEY == call(tools=[]).key == key_of(call().request)
    assert {of(GENERATION | given).key for given in ({}, {"extra": {}}, {"extra": None})} == {of(GENERATION).key}


def test_each_of_them_is_in_the_key_and_the_order_of_names_is_not() -> None:
    keys = [of(GENERATION | {"extra": given}).key for given in ({}, {"min_p": 0.1}, {"min_p": 0.2}, EXTRA)]
    keys += [call(tools=TOOLS).key, call(USED).key, call().key]
    assert len(set(keys)) == len(keys)
    assert of(GENERATION | {"extra": dict(reversed(EXTRA.items()))}).key == keys[3]
    asked = call(USED, TOOLS, **EXTRA)
    assert key_of(asked.request) == asked.key == pickle.loads(pickle.dumps(asked)).key


def test_a_prompts_whole_messages_and_its_tools_are_called_with() -> None:
    row = {"prompt_id": 1, "prompt": ASKED, "messages": json.dumps(USED), "tools": json.dumps(TOOLS)}
    (asked,) = make_calls(pl.DataFrame([row]), "a-model", "r1", "Add.", GenerationSampling.model_validate(GENERATION))
    assert asked.messages == [{"role": "system", "content": "Add."}, *USED] and asked.tools == TOOLS
    assert "null" not in json.dumps(asked.messages)


def test_a_server_gets_them_as_they_are(serve: Serve) -> None:
    server = serve([good("5")])
    asked = call(USED, TOOLS, **EXTRA)
    assert {reply.text for reply in replies(server.endpoint(), [asked]).values()} == {"5"}
    body = server.requests[0].body
    assert {name: body[name] for name in EXTRA} == EXTRA and body["tools"] == TOOLS
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"numbers": [2, 3]}'
    assert body["messages"][::2] == USED[::2] and "content" not in body["messages"][1]
    assert asked.messages == USED and "tools" not in _body_of(serve, call())


def _body_of(serve: Serve, asked: Call) -> dict[str, Any]:
    server = serve([good("5")])
    replies(server.endpoint(), [asked])
    return server.requests[0].body


@pytest.mark.slow
def test_a_study_sends_them_live_and_by_batch(serve: Serve, tmp_path: Path) -> None:
    server = serve(answering)
    params = served_params(tmp_path, server.url, 2, 1)
    for section, name in (("generators", "writer"), ("judges", "rubric")):
        params[section][name]["sampling"] = params[section][name]["sampling"] | {"extra": EXTRA}
    save(params, tmp_path)
    assert ran(tmp_path, "stages.collect").returncode == 0
    assert ran(tmp_path, "curation", "batch", "write", "generate", "writer", "out.jsonl").returncode == 0
    written = [json.loads(line)["body"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert ran(tmp_path, "stages.generate", "writer").returncode == 0
    assert sorted(map(json.dumps, written)) == sorted(json.dumps(request.body) for request in server.requests)
    assert ran(tmp_path, "stages.judge", "rubric").returncode == 0
    assert len(server.requests) == 4
    assert all({name: request.body[name] for name in EXTRA} == EXTRA for request in server.requests)


def thinker(request: Request) -> Any:
    """As OpenAI's reasoning models refuse requests."""
    if "max_tokens" in request.body:
        return failing(400, "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    fixed = [name for name in ("temperature", "top_p") if name in request.body]
    return failing(400, f"Unsupported parameter: {fixed[0]!r}") if fixed else answering(request)


def test_a_reasoning_model_of_openais_is_asked_as_it_wants_live_and_by_batch(serve: Serve, tmp_path: Path) -> None:
    """The kind: a server that takes what a call says by another name. The calls, and so their keys, are the same."""
    server = serve(thinker)
    params = served_params(tmp_path, server.url, 2, 1, dialect="openai_reasoning")
    asking = [params["generators"]["writer"], params["judges"]["rubric"]]
    for one, more in zip(asking, ({"top_p": 1.0}, {}), strict=True):
        one["sampling"] |= {"temperature": 1.0} | more
    save(params, tmp_path)
    assert ran(tmp_path, "stages.collect").returncode == 0
    assert ran(tmp_path, "curation", "batch", "write", "generate", "writer", "out.jsonl").returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    for stage in (["stages.generate", "writer"], ["stages.judge", "rubric"]):
        done = ran(tmp_path, *stage)
        assert done.returncode == 0, done.stderr
    sent = [request.body for request in server.requests]
    assert sorted(json.dumps(line["body"]) for line in lines) == sorted(map(json.dumps, sent[:2])) and len(sent) == 4
    limits = [one["sampling"]["max_tokens"] for one in asking for _ in range(2)]
    assert [body["max_completion_tokens"] for body in sent] == limits
    for one in asking:
        del one["endpoint"]["dialect"]
    save(params, tmp_path)
    assert ran(tmp_path, "curation", "batch", "write", "generate", "writer", "out.jsonl").stderr.startswith(
        "error: batch write: generate writer: the ledger has all 2 calls"
    )


def test_a_temperature_that_such_a_model_does_not_take_is_sent_and_refused_in_its_words(serve: Serve) -> None:
    """Or the key would say one thing and the reply be another's."""
    server = serve(thinker)
    (reply,) = replies(server.endpoint(dialect="openai_reasoning"), [call(temperature=0.7)]).values()
    assert reply.error == "HTTP 400: Unsupported parameter: 'temperature'"
    assert "top_p" not in server.requests[0].body


def test_without_its_dialect_the_first_refusal_ends_the_run_and_says_what_to_set(serve: Serve) -> None:
    server = serve(thinker)
    with pytest.raises(CurationError, match=r"Use 'max_completion_tokens' instead\.; set endpoint\.dialect: openai_re"):
        replies(server.endpoint(), [call([{"role": "user", "content": str(number)}]) for number in range(9)])
    assert len(server.requests) == 1


def test_a_worker_of_a_cluster_hands_them_on(serve: Serve) -> None:
    server, asked = serve([good("5")]), call(USED, TOOLS, **EXTRA)
    worker = Worker(HttpEngine(server.endpoint()), "no folder of this node")
    answers = [said for answered in worker.answer([pickle.loads(pickle.dumps(asked))]) for said in answered]
    assert answers == [(asked.key, Reply("5", "stop", 7, 3, engine="fake fake-1"))]
    assert server.requests[0].body == _body_of(serve, asked)


@pytest.mark.parametrize("form", ["json_schema", "json_object", None])
def test_they_go_along_in_each_form_of_a_judges_request(serve: Serve, form: str | None) -> None:
    server = serve(knowing(form, '{"steps": 1}'))
    heard = replies(server.endpoint(), [call(**EXTRA)], Ratings)
    assert {reply.error for reply in heard.values()} == {None}
    assert all({name: request.body[name] for name in EXTRA} == EXTRA for request in server.requests)


def test_a_server_that_does_not_take_them_is_heard(serve: Serve, tmp_path: Path) -> None:
    def strict(request: Request) -> Any:
        unknown = [name for name in request.body if name in EXTRA]
        return failing(400, f"Unrecognized request argument supplied: {unknown[0]}") if unknown else answering(request)

    params = served_params(tmp_path, serve(strict).url, 2, 1)
    params["generators"]["writer"]["sampling"] |= {"extra": {"reasoning_effort": "low"}}
    save(params, tmp_path)
    assert ran(tmp_path, "stages.collect").returncode == 0
    done = ran(tmp_path, "stages.generate", "writer")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "the first with HTTP 400: Unrecognized request argument supplied: reasoning_effort" in done.stderr


WRITER, JUDGE = "generators.qwen-500m.sampling.extra", "judges.rubric.sampling.extra"


def test_what_the_toolkit_sends_itself_is_not_set_a_second_time(tmp_path: Path) -> None:
    for name in (*declared.OWN, "top_p", "top_k"):
        with pytest.raises(ValidationError, match=f"{name} is the toolkit's own to send: .*; leave it out"):
            GenerationSampling.model_validate(GENERATION | {"extra": {"min_p": 0.1, name: 1}})
    places = [WRITER, JUDGE, "evaluate.sampling.extra"]
    assert broken(tmp_path, {place: {"max_tokens": 5} for place in places}) == [
        f"{place}: max_tokens is the toolkit's own to send: sampling.max_tokens says it; leave it out"
        for place in sorted(places)
    ]


def test_a_judge_may_be_sent_what_it_does_not_set() -> None:
    extra = {"top_p": 0.9, "top_k": 5}
    own = {"temperature": 0.0, "max_tokens": 8, "seed": 0, "top_logprobs": 0}
    assert prompting.JudgeSampling.model_validate(own | {"extra": extra}).extra == extra


SECRETS: list[dict[str, Any]] = [
    {"api_key": "planted-secret"},
    {"API-KEY": "planted-secret"},
    {"provider": {"headers": {"Authorization": "planted-secret"}}},
    {"plugins": [{"auth_token": "planted-secret"}]},
    {"user": "Bearer planted-secret"},
    {"metadata": {"note": ["sk-planted-secret-0123456789"]}},
    {"password": "planted-secret"},
]


@pytest.mark.parametrize("given", SECRETS, ids=json.dumps)
def test_a_secret_is_refused_and_not_shown(tmp_path: Path, given: dict[str, Any]) -> None:
    (line,) = broken(tmp_path, {WRITER: given})
    assert line.startswith(f"{WRITER}: ") and "endpoint.api_key_env" in line and "planted-secret" not in line


def test_what_looks_like_a_secret_and_is_none_may_be_sent() -> None:
    sound = {
        "skip_special_tokens": False, "stop_token_ids": [1], "stop": ["token", "basic"], "thinking_token_budget": 5,
        "thinking": {"type": "enabled", "budget_tokens": 1024}, "user": "a-task-of-mine",
        "extra_body": {"google": {"thinking_config": {"include_thoughts": True}}},
    }  # fmt: skip
    assert of(GENERATION | {"extra": sound}).sampling.items() >= sound.items()


ODD = {
    "no mapping": (["min_p"], f"{WRITER}: ['min_p'] is not a mapping"),
    "no number": ({"min_p": float("nan")}, f"{WRITER}.min_p: nan is not a finite number"),
    "a template's settings that are none": (
        {"chat_template_kwargs": "thinking"},
        f"{WRITER}: chat_template_kwargs is no mapping of the chat template's settings",
    ),
    "a template's settings that are ours": (
        {"chat_template_kwargs": {"add_generation_prompt": False}},
        f"{WRITER}: chat_template_kwargs: add_generation_prompt is set where messages are rendered; leave it out",
    ),
}


@pytest.mark.parametrize("how", ODD)
def test_what_no_request_can_hold_is_one_line(tmp_path: Path, how: str) -> None:
    given, line = ODD[how]
    assert broken(tmp_path, {WRITER: given}) == [line]


def test_an_engine_here_refuses_what_it_does_nothing_with(tmp_path: Path) -> None:
    takes = "reasoning_effort, chat_template, chat_template_kwargs"
    here = {"generators.smollm2-135m.sampling.extra": EXTRA}
    assert broken(tmp_path, here) == [
        f"generators.smollm2-135m.sampling.extra.min_p: transformers on this machine takes {takes} and nothing else; "
        "leave it out, or serve the model and use kind openai"
    ]
    evaluated = {
        "evaluate.sampling.extra": {"logit_bias": {}},
        "evaluate.engine": ENGINE | {"python": None, "max_model_len": 256},
    }
    (line,) = broken(tmp_path, evaluated)
    assert line.startswith(f"evaluate.sampling.extra.logit_bias: vllm on this machine takes {takes}, min_p, ")


READS = (
    "{% if tools %}{% for t in tools %}<tool>{{ t.function.name }}{% endfor %}{% endif %}"
    "{% if reasoning_effort is defined %}<{{ reasoning_effort }}>{% endif %}"
    "{% if enable_thinking is defined and not enable_thinking %}<no_thinking>{% endif %}"
    "{% for m in messages %}{% for c in m.tool_calls or [] %}<call>{{ c.function.arguments.numbers[1] }}{% endfor %}"
    "{% endfor %}"
) + TEMPLATE.replace("m.content", "m.content or ''")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder = save_tiny_llama(tmp_path_factory.mktemp("tiny"))
    return weights.load(str(folder), weights.fingerprint(folder), "float32")


@pytest.mark.parametrize("arguments", [{"numbers": [2, 3]}, '{"numbers": [2, 3]}'], ids=["mapping", "text"])
def test_a_template_here_reads_them(tiny: tuple[Any, Any], arguments: Any) -> None:
    _, tokenizer = tiny
    used = json.loads(json.dumps(USED))
    used[1]["tool_calls"][0]["function"]["arguments"] = arguments
    told = {"reasoning_effort": "high", "chat_template_kwargs": {"enable_thinking": False}, "chat_template": READS}
    text = render_call(tokenizer, call(used, TOOLS, **told))
    assert text.startswith("<tool>add<high><no_thinking><call>3<|user|>What is 2 + 3?</s>")
    assert render_call(tokenizer, call()) == "<|user|>What is 2 + 3?</s><|assistant|>"


def test_a_template_that_wants_arguments_as_text_gets_text(tiny: tuple[Any, Any]) -> None:
    """As deepseek's does; trl ships it."""
    (package,) = importlib.util.find_spec("trl").submodule_search_locations  # type: ignore[union-attr, misc]
    template = (Path(package) / "chat_templates/deepseekv3.jinja").read_text()
    used = [ASKED[0], {**USED[1], "content": ""}, USED[2]]
    text = render_call(tiny[1], call(used, chat_template=template))
    assert '```json\n{"numbers": [2, 3]}\n```' in text
    said = {"messages": used, "as_text": [*map(for_server, used)], "template": {"chat_template": template}}
    assert tiny[1].decode(_vllm_process.write_prompt(tiny[1], said, {})) == text


def test_what_a_template_does_not_read_ends_the_run_before_a_token(tiny: tuple[Any, Any]) -> None:
    heard: list[Any] = []
    for asked, name in ((call(reasoning_effort="high"), "reasoning_effort"), (call(tools=TOOLS), "tools")):
        with pytest.raises(CurationError, match=rf"the chat template of .* reads no `{name}`; leave "):
            transformers.sample(*tiny, [call(), asked], 4, lambda call, reply: heard.append(reply))
    assert heard == []


HEARS = """
import json, sys
sys.stdin.readline()
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    said = json.loads(line)
    print(json.dumps({"key": said.pop("key"), "text": json.dumps(said), "finish_reason": "stop"}), flush=True)
"""


def test_vllm_in_a_process_gets_template_and_sampling_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    (tmp_path / "far.py").write_text(HEARS)
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/far.py"\n')
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    model = weights.Weights(str(tmp_path / "model.safetensors"), weights.fingerprint(tmp_path / "model.safetensors"))
    engine = vllm.Params.model_validate(ENGINE | {"python": str(tmp_path / "python")}).engine(model)
    heard: list[Reply] = []
    engine(iter([call(USED, TOOLS, **EXTRA)]), lambda call, reply: heard.append(reply))
    said = json.loads(heard[0].text or "")
    assert said["sampling"] == {**SAMPLING, "seed": 7, "min_p": 0.05}
    assert said["template"] == {"reasoning_effort": "high", "enable_thinking": False, "tools": TOOLS}
    assert said["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"numbers": [2, 3]}
