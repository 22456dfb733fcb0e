"""A prompt whose chat template opens the block of reasoning, or does not, and a rule that says otherwise: said before
anything is asked, as the reasoning would count as answer, or the answer as reasoning.

Kinds of fault: a rule that does not know what the template of its own model does; one that knows another block; a
warning where all is right.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import tiny
from pydantic import TypeAdapter
from served import ran, save, served_params
from test_renderings import student, under

from curation.calls.call import Reply
from curation.models import weights
from curation.models.reasoning import Rule
from curation.models.rendering import Row
from curation.models.student import Params as Student
from curation.traces.delimiters import find_misread_opening, find_unread
from curation.traces.sampling import GenerationSampling, make_rows

__all__ = ["student"]  # a fixture

PROMPTS = pl.DataFrame({"prompt_id": [1]})
SAMPLING = GenerationSampling(samples=1, temperature=1.0, top_p=1.0, top_k=0, max_tokens=9, seed=0)
PLACE = "evaluate.reasoning"
THINK, OPEN = {"kind": "think"}, {"kind": "think", "opens_in_prompt": True}
OPENING = (  # the templates of TRL's whose prompt ends in <think>
    "deepseek_r1_distill", "deepseekv3", "nemotron_3_nano", "nemotron_3_super", "qwen3_5_think", "qwen3_6",
)  # fmt: skip
OTHERS = ("qwen3", "qwen2_5", "llama3_1", "gptoss", "gemma3", "qwen3_5_nothink", "glm4moe", "lfm2_2_5")


def found(rule: dict[str, Any] | None, prompt: str) -> str | None:
    return find_misread_opening(PLACE, rule and TypeAdapter[Rule](Rule).validate_python(rule), prompt)


@pytest.mark.parametrize("template", [*OPENING, *OTHERS])
def test_a_template_and_a_rule_that_say_the_same_are_let_be_and_no_others(student: Student, template: str) -> None:
    prompt, _ = under(student, template).texts(Row([{"role": "user", "content": "<think> 2 + 2?"}], None, None, ""))
    opens = template in OPENING
    assert (found(None, prompt) is None) == (found(THINK, prompt) is None) == (not opens)
    assert (found(OPEN, prompt) is None) == opens
    if opens:
        assert "set evaluate.reasoning: {kind: think, opens_in_prompt: true}" in (found(None, prompt) or "")
        assert "add opens_in_prompt: true to evaluate.reasoning" in (found(THINK, prompt) or "")
        assert "set evaluate.reasoning: {kind: think, " in (found(OPEN | {"kind": "mistral"}, prompt) or "")
    else:
        assert "leave opens_in_prompt out" in (found(OPEN, prompt) or "")


OWN = {"kind": "delimiters", "opens": "<|im_start|>think", "closes": "<|im_start|>answer"}
CASES: dict[str, tuple[dict[str, Any] | None, str, str | None]] = {  # rule, end of the prompt, what is said of it
    "mistral's": (None, "[/INST][THINK]", "{kind: mistral, opens_in_prompt: true}"),
    "harmony's": (None, "<|start|>assistant<|channel|>analysis<|message|>", "{kind: harmony, opens_in_prompt: true}"),
    "harmony's, known": ({"kind": "harmony", "opens_in_prompt": True}, "<|channel|>analysis<|message|>", None),
    "harmony's, not opened": ({"kind": "harmony"}, "<|start|>assistant", None),
    "nobody's": (None, "<seed:think>\n", "{kind: delimiters, opens: '<seed:think>', closes: …, opens_in_prompt: true}"),
    "a rule's own": (OWN, "<|im_start|>think\n", "add opens_in_prompt: true to evaluate.reasoning"),
    "a rule's own, known": (OWN | {"opens_in_prompt": True}, "<|im_start|>think\n", None),
    "closed again": (None, "<think>\n\n</think>\n\n", None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_way_out_is_the_rule_that_reads_such_replies(case: str) -> None:
    rule, end, said = CASES[case]
    line = found(rule, f"user: 2 + 2?\n{end}")
    assert (line is None) if said is None else (line or "").endswith(said)


def test_replies_that_never_close_a_block_tell_of_a_template_that_opens_none(tmp_path: Path) -> None:
    """Of a served model, whose template nobody sees here."""
    texts, rule = ["4", "It is 4."], TypeAdapter[Rule](Rule).validate_python(OPEN)
    for more, said in ((["four"], True), (["four</think>4"], False)):
        replies = [Reply(text, "stop") for text in texts + more]
        rows = make_rows(PROMPTS, SAMPLING.model_copy(update={"samples": len(replies)}), replies, rule)
        lines = [line for line in find_unread(PLACE, rule, rows) if "leave opens_in_prompt out" in line]
        assert bool(lines) is said


def local_params(folder: Path, reasoning: dict[str, Any] | None) -> None:
    """A study of one generator that transformers runs here, whose template opens the block."""
    params = served_params(folder, "http://127.0.0.1:9/v1", prompts=1, samples=1)
    model = folder / "model"
    if not model.exists():
        tiny.save_tiny_llama(model)
        settings = json.loads((model / "tokenizer_config.json").read_text())
        (model / "chat_template.jinja").write_text(tiny.TEMPLATE.replace("<|assistant|>{% endif", "<think>\n{% endif"))
        settings.pop("chat_template", None)
        (model / "tokenizer_config.json").write_text(json.dumps(settings))
    writer = params["generators"]["writer"]
    params["generators"]["writer"] = {
        "kind": "transformers", "family": None, "scale_b": None, "system": None, "model": str(model),
        "revision": weights.fingerprint(model), "dtype": "float32", "device": "cpu", "batch_size": 1,
        "sampling": writer["sampling"] | {"max_tokens": 4}, "reasoning": reasoning,
    }  # fmt: skip
    save(params, folder)


@pytest.mark.slow
def test_a_generator_of_this_machine_is_told_of_before_it_is_asked(tmp_path: Path) -> None:
    """Once: its replies, as they are read, tell the rest."""
    said = (
        "warning: generator writer: the chat template opens a block of reasoning, as a prompt ends in '<think>', and "
        "generators.writer.reasoning does not say so: the reasoning would count as answer; set "
        "generators.writer.reasoning: {kind: think, opens_in_prompt: true}\n"
    )
    local_params(tmp_path, None)
    assert ran(tmp_path, "stages.collect").returncode == 0
    assert said in ran(tmp_path, "curation", "plan").stderr
    made = ran(tmp_path, "stages.generate", "writer")
    assert made.returncode == 0 and made.stderr.count(said) == 1
    assert said not in ran(tmp_path, "stages.generate", "writer").stderr, "nothing is asked"
    local_params(tmp_path, OPEN)
    assert "opens a block" not in ran(tmp_path, "curation", "plan").stderr
