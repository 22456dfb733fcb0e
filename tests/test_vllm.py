"""The engine of kind vllm: what it says to the process with vllm in it, and what that process's death costs.

Against the real vllm where CURATION_VLLM names an interpreter that has it; else a script speaks for the far end of the
pipe.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from curation.calls.call import Call, Reply
from curation.core.errors import CurationError
from curation.core.params import read
from curation.models import weights
from curation.models.engines import vllm

ROOT = Path(__file__).parents[1]

ENGINE = {
    "kind": "vllm",
    "dtype": "float32",
    "max_model_len": 64,
    "tensor_parallel": 1,
    "gpu_memory": 0.2,
    "eager": True,
    "concurrency": 3,
}
FAR_END = """
import json, sys
how = json.loads(sys.stdin.readline())
print(json.dumps({"ready": True}), flush=True)
for number, line in enumerate(sys.stdin):
    call = json.loads(line)
    if number == LAST:
        sys.exit("RuntimeError: out of memory")
    text, count = call["messages"][-1]["content"] + "!", call["sampling"]["max_tokens"]
    said = {"text": text, "finish_reason": "stop", "completion_tokens": count}
    beside = "".join(f" {how.get(name)}" for name in ("enable_lora", "max_lora_rank", "adapter") if "adapter" in how)
    print(json.dumps({"key": call["key"], "engine": how["dtype"] + beside, **said}), flush=True)
"""


@pytest.fixture
def tiny(tmp_path: Path) -> weights.Weights:
    """Weights that only their own process would load."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    return weights.Weights(str(file), weights.fingerprint(file))


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """An interpreter that, whatever it is told to run, answers calls until number `last`."""
    monkeypatch.chdir(tmp_path)

    def speaks(last: int) -> str:
        (tmp_path / "far.py").write_text(FAR_END.replace("LAST", str(last)))
        (tmp_path / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/far.py"\n')
        (tmp_path / "python").chmod(0o755)
        return str(tmp_path / "python")

    return speaks


def engine(model: weights.Weights, python: str | None, **changes: Any) -> Any:
    return vllm.Params.model_validate(ENGINE | {"python": python} | changes).engine(model)


def calls(count: int) -> list[Call]:
    sampling = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 5}
    return [Call("tiny", "0", [{"role": "user", "content": f"p{n}"}], {**sampling, "seed": n}, 0) for n in range(count)]


def test_an_adapter_goes_beside_the_weights_with_a_rank_that_vllm_has(
    tiny: weights.Weights, speaking: Callable[[int], str], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/adapter_config.json").write_text(json.dumps({"r": 4, "rank_pattern": {"q_proj": 12}}))
    heard = list[Reply]()
    adapted = tiny._replace(adapter=Path("run"))
    engine(adapted, speaking(9), dtype="bfloat16")(iter(calls(1)), lambda _, reply: heard.append(reply))
    assert [reply.engine for reply in heard] == [f"bfloat16 True 16 {tmp_path / 'run'}"]


def test_every_call_is_answered_and_few_are_under_way(tiny: weights.Weights, speaking: Callable[[int], str]) -> None:
    pending, heard, ahead = iter(calls(10)), list[tuple[str, Reply]](), list[int]()

    def counted() -> Any:
        for number, call in enumerate(pending, 1):
            ahead.append(number - len(heard))
            yield call

    run = engine(tiny, speaking(99))
    run(counted(), lambda call, reply: heard.append((call.last_message, reply)))
    assert dict(heard) == {f"p{n}": Reply(f"p{n}!", "stop", completion_tokens=5, engine="float32") for n in range(10)}
    assert max(ahead) == 3
    process = run.process
    run(iter(calls(2)), lambda call, reply: heard.append((call.last_message, reply)))
    assert len(heard) == 12 and run.process is process


def test_what_came_before_a_death_is_heard_and_the_death_is_told(
    tiny: weights.Weights, speaking: Callable[[int], str]
) -> None:
    """Also what it said while the next call could not be sent any more."""
    heard, run = list[str](), engine(tiny, speaking(4))

    def listen(call: Call, reply: Reply) -> None:
        heard.append(call.last_message)
        if len(heard) == 3:
            run.process.wait(timeout=60)

    with pytest.raises(CurationError) as caught:
        run(iter(calls(10)), listen)
    assert heard == ["p0", "p1", "p2", "p3"]
    assert (
        str(caught.value)
        == "kind vllm: the engine ended with 1: RuntimeError: out of memory; all that it said is in .curation/vllm.log"
    )


ODD = {
    "good": ({"text": "x", "finish_reason": "stop"}, ("x", "stop", None)),
    "a number": ({"text": 5, "finish_reason": "stop"}, (None, "error", "the content is of type int, so no text")),
    "nothing": ({"text": None, "finish_reason": "stop"}, (None, "error", "the reply is empty")),
    "aborted": ({"text": "x", "finish_reason": "abort"}, ("x", "error", "the server ended the reply with an error")),
    "a count": ({"text": "x", "finish_reason": "stop", "completion_tokens": "9"}, ("x", "stop", None)),
    "half a pair": ({"text": "a\ud83d", "finish_reason": "length"}, ("a?", "length", None)),
    "another field": ({"text": "x", "finish_reason": "stop", "more": 1}, ("x", "stop", None)),
}


def test_what_the_far_end_says_is_checked_as_a_servers_reply_is(
    tiny: weights.Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kind of fault: a value of another process, believed. Each of ODD in turn, then a line that is no reply."""
    monkeypatch.chdir(tmp_path)
    far_end = "\n".join([
        "import json, sys", "sys.stdin.readline()", 'print("{}", flush=True)',
        f"for said in json.loads({json.dumps(json.dumps([said for said, _ in ODD.values()]))}):",
        '    print(json.dumps({"key": json.loads(sys.stdin.readline())["key"], "engine": "e"} | said), flush=True)',
        'print("Loading weights", flush=True)', "sys.stdin.read()",
    ])  # fmt: skip
    (tmp_path / "far.py").write_text(far_end)
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/far.py"\n')
    (tmp_path / "python").chmod(0o755)
    heard, run = list[Reply](), engine(tiny, str(tmp_path / "python"), concurrency=1)
    with pytest.raises(CurationError, match=r"kind vllm: the engine wrote 'Loading weights.*, which answers no call"):
        run(iter(calls(len(ODD) + 1)), lambda call, reply: heard.append(reply))
    assert [(reply.text, reply.finish_reason, reply.error) for reply in heard] == [want for _, want in ODD.values()]
    assert {reply.completion_tokens for reply in heard} == {None}


@pytest.mark.skipif(find_spec("vllm") is not None, reason="this environment has vllm")
def test_an_interpreter_without_vllm_is_named(
    tiny: weights.Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CurationError,
        match=r"kind vllm: .* has no vllm; name an interpreter that has one as `python`, or serve the model",
    ):
        engine(tiny, None)(iter(calls(1)), lambda call, reply: None)
    with pytest.raises(
        CurationError,
        match="kind vllm: python: /nowhere/python: cannot be run: No such file or directory; name an interpreter",
    ):
        engine(tiny, "/nowhere/python")(iter(calls(1)), lambda call, reply: None)
    with pytest.raises(CurationError, match="its revision is sha256:"):
        engine(tiny._replace(revision="sha256:0"), None)(iter(calls(1)), lambda call, reply: None)


@pytest.mark.skipif("CURATION_VLLM" not in os.environ, reason="CURATION_VLLM names no interpreter that has vllm")
def test_the_real_vllm_answers_alike_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student = read(ROOT / "params.yaml").student
    monkeypatch.chdir(tmp_path)
    run = engine(weights.Weights(student.model, student.revision), os.environ["CURATION_VLLM"], dtype="bfloat16")
    too_long = Call("tiny", "0", [{"role": "user", "content": "x y " * 500}], calls(1)[0].sampling, 0)
    heard: list[dict[str, Reply]] = [{}, {}]
    run(iter([too_long]), lambda call, reply: None)  # nothing is under way then
    for one in heard:
        run(iter([*calls(6), too_long]), lambda call, reply, one=one: one.update({call.last_message: reply}))
    assert heard[0] == heard[1]
    refused = heard[0].pop("x y " * 500)
    assert refused.text is None and "maximum context length" in str(refused.error)
    assert all(reply.error is None and reply.engine.startswith("vllm 0.") for reply in heard[0].values())


@pytest.mark.skipif("CURATION_VLLM" not in os.environ, reason="CURATION_VLLM names no interpreter that has vllm")
def test_the_real_vllm_answers_with_an_adapter_beside_its_weights_and_in_them(tmp_path: Path) -> None:
    """Beside bfloat16 weights, merged into those that are float32; neither is the student's own answer."""
    import torch
    from peft import LoraConfig, get_peft_model

    student = read(ROOT / "params.yaml").student
    network, _ = weights.load(student.model, student.pinned, "float32")
    torch.manual_seed(0)
    adapted = get_peft_model(network, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "run")
    asked = [Call("tiny", "0", one.messages, one.sampling | {"temperature": 0.0}, 0) for one in calls(4)]
    for dtype in ("bfloat16", "float32"):
        said = dict[str | None, list[str | None]]()
        for name, adapter in (("plain", None), ("adapted", tmp_path / "run")):
            model, texts = weights.Weights(student.model, student.pinned, adapter), said.setdefault(name, [])
            run = engine(model, os.environ["CURATION_VLLM"], dtype=dtype)
            run(iter(asked), lambda _, reply, texts=texts: texts.append(reply.text))
        assert sorted(map(str, said["plain"])) != sorted(map(str, said["adapted"]))
