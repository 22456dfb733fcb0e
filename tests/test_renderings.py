"""What the student would learn from each trace, and what is said of it before a judge is paid.

Kinds of fault: a text that a chat template drops in silence; a count that is not of the tokens trained on; a loss that
is told of after the money is spent; a way out that does not help.
"""

import json
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import tiny
import world
from ruamel.yaml import YAML
from tokenizers import Tokenizer

from curation.core.errors import run
from curation.models import rendering, weights
from curation.models.rendering import Renderer, Row
from curation.models.student import Params as Student
from curation.models.targets import facts, why_dropped
from curation.tables import contracts, parquet
from curation.traces import generate
from curation.traces.losses import count_losses, find_keeping_ways, find_losses
from curation.traces.renderings import READ, READ_OF_PROMPTS, render_traces, unrendered
from stages import renderings as stage

THOUGHT, ANSWER = "Two and two, that is four.\n\nWait: yes, 4.", "It is \\boxed{4}."
ROOT, RENDERINGS = Path(__file__).parents[1], Path("data/renderings.parquet")
QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """A student of which nothing but the tokenizer is there."""
    folder = tiny.save_tiny_tokenizer(tmp_path_factory.mktemp("student"))
    named = {"model": str(folder), "revision": weights.fingerprint(folder), "dtype": "float32", "device": "cpu"}
    return Student.model_validate(named)


def under(student: Student, template: str, **settings: Any) -> Renderer:
    """The renderer of the student under one of the templates that TRL ships."""
    import trl

    file = Path(trl.__file__).parent / f"chat_templates/{template}.jinja"
    named = {"chat_template": str(file), "chat_template_revision": weights.fingerprint(file)}
    return rendering.load(student.model_copy(update={"template_date": "2026-01-01", **named, **settings}))


def tables(*texts: tuple[str | None, str | None], generator: str = "r1") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Traces of one prompt, each of a reasoning and a completion, and the prompt."""
    rows = [
        {"trace_id": number, "prompt_id": 7, "generator": generator, "reasoning": reasoning, "completion": completion,
         "status": "complete"}
        for number, (reasoning, completion) in enumerate(texts)
    ]  # fmt: skip
    prompts = world.rows_of(contracts.PROMPTS, [{"prompt_id": 7, "prompt": QUESTION}])
    traces = pl.DataFrame(rows, schema_overrides={"reasoning": pl.String, "completion": pl.String}).select(READ)
    return traces, prompts.select(READ_OF_PROMPTS)


DELETED = ("deepseek_r1_distill", "deepseekv3")  # by the template, whatever comes before </think>
WAYS = {  # what find_keeping_ways says, by template
    "qwen3": ["reasoning_content"], "nemotron_3_nano": ["reasoning_content"], "gptoss": ["thinking"],
    "llama3_1": ["inline", "text"], "deepseek_r1_distill": ["text"], "deepseekv3": ["text"],
}  # fmt: skip


@pytest.mark.parametrize("template", WAYS)
def test_the_way_out_that_is_named_keeps_the_reasoning(student: Student, template: str) -> None:
    """Each setting that is named is tried: under it nothing is lost, and under one that is not, something is."""
    traces, prompts = tables((THOUGHT, ANSWER), (None, ANSWER))
    ways = find_keeping_ways(under(student, template), traces, prompts)
    assert ways == WAYS[template]
    for way in ways:
        rows = render_traces(under(student, template, reasoning=way), traces, prompts)
        assert rows["reasoning_kept"].to_list() == [True, None] and rows["completion_kept"].all(), way


def test_a_prompt_that_no_setting_can_render_hides_no_way_out(student: Student) -> None:
    """The kind: what mends most traces is not named, because some cannot be mended by it; nor are those told of."""
    plain, prompts = tables(*[(f"{THOUGHT} {number}", ANSWER) for number in range(10)])
    adds = json.dumps([{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}])
    prompts = pl.concat(
        [prompts, prompts.with_columns(prompt_id=pl.lit(5), tools=pl.lit(adds))], how="vertical_relaxed"
    )
    with_tools = plain.with_columns(pl.col("trace_id") + 10, prompt_id=pl.lit(5))
    renderer = under(student, "deepseek_r1_distill", reasoning="inline")
    for few in (1, 10):
        traces = pl.concat([with_tools, plain.head(few)], how="vertical_relaxed")
        found = find_losses(renderer, traces, prompts, render_traces(renderer, traces, prompts))
        assert "text would keep it: set student.reasoning: text" in found.stops[0]
        refused = f"10 of {10 + few} traces cannot be rendered: the chat template leaves out the prompt's tools"
        assert any(refused in line for line in found.warnings)


@pytest.mark.parametrize("template", DELETED)
def test_r1_against_s1_loses_all_reasoning_of_the_chosen_side_inline_and_none_as_text(
    student: Student, template: str
) -> None:
    """R1 marks its reasoning, s1 writes it as its answer: under these templates a pair of them would teach to leave
    reasoning out."""
    traces, prompts = tables((THOUGHT, ANSWER), (THOUGHT + "!", ANSWER), (None, f"{THOUGHT}\n{ANSWER}"))
    lost = {}
    for way in ("inline", "text"):
        renderer = under(student, template, reasoning=way)
        found = find_losses(renderer, traces, prompts, render_traces(renderer, traces, prompts))
        lost[way] = found.table["reasoning_lost"].item()
        assert len(found.stops) == (way == "inline")
    assert lost == {"inline": 2, "text": 0}


def test_a_row_counts_the_tokens_that_it_is_trained_on(student: Student) -> None:
    """The tokens here are bytes: those of the texts alone are known, and so is the whole."""
    renderer = under(student, "qwen3", reasoning="reasoning_content")
    traces, prompts = tables((THOUGHT, ANSWER), (None, ANSWER), ("", ANSWER), (THOUGHT, None), (None, None))
    rows = render_traces(renderer, traces, prompts)
    assert rows["reasoning_tokens"].to_list() == [len(THOUGHT), None, 0, len(THOUGHT), None]
    assert rows["completion_tokens"].to_list() == [len(ANSWER)] * 3 + [None] * 2
    assert rows["tokens"].to_list() == [len(THOUGHT + ANSWER), len(ANSWER), len(ANSWER), None, None]
    whole = renderer.render(QUESTION, None, THOUGHT, ANSWER)
    assert rows["prompt_tokens"][0] + rows["target_tokens"][0] == len(whole.ids)
    assert whole.ids[rows["prompt_tokens"][0] :] == whole.ids[whole.start :]
    assert rows["empty_block"].to_list() == [False, True, True, None, None]
    assert rows["rendered_id"][1] == rows["rendered_id"][2] != rows["rendered_id"][0]
    assert rows["target_tokens"][3:].null_count() == 2, "nobody learns from a trace without an answer"


def test_a_text_that_stands_in_the_other_one_is_not_kept_for_that(student: Student) -> None:
    """The kind: an answer `4` is found in the reasoning, a reasoning `4` in the answer, though it was dropped."""
    renderer = under(student, "deepseekv3", reasoning="inline")
    rows = render_traces(renderer, *tables(("4", "It is 4."), ("It is 4.", "4"), ("It is 4.", "It is 4.")))
    assert rows["reasoning_kept"].to_list() == [False] * 3
    assert rows["completion_kept"].to_list() == [True] * 3
    kept = under(student, "qwen3", reasoning="reasoning_content")
    rows = render_traces(kept, *tables(("4", "It is 4."), ("It is 4.", "4"), ("It is 4.", "It is 4.")))
    assert rows["reasoning_kept"].all() and rows["completion_kept"].all()


def test_what_a_cut_leaves(student: Student) -> None:
    renderer = rendering.load(student.model_copy(update={"reasoning": "inline"}))
    row = Row(QUESTION, None, THOUGHT, ANSWER)
    whole = renderer.render(*row)
    answer = whole.whole.index(ANSWER) - whole.whole[: whole.whole.index(ANSWER)].count("</s>") * 3  # one token of four
    lengths = (len(whole.ids), len(whole.ids) - 1, answer + 1, answer - 20, whole.start)
    left = [facts(renderer, row, whole, length) for length in lengths]
    assert [(one.reasoning_kept, one.completion_kept, one.ends_in_eos) for one in left] == [
        (True, True, True), (True, True, False), (True, False, False), (False, False, False), (False, False, False),
    ]  # fmt: skip
    assert [one.target_tokens for one in left] == [length - whole.start for length in lengths]
    assert why_dropped([whole], whole.start) == "no_room" and why_dropped([whole], whole.start + 1) is None
    other = renderer.render(QUESTION, None, THOUGHT, ANSWER.replace("4", "5"))
    assert why_dropped([whole, other], answer) == "identical_once_cut"
    assert why_dropped([whole, other], len(whole.ids)) is None and why_dropped([whole, whole], answer) == "identical"


def test_a_token_that_joins_prompt_and_answer_is_told_as_that(student: Student, tmp_path: Path) -> None:
    """And not with the way out that is taken already."""
    file = tmp_path / "letter.jinja"
    file.write_text("{% for m in messages %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}A{% endif %}")
    named = {"chat_template": str(file), "chat_template_revision": weights.fingerprint(file)}
    tokenizer = tiny.byte_tokenizer()
    model = json.loads(tokenizer.backend_tokenizer.to_str())
    model["model"]["vocab"]["Af"], model["model"]["merges"] = len(model["model"]["vocab"]), [["A", "f"]]
    tokenizer = type(tokenizer)(
        tokenizer_object=Tokenizer.from_str(json.dumps(model)), eos_token="</s>", chat_template=file.read_text()
    )
    traces, prompts = tables((None, "4"), (None, "four"))
    for way, said in (("text", "a token joins the end of the prompt"), ("inline", "student.reasoning: text leaves")):
        renderer = Renderer(tokenizer, student.model_copy(update={"reasoning": way, **named}))
        losses = find_losses(renderer, traces, prompts, render_traces(renderer, traces, prompts))
        (line,) = [line for line in losses.warnings if "no beginning of prompt and answer" in line]
        assert said in line and line.startswith(f"generator r1: in {1 if way == 'text' else 2} of 2 traces")


def test_counts_by_generator(student: Student) -> None:
    """A fault and a trace that nobody rendered are losses too; a declared drop is none that anything is said of."""
    traces, prompts = tables((THOUGHT, ANSWER), (None, ANSWER), (" ", ANSWER), (THOUGHT, None))
    null = under(student, "qwen3")
    found = find_losses(null, traces, prompts, render_traces(null, traces, prompts))
    assert found.table.drop("fault").rows() == [("r1", 3, 1, 1, 1, 1, 2, 0, 2, 0, 0, None)]
    assert found.stops == [
        "generator r1: 1 of 3 traces have reasoning with student.reasoning: null; under this chat template "
        "reasoning_content would keep it: set student.reasoning: reasoning_content, or drop, to learn from the answers "
        "alone"
    ]
    assert found.warnings == [
        "generator r1: 2 of 3 traces do not end in '</s>', so the student would not learn to end an answer; name a "
        "student.chat_template that ends in it, or set student.reasoning: text, which adds it",
        "generator r1: 2 of 3 traces have no reasoning and get an empty block of it; nothing is lost",
    ]
    dropped = under(student, "qwen3", reasoning="drop")
    found = find_losses(dropped, traces, prompts, render_traces(dropped, traces, prompts))
    assert found.stops == [] and found.totals()["reasoning_lost"] == 1
    assert count_losses(traces, unrendered(traces))["reasoning_lost"].to_list() == [1]


def test_a_role_that_the_template_refuses_is_told_in_its_words(student: Student) -> None:
    traces, prompts = tables((None, ANSWER))
    system = pl.Series([[{"role": "system", "content": "Be brief."}, *QUESTION]])
    renderer = under(student, "gemma")
    rows = render_traces(renderer, traces, prompts.with_columns(prompt=system))
    assert rows["fault"][0].startswith("the chat template refuses these messages: System role not supported")
    line, *_ = find_losses(renderer, traces, prompts, rows).warnings
    assert line.startswith("generator r1: 1 of 1 traces cannot be rendered: the chat template refuses these messages: ")


def test_the_stage_stops_before_a_judge_is_asked(
    student: Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is there to look at; what judges depend on is not."""
    made = world.sound()
    file = world.write(made, tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/renderings.parquet").unlink()
    settings = world.settings() | {"student": student.model_dump(exclude_none=True)}
    flow.write(settings, file)
    run(stage.main)
    passed = (tmp_path / "data/rendered.txt").read_bytes()
    assert capsys.readouterr().err == "" and parquet.read(contracts.RENDERINGS, RENDERINGS)["tokens"].sum() > 0
    (tmp_path / "data/rendered.txt").unlink()
    reasons = made.traces.filter(generator="large").with_columns(
        reasoning=pl.when(pl.col("completion").is_not_null()).then(pl.lit(THOUGHT))
    )
    parquet.write(contracts.TRACES, generate.add_text_columns(reasons), contracts.path("traces", "large"))
    with pytest.raises(SystemExit) as left:
        run(stage.main)
    assert "params.yaml: generator large: " in str(left.value.code) and not (tmp_path / "data/rendered.txt").exists()
    assert parquet.read(contracts.RENDERINGS, RENDERINGS)["fault"].count() > 0
    assert "with_reasoning" in capsys.readouterr().err
    settings["student"]["reasoning"] = "drop"
    settings["evaluate"]["reasoning"] = {"kind": "think", "opens_in_prompt": True}
    flow.write(settings, file)
    run(stage.main)
    assert (tmp_path / "data/rendered.txt").read_bytes() == passed
    assert capsys.readouterr().err.count("the student: evaluate.reasoning says opens_in_prompt: true, and") == 1


def test_what_judges_depend_on_is_the_verdict_alone() -> None:
    """A judge is asked nothing before the renderings are looked at, and nothing again when their counts change."""
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    for name in ("judge", "prefer"):
        deps = stages[name]["do"]["deps"]
        assert "data/rendered.txt" in deps and "data/renderings.parquet" not in deps
    assert "data/rendered.txt" in stages["renderings"]["outs"]


def test_what_a_template_leaves_out_of_a_prompt_is_named(student: Student) -> None:
    """Of a conversation; a prompt of one message is in whole, or refused."""
    traces, prompts = tables((None, ANSWER), (None, ANSWER))
    call = {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 2}}},
    ]}  # fmt: skip
    said = [*QUESTION, call, {"role": "tool", "content": "a sum of 4"}, {"role": "user", "content": "And in words?"}]
    full = pl.Series([json.dumps(said)], dtype=pl.String)
    left_out = {
        template: render_traces(under(student, template), traces, prompts.with_columns(messages=full))[0]
        for template in ("qwen3", "phi3")
    }
    assert left_out["qwen3"]["prompt_left_out"].item() is None
    assert left_out["phi3"]["prompt_left_out"].item() == "tool, tool_calls"
    assert left_out["phi3"]["fault"].item() is None
    found = find_losses(under(student, "phi3"), traces.head(1), prompts, left_out["phi3"])
    assert any("leaves out what the generator was told, as tool, tool_calls; name another" in x for x in found.warnings)
