"""Reward models as judges, behind a server that speaks as vLLM does, and misbehaves.

Kinds of fault: a reply that holds no finite number, kept as a score; a score of another step; a call that is bought
twice; a key that is told.
"""

import json
import re
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ran, save, served_params
from server import DROPPED, Answer, ChatServer, Request, Script, cut, failing, good, shaped
from test_rubric import prompts, traces
from tiny import TEMPLATE, byte_tokenizer

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.judging.judge import judge
from curation.judging.judges import reward
from curation.models import weights
from curation.tables.contracts import JUDGMENTS
from curation.tables.parquet import check

KEY = "sk-planted-0123456789"
USAGE = {"prompt_tokens": 12, "total_tokens": 12, "completion_tokens": 0, "prompt_tokens_details": None}
STEPS = {"separator": r"\n+", "token": "<extra_0>", "label": 1, "aggregate": "min"}


def body(route: str, value: Any) -> dict[str, Any]:
    """A reply as vLLM's protocol has it."""
    head = {"id": "r-1", "object": "list", "created": 0, "model": "rm", "usage": USAGE}
    if route == "classify":
        labels = len(value) if isinstance(value, list) else 1
        return head | {"data": [{"index": 0, "label": "LABEL_0", "probs": value, "num_classes": labels}]}
    if route == "pooling":
        return head | {"data": [{"index": 0, "object": "pooling", "data": value}]}
    if route == "score":
        return head | {"data": [{"index": 0, "object": "score", "score": value}]}
    result = {"index": 0, "document": {"text": "5", "multi_modal": None}, "relevance_score": value}
    return {"id": "r-1", "model": "rm", "usage": {"prompt_tokens": 12, "total_tokens": 12}, "results": [result]}


def said(request: Request) -> str:
    """What is to be scored, whatever the route."""
    sent = request.body
    return str(sent.get("text_2") or (sent.get("documents") or [""])[0] or sent["messages"][-1]["content"])


@pytest.fixture
def serve_scores() -> Any:
    """Starts a server of all routes for a script; all end with the test."""
    routes = [f"/{route}" for route in ("classify", "pooling", "score", "rerank", "predict")]
    with ExitStack() as running:
        yield lambda script: running.enter_context(ChatServer(script, routes))


def settings(server: ChatServer, /, route: str = "classify", extra: Any = None, **changes: Any) -> reward.Params:
    asked = {name: changes.pop(name) for name in ("max_retries", "concurrency", "timeout_s") if name in changes}
    own = {name: changes.pop(name) for name in ("server", "template_date") if name in changes}
    address = server.url.removesuffix("/v1")
    engine = {"kind": "served", "route": route, "endpoint": server.endpoint(base_url=address, **asked).model_dump()}
    named = {"kind": "reward", "model": "rm", "revision": "r1", "dimensions": ["reward"]}
    return reward.Params.model_validate(
        named | {"engine": engine | own | ({"extra": extra} if extra else {})} | changes
    )


def judged(judge_: reward.Params, ledger: Ledger, *completions: str | None) -> pl.DataFrame:
    rows = judge("reward", judge_, traces(*completions), prompts(), ledger)
    check(JUDGMENTS, rows, "judgments")
    return rows.sort("trace_id", "dimension")


@pytest.mark.parametrize(("route", "request_", "value", "score"), [
    ("classify", {"messages": 2, "add_generation_prompt": False, "use_activation": False}, [1.25], 1.25),
    ("pooling", {"messages": 2, "add_generation_prompt": False, "use_activation": False}, [0.5], 0.5),
    ("pooling", {"messages": 2, "add_generation_prompt": False, "use_activation": False}, [[9.0], [8.0], [0.5]], 0.5),
    ("score", {"text_1": "What is 2 + 3?", "text_2": "5", "use_activation": False}, -3.5, -3.5),
    ("rerank", {"query": "What is 2 + 3?", "documents": ["5"], "use_activation": False}, 7, 7.0),
])  # fmt: skip
def test_each_route_is_asked_and_read_as_vllm_has_it(
    serve_scores: Any, ledger: Ledger, route: str, request_: dict[str, Any], value: Any, score: float
) -> None:
    server = serve_scores([shaped(body(route, value))])
    rows = judged(settings(server, route, {"use_activation": False}), ledger, "5")
    assert rows.select("score", "status", "rationale").rows() == [(score, "scored", None)]
    [asked] = server.requests
    sent = asked.body | ({"messages": len(asked.body["messages"])} if "messages" in asked.body else {})
    assert (asked.path, sent) == (f"/{route}", {"model": "rm", **request_})
    assert judged(settings(server, route, {"use_activation": False}), ledger, "5").equals(rows)
    assert len(server.requests) == 1


NO_SCORES: dict[str, Answer] = {
    "null": shaped(body("classify", [None])),
    "text": shaped(body("classify", ["1.5"])),
    "true": shaped(body("classify", [True])),
    "not a number": Answer(json.dumps(body("classify", [float("nan")])).encode()),
    "infinite": Answer(json.dumps(body("classify", [float("inf")])).encode()),
    "too large": shaped(body("classify", [1e300])),
    "thousands of digits": Answer(json.dumps(body("classify", [0])).replace("[0]", f"[{'9' * 5000}]").encode()),
    "no number": shaped(body("classify", [])),
    "a number alone": shaped({"score": 1.0}),
    "two results": shaped(body("classify", [1.0]) | {"data": body("classify", [1.0])["data"] * 2}),
    "no result": shaped(body("classify", [1.0]) | {"data": []}),
    "a chat completion": good("5"),
    "a list": shaped([1.0]),
    "an error in a good body": shaped({"error": {"message": f"boom {KEY}"}}),
    "refused": failing(400, f"too long {KEY}"),
    "server error": failing(500),
    "dropped": DROPPED,
    "cut": cut(),
}


@pytest.mark.parametrize("case", NO_SCORES)
def test_a_reply_without_a_finite_number_is_a_failed_attempt(
    serve_scores: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """And is asked again by the next run; the row of the other trace is what it was."""
    monkeypatch.setenv("PLANTED", KEY)
    faulty = serve_scores(lambda request: NO_SCORES[case] if said(request) == "bad" else shaped(body("classify", [2])))
    asked = settings(faulty)
    asked.engine.endpoint.__dict__["api_key_env"] = "PLANTED"  # type: ignore[union-attr]
    assert judged(asked, ledger, "bad", "fine").select("score", "status").rows() == [(None, "error"), (2.0, "scored")]
    kept = ledger.db.execute("SELECT error FROM calls ORDER BY error IS NULL").fetchall()
    assert len(kept) == 2 and kept[0][0] and kept[1][0] is None and KEY not in kept[0][0]
    faulty.script = lambda request: shaped(body("classify", [1]))
    assert judged(asked, ledger, "bad", "fine")["score"].to_list() == [1.0, 2.0]
    assert len(faulty.requests) == 3


@pytest.mark.slow
def test_a_failure_that_may_pass_is_tried_again(serve_scores: Any, ledger: Ledger) -> None:
    script: Script = [failing(503), shaped(body("classify", [None])), shaped(body("classify", [1.5]))]
    server = serve_scores(script)
    assert judged(settings(server, max_retries=2), ledger, "5")["score"].to_list() == [1.5]
    assert len(server.requests) == 3


def test_a_server_that_has_no_such_route_is_told_of(serve: Any, ledger: Ledger) -> None:
    """vLLM has /classify beside /v1, and others within it."""
    with pytest.raises(CurationError, match=r"HTTP 404: no route /classify; check model, api_key_env, route and base"):
        judged(settings(serve([good("5")])), ledger, "5")


@pytest.mark.parametrize(("value", "status"), [
    ([[0.1, 0.9], [0.8, 0.2]], "scored"), ([[0.1, 0.9]], "error"), ([[0.1, 0.9]] * 3, "error"), ([0.9, 0.2], "error"),
    ([[0.9], [0.2]], "unparsable"), ([[0.1, 0.9], [0.8, None]], "error"), ([[0.1, 0.9], 0.2], "error"),
])  # fmt: skip
def test_every_step_has_its_score_or_the_trace_has_none(
    serve_scores: Any, ledger: Ledger, value: Any, status: str
) -> None:
    """As vLLM serves Qwen2.5-Math-PRM: a row of two probabilities for each token that ends a step."""
    server = serve_scores([shaped(body("pooling", value))])
    [row] = judged(settings(server, "pooling", steps=STEPS), ledger, "2 and 3\n\nIt is 5.").rows(named=True)
    assert server.requests[0].body["messages"][-1]["content"] == "2 and 3<extra_0>It is 5.<extra_0>"
    whole = (0.2, "0.9, 0.2") if status == "scored" else (None, row["rationale"])
    assert (row["score"], row["rationale"], row["status"]) == (*whole, status)


def test_other_sums_of_steps_ask_nothing(serve_scores: Any, ledger: Ledger) -> None:
    server = serve_scores([shaped(body("pooling", [[0.5, 0.5], [0.75, 0.25]]))])
    found = [
        judged(settings(server, "pooling", steps=STEPS | changes), ledger, "a\nb")["score"][0]
        for changes in ({}, {"label": 0}, {"aggregate": "mean"}, {"aggregate": "product"}, {"aggregate": "last"})
    ]
    assert found == [0.25, 0.5, 0.375, 0.125, 0.25]
    assert len(server.requests) == 1


def test_tools_are_told_to_no_route_of_messages(serve_scores: Any, ledger: Ledger) -> None:
    """Kind: a score of a conversation that lacks a part. As a text of two they stand under a heading."""
    tools = json.dumps([{"type": "function", "function": {"name": "add", "parameters": {}}}])
    asked = prompts().with_columns(tools=pl.lit(tools))
    server = serve_scores(lambda request: shaped(body(request.path[1:], 1.0 if "text_1" in request.body else [1.0])))
    [row] = judge("reward", settings(server), traces("5"), asked, ledger).rows(named=True)
    assert (row["status"], row["rationale"]) == (
        "error",
        "the prompt has tools, of which no route for reward models is told",
    )
    [row] = judge("reward", settings(server, "score"), traces("5"), asked, ledger).rows(named=True)
    assert row["score"] == 1.0 and [tools in request.body["text_1"] for request in server.requests] == [True]


TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
OTHERS: list[tuple[str, str, Any, Any]] = [  # server, route, its reply of one and of two labels, its own fields
    ("sglang", "classify", [{"embedding": [-24.25], "meta_info": {"id": "f", "prompt_tokens": 12}}, 
                            [{"embedding": [1.5, -0.5], "meta_info": {"id": "f", "prompt_tokens": 12}}]], {}),
    ("tei", "predict", [[{"score": -24.25, "label": "helpful"}],
                        [{"score": 1.5, "label": "LABEL_0"}, {"score": -0.5, "label": "LABEL_1"}][::-1]],
     {"raw_scores": True}),
    ("tei", "rerank", [[{"index": 0, "score": -24.25}]], {"raw_scores": True}),
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`model` and `revision` of a judge whose chat template reads tools, and opens with the token that the tokenizer
    opens a text with."""
    from tokenizers.processors import TemplateProcessing

    folder, made = tmp_path_factory.mktemp("model"), byte_tokenizer()
    made.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    made.chat_template = "<s>{% if tools %}{{ tools | tojson }}\n{% endif %}" + TEMPLATE.removeprefix("<s>")
    made.save_pretrained(folder)
    return {"model": str(folder), "revision": weights.fingerprint(folder)}


@pytest.mark.parametrize(("server", "route", "replies", "extra"), OTHERS)
def test_other_servers_are_sent_what_the_model_reads(
    serve_scores: Any, ledger: Ledger, tokenizer: dict[str, Any], server: str, route: str, replies: Any, extra: Any
) -> None:
    """Kind: a conversation that a server reads otherwise than the model was taught, or a score of another label. SGLang
    and TEI take one text of a reward model, and open it as the tokenizer does; TEI has labels by their scores."""
    asked = prompts().with_columns(tools=pl.lit(json.dumps(TOOLS)))
    for labels, reply in enumerate(replies, 1):
        far, said = serve_scores([shaped(reply)]), "5" * labels
        here = settings(far, route, extra, server=server, dimensions=["reward", "safe"][:labels], **tokenizer)
        rows = judge("reward", here, traces(said), asked, ledger).sort("dimension")
        assert rows["status"].to_list() == ["scored"] * labels
        assert rows["score"].to_list() == ([-24.25] if labels == 1 else [1.5, -0.5])
        [sent] = far.requests
        text = sent.body.get("text", sent.body.get("inputs"))
        if route == "rerank":
            assert sent.body == {"query": sent.body["query"], "texts": [said], **extra}
            assert "What is 2 + 3?" in sent.body["query"] and json.dumps(TOOLS) in sent.body["query"]
            continue
        made = weights.tokenizer(here.model, here.revision)
        turns = [{"role": "user", "content": "What is 2 + 3?"}, {"role": "assistant", "content": said}]
        meant = made.apply_chat_template(turns, tools=TOOLS, return_dict=True)["input_ids"]
        assert made(text)["input_ids"] == meant and meant.count(0) == 1
        assert sent.body == ({"model": here.model, "text": text} if server == "sglang" else {"inputs": text}) | extra
        assert judge("reward", here, traces(said), asked, ledger).sort("dimension").equals(rows)
        assert len(far.requests) == 1


NO_PREDICTIONS: list[tuple[str, str, Any]] = [
    ("sglang", "classify", {"embedding": []}), ("sglang", "classify", {"embedding": [None]}),
    ("sglang", "classify", [{"embedding": [1.0]}] * 2), ("sglang", "classify", body("classify", [1.0])),
    ("tei", "predict", []), ("tei", "predict", [{"label": "a"}]), ("tei", "predict", [{"score": "1", "label": "a"}]),
    ("tei", "predict", [{"score": 1.0, "label": "a"}, {"score": 0.5, "label": "b"}]),
    ("tei", "predict", [{"score": 1.0, "label": "LABEL_0"}, {"score": 0.5, "label": "LABEL_0"}]),
    ("tei", "predict", [[{"score": 1.0, "label": "a"}]]), ("tei", "rerank", [{"index": 0, "score": 1.0}] * 2),
    ("tei", "rerank", {"results": [{"index": 0, "relevance_score": 1.0}]}),
]  # fmt: skip


@pytest.mark.parametrize(("server", "route", "reply"), NO_PREDICTIONS)
def test_what_other_servers_say_in_another_shape_is_no_score(
    serve_scores: Any, ledger: Ledger, tokenizer: dict[str, Any], server: str, route: str, reply: Any
) -> None:
    here = settings(serve_scores([shaped(reply)]), route, server=server, **tokenizer)
    assert judged(here, ledger, "5").select("score", "status").rows() == [(None, "error")]


def test_a_conversation_that_cannot_be_written_whole_is_not_sent(
    serve_scores: Any, ledger: Ledger, tmp_path: Path
) -> None:
    """A template that reads no tools, or leaves out what is to be scored; a tokenizer that ends each text."""
    from tokenizers.processors import TemplateProcessing

    ended = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    cases = [
        (TEMPLATE, None, TOOLS, "the prompt has tools, and the chat template reads none"),
        ("{{ messages[0].content }}", None, None, "the chat template leaves out some of what is to be scored; "),
        (TEMPLATE, ended, None, "a server would read tokens that the chat template does not write; score it here"),
    ]
    far = serve_scores([])
    for number, (template, processor, tools, why) in enumerate(cases):
        made = byte_tokenizer()
        made.chat_template = template
        if processor:
            made.backend_tokenizer.post_processor = processor
        folder = tmp_path / str(number)
        made.save_pretrained(folder)
        here = settings(far, server="sglang", model=str(folder), revision=weights.fingerprint(folder))
        asked = prompts().with_columns(tools=pl.lit(json.dumps(tools) if tools else None, pl.String))
        [row] = judge("reward", here, traces("5"), asked, ledger).rows(named=True)
        assert row["status"] == "error" and str(row["rationale"]).startswith(why)
    assert far.requests == []


def test_a_server_has_its_own_routes(serve_scores: Any) -> None:
    far = serve_scores([])
    for server, route, changes, why in (
        ("sglang", "pooling", {}, "sglang has no route pooling; name classify"),
        (None, "predict", {}, "vllm has no route predict; name classify or pooling or score or rerank"),
        (
            "tei",
            "rerank",
            {"template_date": "2026-01-01"},
            "template_date is for texts written here, and rerank is sent",
        ),
    ):
        with pytest.raises(ValueError, match=why):
            settings(far, route, server=server, **changes)


def test_a_call_of_a_tool_is_worded_for_servers(serve_scores: Any, ledger: Ledger) -> None:
    """Its arguments are JSON text there, and values in tables."""
    call = {"type": "function", "id": "c1", "function": {"name": "add", "arguments": {"a": 2}}}
    turns = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "5", "tool_call_id": "c1"},
    ]
    asked = prompts().with_columns(messages=pl.lit(json.dumps(turns)))
    server = serve_scores([shaped(body("classify", [1.0]))])
    assert judge("reward", settings(server), traces("5"), asked, ledger)["score"].to_list() == [1.0]
    sent = server.requests[0].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 2}


def test_the_pages_settings_are_sound() -> None:
    """docs/judging.md: the local model, and the steps."""
    page = (Path(__file__).parents[1] / "docs/judging.md").read_text()
    blocks = [YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    [local] = [body for block in blocks for body in block.get("judges", {}).values() if body["kind"] == "reward"]
    [steps] = [block["steps"] for block in blocks if "steps" in block]
    for settings_ in (local, local | {"steps": steps}):
        assert list(reward.Params.model_validate(settings_).mistakes(None)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("route", "changes", "why"), [
    ("classify", {"steps": STEPS}, "engine.route: classify gives one score to all steps; pooling gives one to each"),
    ("score", {"steps": STEPS}, "engine.route: score gives one score to all steps; pooling gives one to each"),
])  # fmt: skip
def test_steps_want_a_route_that_scores_them(serve_scores: Any, route: str, changes: dict[str, Any], why: str) -> None:
    asked = settings(serve_scores([good("5")]), route, **changes)
    assert list(asked.mistakes(None)) == [why]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_selection_ranks_by_a_reward(serve_scores: Any, tmp_path: Path) -> None:
    """From prompts to a subset: planned, bought once, and the pair of the largest difference first."""
    writer = ChatServer(lambda request: good(f"It is {request.body['seed'] % 97}."))
    scorer = serve_scores(lambda request: shaped(body("classify", [float(said(request).strip("It is."))])))
    with writer:
        params = served_params(tmp_path, writer.url, prompts=4, samples=3)
        endpoint = params["judges"]["rubric"]["endpoint"] | {"base_url": scorer.url.removesuffix("/v1")}
        params["judges"] = {"answer": params["judges"]["answer"], "reward": {
            "kind": "reward", "model": "rm", "revision": "r1", "dimensions": ["reward"],
            "engine": {"kind": "served", "route": "classify", "endpoint": endpoint},
        }}  # fmt: skip
        params["selections"] = {"best": params["selections"]["all"] | {
            "value": "reward.delta_reward", "keep": {"kind": "top"}, "budget": {"pairs": 3},
        }}  # fmt: skip
        params["renderings"], params["student"] = {"count": False}, params["student"] | {"revision": None}
        params["budget"] |= {"prices": {"rm": {"prompt": 1.0, "completion": 1.0}}}
        save(params, tmp_path)
        planned = json.loads(ran(tmp_path, "curation", "plan", "--json").stdout)["stages"][1]
        assert (planned["name"], planned["calls"], planned["completion_tokens"]) == ("reward", 12, 0)
        assert planned["at_most"] and planned["usd"] > 0 and planned["basis"] == "4 characters a token"
        for stage in (["collect"], ["generate", "writer"], ["renderings"], ["judge", "answer"], ["judge", "reward"],
                      ["pair"], ["delta"], ["select", "best"]):  # fmt: skip
            done = ran(tmp_path, f"stages.{stage[0]}", *stage[1:])
            assert done.returncode == 0, done.stderr
        told = ran(tmp_path, "curation", "batch", "write", "judge", "reward", "out.jsonl")
        assert told.returncode == 1 and not (tmp_path / "out.jsonl").exists()
        assert told.stderr == (
            "error: batch: judge reward is a reward model, whose scores are no chat completions, so no batch file can "
            "hold its calls; `dvc repro judge@reward` asks them live\n"
        )
    data = tmp_path / "data"
    scores = pl.read_parquet(data / "judgments/reward.parquet").select("trace_id", "score")
    pairs = pl.read_parquet(data / "pairs.parquet").filter(~pl.col("identical"))
    for side in ("chosen", "rejected"):
        pairs = pairs.join(scores.rename({"trace_id": f"{side}_trace_id", "score": side}), on=f"{side}_trace_id")
    best = pairs.sort(pl.col("chosen") - pl.col("rejected"), descending=True)[:3]
    kept = pl.read_parquet(data / "selections/best.parquet").filter("kept")
    assert sorted(kept["pair_id"]) == sorted(best["pair_id"]) and kept.height == 3
    distinct = pl.read_parquet(data / "traces/writer.parquet").select("prompt_id", "completion").n_unique()
    assert len(scorer.requests) == distinct
    with closing(sqlite3.connect(tmp_path / params["ledger"]["path"])) as db:
        rows = db.execute("SELECT text, completion_tokens, prompt_tokens FROM calls WHERE stage = 'judge'").fetchall()
    assert len(rows) == distinct and {row[1:] for row in rows} == {(0, 12)}
