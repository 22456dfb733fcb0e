"""One reply in the dresses that it may come in, and the same row of `traces` each time.

The kind of fault: what a row says depends on which engine, server or file its words came through. REASONING and ANSWER
are written by hand, in the form in which models that think answer such a question.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from served import Done, ended, ran, save, served_params
from server import Answer, shaped
from test_cluster import cluster, over
from test_vllm import ENGINE
from tiny import byte_tokenizer, save_reciter

from curation.core.delimiters import HARMONY
from curation.models import weights
from curation.models.engines._decoding import Decoder
from curation.tables import contracts, parquet

__all__ = ["cluster"]  # a fixture

QUESTION = "What is 0 + 1?"
REASONING = "Okay, 0 + 1. Adding zero changes nothing, so it is 1.\n\nWait, is it? Yes: 0 + 1 = 1."
ANSWER = "Zero plus one is one.\n\n\\boxed{1}"
MARKS = {"think": ("<think>", "</think>"), "mistral": ("[THINK]", "[/THINK]"), "harmony": HARMONY}
INLINE = {kind: f"{opens}\n{REASONING}\n{closes}\n\n{ANSWER}" for kind, (opens, closes, *_) in MARKS.items()} | {
    "harmony": f"<|channel|>analysis<|message|>{REASONING}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}"
}
ROW = {
    "generator": "writer", "sample_index": 0, "reasoning": REASONING, "completion": ANSWER, "finish_reason": "stop",
    "status": "complete", "characters": len(REASONING + ANSWER), "reasoning_characters": len(REASONING),
    "completion_characters": len(ANSWER), "left_out_characters": None,
}  # fmt: skip


def chat(**message: Any) -> Answer:
    """A chat completion with this message."""
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    return shaped({"id": "c", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 70}})


def written(folder: Path, url: str = "http://127.0.0.1:9/v1", **writer: Any) -> dict[str, Any]:
    """`folder` holds a study of one prompt, its prompts collected, and a writer with these settings."""
    params = served_params(folder, url, 1, 1, max_retries=0)
    kept = (
        "family",
        "scale_b",
        *(() if writer.get("kind") == "imported" else ("model", "revision", "sampling", "system")),
    )
    body = params["generators"]["writer"]
    params["generators"]["writer"] = ({name: body[name] for name in kept} if "kind" in writer else body) | writer
    params["renderings"] = {"count": False}  # what a student makes of them is another matter
    save(params, folder)
    done = ran(folder, "stages.collect")
    assert done.returncode == 0, done.stderr
    return params


def rows(folder: Path, run: Callable[..., Done] = ran) -> tuple[list[dict[str, Any]], str]:
    """What generate writes there, without the columns that say how a row came, and what it prints."""
    done = run(folder, "stages.generate", "writer")
    assert done.returncode == 0, done.stderr
    traces = parquet.read(contracts.TRACES, folder / "data/traces/writer.parquet")
    assert traces["text_id"].is_null().to_list() == traces["completion"].is_null().to_list()
    return traces.select(*ROW).to_dicts(), done.stderr


MESSAGES: dict[str, tuple[dict[str, Any], str | None]] = {  # the message that a server sends, and the rule
    "reasoning_content": ({"content": f"\n\n{ANSWER}", "reasoning_content": f"\n{REASONING}\n"}, None),
    "reasoning": ({"content": ANSWER, "reasoning": REASONING}, "think"),
    "both": ({"content": ANSWER, "reasoning": REASONING, "reasoning_content": REASONING}, None),
    "parts": ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": REASONING}], "closed": True},
                           {"type": "text", "text": ANSWER}]}, "mistral"),
    **{f"inline, {kind}": ({"content": text}, kind) for kind, text in INLINE.items()},
    "inline and a field": ({"content": INLINE["think"], "reasoning_content": REASONING}, "think"),
}  # fmt: skip


def few(cases: Iterable[str], *fast: str) -> list[Any]:
    """The cases, all but some of them slow."""
    return [case if case in fast else pytest.param(case, marks=pytest.mark.slow) for case in cases]


@pytest.mark.parametrize("case", few(MESSAGES, "reasoning_content", "inline, harmony"))
def test_a_server_sends_it(case: str, serve: Serve, tmp_path: Path) -> None:
    message, kind = MESSAGES[case]
    written(tmp_path, serve([chat(**message)]).url, reasoning=kind and {"kind": kind})
    assert rows(tmp_path) == ([ROW], "")


TURNS = {"prompt": None, "completion": None, "messages": "turns"}
FILES: dict[str, tuple[dict[str, Any], str | None, dict[str, Any]]] = {  # a row of a file, the rule, columns
    "a column of reasoning": ({"thought": f"\n{REASONING}\n", "text": ANSWER}, None, {"reasoning": "thought"}),
    "a column, and a block left in the text": (
        {"thought": REASONING, "text": INLINE["think"]}, "think", {"reasoning": "thought"},
    ),
    **{f"inline, {kind}": ({"text": text}, kind, {}) for kind, text in INLINE.items()},
    "a conversation": (
        {"turns": [{"role": "user", "content": QUESTION},
                   {"role": "assistant", "content": ANSWER, "reasoning_content": REASONING}]}, None, TURNS,
    ),
    "a conversation, inline": (
        {"turns": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": INLINE["think"]}]},
        "think", TURNS,
    ),
    "a conversation in parts": (
        {"turns": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": REASONING}, {"type": "text", "text": ANSWER}]}]}, None, TURNS,
    ),
}  # fmt: skip


def save_file(folder: Path, *bodies: dict[str, Any]) -> dict[str, Any]:
    """A file with the bodies as answers to the question. Returns the settings of a generator that imports it."""
    path = folder / "data/import/traces.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"q": QUESTION} | body) + "\n" for body in bodies))
    absent = dict.fromkeys(("generator", "sample_index", "family", "scale_b", "finish_reason"))
    columns = {"prompt": "q", "completion": "text"} | absent
    return {"kind": "imported", "path": str(path), "columns": columns, "unmatched": "error"}


@pytest.mark.parametrize("case", few(FILES, "a column of reasoning", "inline, mistral"))
def test_a_file_has_it(case: str, tmp_path: Path) -> None:
    body, kind, more = FILES[case]
    settings = save_file(tmp_path, body)
    settings["columns"] |= more
    written(tmp_path, **settings, reasoning=kind and {"kind": kind})
    assert rows(tmp_path) == ([ROW], "")


ENDED: dict[str, tuple[dict[str, Any], str]] = {  # what a message says that gives no answer of its own, and its ending
    "a refusal": ({"content": None, "refusal": "I can't."}, "stop"),
    "a refusal after thinking": ({"content": None, "refusal": "I can't.", "reasoning": REASONING}, "stop"),
    "nothing before a limit": ({"content": ""}, "length"),
    "thoughts before a limit": ({"content": "\n", "reasoning_content": REASONING}, "max_tokens"),
    "details of thoughts": ({"content": "", "reasoning_details": [{"text": REASONING}, {"data": "x"}]}, "SAFETY"),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (at % 3 > 0)) for at, case in enumerate(ENDED)]
)
def test_a_file_ends_as_a_server_does(case: str, serve: Serve, tmp_path: Path) -> None:
    """The kind of fault: of a message in a file only what has a column is read, and the rest of it is lost."""
    message, ending = ENDED[case]
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": ending}
    written(tmp_path / "sent", serve([shaped({"id": "c", "choices": [choice]})]).url)
    sent, _ = rows(tmp_path / "sent")
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant"} | message]
    settings = save_file(tmp_path / "file", {"turns": turns, "ended": ending})
    settings["columns"] |= TURNS | {"finish_reason": "ended"}
    written(tmp_path / "file", **settings)
    assert rows(tmp_path / "file")[0] == sent
    assert sent[0]["status"] != "complete"


@pytest.mark.slow
def test_a_batch_file_brings_it(tmp_path: Path) -> None:
    written(tmp_path, reasoning={"kind": "think"})
    assert ran(tmp_path, "curation", "batch", "write", "generate", "writer", "out.jsonl").returncode == 0
    key = json.loads((tmp_path / "out.jsonl").read_text())["custom_id"]
    body = json.loads(chat(content=INLINE["think"]).body)
    result = {"custom_id": key, "response": {"status_code": 200, "body": body}}
    (tmp_path / "in.jsonl").write_text(json.dumps(result) + "\n")
    assert ran(tmp_path, "curation", "batch", "read", "generate", "writer", "in.jsonl").returncode == 0
    assert rows(tmp_path) == ([ROW], "")


@pytest.mark.slow
def test_a_cluster_brings_it(serve: Serve, tmp_path: Path, cluster: Any) -> None:
    server = serve([chat(content=ANSWER, reasoning_content=REASONING)])
    params = written(tmp_path, server.url)
    params["execution"] = {"engine": "ray", "ray": over(cluster)}
    save(params, tmp_path)
    assert rows(tmp_path, ended)[0] == [ROW] and len(server.requests) == 1


@pytest.fixture(scope="module")
def reciter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model that answers the question with the reply, in channels, whose marks are special tokens."""
    return save_reciter(tmp_path_factory.mktemp("reciter"), QUESTION, INLINE["harmony"], HARMONY)


def local(model: Path) -> dict[str, Any]:
    sampling = {"samples": 1, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_tokens": 400, "seed": 0}
    revision = weights.fingerprint(model)
    return {"model": str(model), "revision": revision, "sampling": sampling, "reasoning": {"kind": "harmony"}}


@pytest.mark.slow
def test_transformers_samples_it(reciter: Path, tmp_path: Path) -> None:
    """The marks are special tokens, which `skip_special_tokens` would take out before a rule sees them."""
    how = {"kind": "transformers", "dtype": "float32", "device": "cpu", "batch_size": 1}
    params = written(tmp_path, **how, **local(reciter))
    assert rows(tmp_path)[0] == [ROW]

    del params["generators"]["writer"]["reasoning"]  # another rule: the same reply, bought once, read again
    params["ledger"]["offline"] = True
    save(params, tmp_path)
    (unsplit,), said = rows(tmp_path)
    assert unsplit["reasoning"] is None and unsplit["completion"] == INLINE["harmony"]
    assert "set generators.writer.reasoning: {kind: harmony}" in said


STAND_IN = '''
"""Says what vllm's engine says, for a model whose best token is always its reply's next; the tokenizer is real."""

from types import SimpleNamespace

from transformers import AutoTokenizer

__version__ = "stand-in"


class SamplingParams:
    def __init__(self, **settings):
        self.settings = settings


class LLM:
    def __init__(self, model, **how):
        self.tokenizer, self.waiting = AutoTokenizer.from_pretrained(model), []
        self.llm_engine = self

    def get_tokenizer(self):
        return self.tokenizer

    def has_unfinished_requests(self):
        return bool(self.waiting)

    def add_request(self, key, prompt, sampling, lora_request=None):
        self.waiting.append((key, prompt["prompt_token_ids"]))

    def step(self):
        key, prompt = self.waiting.pop()
        ids = (*self.tokenizer(REPLY, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id)
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        output = SimpleNamespace(text=text, token_ids=ids, finish_reason="stop", stop_reason=None)
        return [SimpleNamespace(finished=True, request_id=key, prompt_token_ids=prompt, outputs=[output])]
'''


@pytest.mark.slow
def test_vllm_samples_it(reciter: Path, tmp_path: Path) -> None:
    package = tmp_path / "site/vllm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN + f"\n\nREPLY = {INLINE['harmony']!r}\n")
    (package / "platforms.py").write_text(
        "from types import SimpleNamespace\n\ncurrent_platform = SimpleNamespace(is_cpu=lambda: False)\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/site" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    how = ENGINE | {"max_model_len": 512, "python": str(python)}
    written(tmp_path, **how, **local(reciter))
    assert rows(tmp_path)[0] == [ROW]
    with closing(sqlite3.connect(tmp_path / ".curation/ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT text, reasoning FROM calls").fetchall() == [(INLINE["harmony"], None)]


def test_another_rule_reads_the_same_reply_and_buys_nothing(serve: Serve, tmp_path: Path) -> None:
    """What a server sent is kept as it was sent; a row is made of it anew."""
    server = serve([chat(content=INLINE["think"])])
    params = written(tmp_path, server.url)
    (unsplit,), said = rows(tmp_path)
    assert (unsplit["reasoning"], unsplit["completion"], unsplit["status"]) == (None, INLINE["think"], "complete")
    assert said == (
        "warning: generator writer: 1 of 1 completions hold '<think>' or the like, which stays there as text; set "
        "generators.writer.reasoning: {kind: think}\n"
    )
    for body, want in (({"kind": "think"}, [ROW]), ({"kind": "mistral"}, [unsplit]), (None, [unsplit])):
        params["generators"]["writer"]["reasoning"] = body
        save(params, tmp_path)
        assert rows(tmp_path)[0] == want
    assert len(server.requests) == 1


@pytest.mark.parametrize(("texts", "rule", "line"), [
    (["<think>a</think>b", "c"], {"kind": "think"},
     "1 of 2 replies have no reasoning, the others have; a pair may differ in that alone"),
    (["a</think>b", "c"], {"kind": "think"},
     "1 of 2 completions hold '</think>' or the like, which stays there as text; add opens_in_prompt: true to "
     "generators.writer.reasoning if the chat template opens the block"),
    (["[THINK]a[/THINK]b", "[think]a[/think]c"], {"kind": "think"},
     "2 of 2 completions hold '[THINK]' or the like, which stays there as text; generators.writer.reasoning reads a "
     "block of its own delimiters at the beginning of a text, and no other"),
    (["a</think>b", "c"], None,
     "1 of 2 completions hold '</think>' or the like, which stays there as text; set generators.writer.reasoning: "
     "{kind: think, opens_in_prompt: true}"),
    (["a<|end_of_thought|>b", "c"], None,
     "1 of 2 completions hold '<|end_of_thought|>' or the like, which stays there as text; set "
     "generators.writer.reasoning: {kind: delimiters, opens: …, closes: '<|end_of_thought|>', opens_in_prompt: true}"),
    (["<seed:think>a</seed:think>b", "c"], None,
     "1 of 2 completions hold '<seed:think>' or the like, which stays there as text; set generators.writer.reasoning: "
     "{kind: delimiters, opens: '<seed:think>', closes: …}"),
    ([f"{INLINE['harmony']}<|end|><|start|>assistant<|channel|>commentary<|message|>Bye.", INLINE["harmony"] + "!"],
     {"kind": "harmony"},
     "4 characters of 1 replies are neither reasoning nor answer, as a commentary is, and are left out"),
])  # fmt: skip
def test_what_no_rule_read_is_said_by_generator(
    texts: list[str], rule: dict[str, Any] | None, line: str, tmp_path: Path
) -> None:
    """The kind of fault: reasoning taken for an answer without a word. Nothing is guessed, so it has to be said."""
    written(tmp_path, **save_file(tmp_path, *({"text": text} for text in texts)), reasoning=rule)
    assert rows(tmp_path)[1] == f"warning: generator writer: {line}\n"


def test_a_text_without_marks_is_decoded_as_ever() -> None:
    """Special tokens that mark nothing are dropped, with marks in the text or without."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|fim|>", "<muse>", "</muse>"]})
    tokenizer.add_tokens(["<tool>"])
    texts = ["<s> a <|fim|>b  .\n</s>", "<muse>a</muse> b <tool>", "é ☃ <|fim|> !", ""]
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert Decoder(tokenizer, None)(ids) == tokenizer.decode(ids, skip_special_tokens=True).strip()
    ids = tokenizer("<s>[THINK] é<|fim|> a [/THINK]<muse>b  .</muse></s>", add_special_tokens=False)["input_ids"]
    assert Decoder(tokenizer, None)(ids) == "[THINK] é a [/THINK]b  ."


def test_a_plan_counts_what_a_rule_will_leave_to_judge(serve: Serve, tmp_path: Path) -> None:
    """The kind of fault: what stands for a reply that is not there read by a rule of the generator, as reasoning that
    never ends, so that no judge would be asked. And what a ledger holds is told of before a judge is paid."""
    params = written(
        tmp_path, serve([chat(content=INLINE["think"])]).url, reasoning={"kind": "think", "opens_in_prompt": True}
    )
    for rule in ({"kind": "think", "opens_in_prompt": True}, {"kind": "harmony", "opens_in_prompt": True}, None):
        params["generators"]["writer"]["reasoning"] = rule
        save(params, tmp_path)
        done = ran(tmp_path, "curation", "plan", "--json")
        said = json.loads(done.stdout)
        assert {stage["stage"]: stage["to_make"] for stage in said["stages"]} == {"generate": 1, "judge": 1}
        assert said["warnings"] == []
    rows(tmp_path)
    said = json.loads(ran(tmp_path, "curation", "plan", "--json").stdout)
    assert [line[:50] for line in said["warnings"]] == ["generator writer: 1 of 1 completions hold '<think>"]
