"""`curation new` and the layouts that people have: faithful excerpts of published sets, harnesses and habits. Each is
read right, or what was not read is said in one line.

Kinds of fault: rows that stand within something; a part taken for the whole of what was said; what belongs to files
beside taken for a set of its own; what a file holds and no table gets, without a word; a guess from the first rows that
the last ones do not bear out.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import fast

from curation.commands import new
from curation.core.errors import CurationError
from curation.core.params import read
from curation.core.study import Study
from curation.exchange import looking
from curation.exchange.placing import label
from curation.prompts.sources import table
from curation.tables import contracts, parquet

Row = dict[str, Any]
ASKED = [f"What is {number} + 5? Say why you think so." for number in range(8)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def say(number: int, model: int) -> str:
    """What a model says to one of the questions; the second is wrong where 3 divides."""
    return f"Model {model} adds them up: the answer is {number + 5 + (model and number % 3 == 0)}."


def lines(file: str, rows: Iterable[Row]) -> str:
    return document(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def document(file: str, body: Any) -> str:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(body if isinstance(body, str) else json.dumps(body, indent=1))
    return file


def of_each(make: Callable[[int], Row]) -> list[Row]:
    return [make(number) for number in range(len(ASKED))]


def turn(role: str, content: str) -> Row:
    return {"role": role, "content": content}


def written(*arguments: str) -> Study:
    """The study of the params.yaml that the command writes."""
    new.main(list(arguments))
    return read()


def at(study: Any, place: str) -> Any:
    value = study
    for name in place.split("/"):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return list(value) if place.isidentifier() else value  # the names in a section


def inspect_ai() -> list[str]:
    """Logs of inspect-ai as JSON: samples beside the plan, the results and the statistics of the run."""
    for model in ("gpt-4o-mini", "Qwen2.5-7B"):
        samples = [
            {
                "id": n, "epoch": epoch, "input": ASKED[n], "choices": None, "target": str(n + 5),
                "messages": [turn("system", "Think."), turn("user", ASKED[n]), turn("assistant", say(n, epoch - 1))],
                "output": {"model": f"openai/{model}", "usage": {"input_tokens": 9}, "choices": [
                    {"message": turn("assistant", say(n, epoch - 1)), "stop_reason": "stop"}]},
                "scores": {"match": {"value": "C", "answer": str(n + 5)}}, "metadata": {}, "events": [],
            }
            for n in range(8) for epoch in (1, 2)
        ]  # fmt: skip
        log = {"version": 2, "status": "success", "eval": {"task": "sums", "model": model, "dataset": {"samples": 8}},
               "plan": {"steps": [{"solver": "system_message"}, {"solver": "generate"}]}, "stats": {"role_usage": {}},
               "results": {"scores": [{"name": "match", "metrics": {}}]}, "samples": samples}  # fmt: skip
        document(f"logs/{model}.json", log)
    return ["logs"]


def evalchemy() -> list[str]:
    """Evalchemy's results: the examples of each benchmark, beside the run's configuration."""
    results = {
        name: {"accuracy": 0.5, "examples": [
            {"id": n, "problem": f"{name}: {ASKED[n]}", "answer": str(n + 5), "model_outputs": [say(n, 0), say(n, 1)],
             "model_answers": [str(n + 5), "1"], "label": [True, False]} for n in range(8)]}
        for name in ("AIME24", "AMC23")
    }  # fmt: skip
    return [document("results.json", {"results": results, "config_general": {"model_name": "Qwen2.5-7B"}})]


def wrapped() -> list[str]:
    """Rows as `data`, as many an interface answers with."""
    rows = [{"question": ASKED[n], "response": say(n, m), "model": f"m{m}"} for n in range(8) for m in (0, 1)]
    return [document("export.json", {"version": "1.0", "description": "All of it.", "data": rows})]


def traces() -> str:
    return lines("traces.jsonl", [{"prompt": ASKED[n], "response": say(n, m), "model": f"m{m}"} for n in range(8)
                                  for m in (0, 1)])  # fmt: skip


def rated_texts(**columns: Callable[[int, int], Any]) -> list[str]:
    """Ratings of what a file of traces has, by the texts."""
    rows = [
        {"prompt": ASKED[n], "text": say(n, m)} | {name: rate(n, m) for name, rate in columns.items()}
        for n in range(8)
        for m in (0, 1)
    ]
    return [traces(), lines("people.jsonl", rows)]


def voted_texts() -> list[str]:
    """Votes on two texts that a file of traces has."""
    votes = of_each(lambda n: {"prompt": ASKED[n], "response_a": say(n, 0), "response_b": say(n, 1),
                               "winner": ("a", "b", "tie", "both bad")[n % 4]})  # fmt: skip
    return [traces(), lines("votes.jsonl", votes)]


def thinking_models() -> list[str]:
    """As s1K-1.1: what each of two models thought, and answered, and what a judge said of it."""
    return [lines("s1k.jsonl", of_each(lambda n: {
        "question": ASKED[n], "solution": str(n + 5), "cot_type": "math", "metadata": "{'a': 1}",
        "gemini_thinking_trajectory": f"Gemini thinks that {n} and 5 are added up.", "gemini_attempt": say(n, 0),
        "deepseek_thinking_trajectory": f"R1 thinks of {n}, and then of 5.", "deepseek_attempt": say(n, 1),
        "gemini_grade": "Yes" if n % 2 else "No", "gemini_grade_reason": "It fits the solution well enough.",
        "deepseek_grade": "Yes", "deepseek_grade_reason": "It says what the solution says.",
    }))]  # fmt: skip


def degrees() -> list[str]:
    """As AlpacaEval's annotations: how far the second output is preferred, from 1 to 2."""
    return [document("annotations.json", of_each(lambda n: {
        "instruction": ASKED[n], "output_1": say(n, 0), "output_2": say(n, 1), "generator_1": "reference",
        "generator_2": "mine", "preference": (1.0, 2.0, 1.31)[n % 3], "annotator": "gpt4",
    }))]  # fmt: skip


def lm_eval() -> list[str]:
    """Samples of lm-eval: a folder for each model, a file for each task, whose doc_ids are the same."""
    for model in ("Qwen__Qwen2.5-7B", "meta-llama__Llama-3.2-1B"):
        for task, key in (("gsm8k", "question"), ("math", "problem")):
            lines(f"out/{model}/samples_{task}.jsonl", of_each(lambda n, model=model, task=task, key=key: {
                "doc_id": n, "doc": {key: f"{ASKED[n]} In {task} terms.", "answer": str(n + 5)}, "target": str(n + 5),
                "arguments": {"gen_args_0": {"arg_0": f"Q: {ASKED[n]} In {task} terms.\nA:", "arg_1": {"until": []}}},
                "resps": [[say(n, int(model[0] == "m"))]], "filtered_resps": [str(n)], "doc_hash": f"h{n}",
                "exact_match": float(n % 2),
            }))  # fmt: skip
    return ["out"]


def silent() -> list[str]:
    """Of three models in a file one answered nothing, and nothing is in another file, all of whose requests failed."""
    rows = [{"prompt": ASKED[n], "response": None if m == 2 else say(n, m), "model": f"m{m}", "answer": n + 5}
            for n in range(8) for m in range(3)]  # fmt: skip
    failed = of_each(lambda n: {"prompt": ASKED[n], "response": None, "finish_reason": "error"})
    ended = of_each(lambda n: {"prompt": ASKED[n], "response": say(n, 1), "finish_reason": "abort"})
    return [lines("mixed.jsonl", rows), lines("failed.jsonl", failed), lines("ended.jsonl", ended)]


FOUND: dict[str, tuple[Callable[[], list[str]], Row]] = {  # the files, and what shows that they were understood
    "inspect-ai": (inspect_ai, {
        "generators/qwen2-5-7b/rows": "samples", "generators/gpt-4o-mini/columns/messages": "messages",
        "generators/qwen2-5-7b/columns/generator": "output.model", "judges/answer/kind": "answer",
        "generators/qwen2-5-7b/columns/sample_index": "epoch", "sources/qwen2_5_7b/columns/answer": "target",
    }),
    "evalchemy": (evalchemy, {
        "generators/results-aime24/rows": "results.AIME24.examples", "sources/results_amc23/columns/answer": "answer",
        "sources/results_amc23/rows": "results.AMC23.examples",
        "generators/results-amc23/columns/completion": "model_outputs",
    }),
    "ratings of texts": (lambda: rated_texts(helpfulness=lambda n, m: (n + m) % 5, clarity=lambda n, m: (n + m) % 4), {
        "judges/people/trace/completion": "text", "judges/people/trace/prompt": "prompt",
        "judges/people/dimensions": {"helpfulness": "helpfulness", "clarity": "clarity"},
        "generators": ["traces"], "sources": ["traces"], "pairwise_judges": [],
    }),
    "numbers of no known name": (lambda: rated_texts(wit=lambda n, m: (n + m) % 4), {
        "judges/people/dimensions": {"wit": "wit"}, "generators": ["traces"],
    }),
    "labels of texts": (lambda: rated_texts(label=lambda n, m: not m), {
        "judges/people/words": {"true": 1.0, "false": 0.0}, "generators": ["traces"],
        "judges/people/dimensions": {"label": "label"},
    }),
    "votes on texts": (voted_texts, {
        "pairwise_judges/votes/a/completion": "response_a", "pairwise_judges/votes/words/tie": ["tie", "both bad"],
        "generators": ["traces"],
    }),
    "models that think": (thinking_models, {
        "generators": ["gemini-attempt", "deepseek-attempt"], "sources/s1k/columns/answer": "solution",
        "generators/gemini-attempt/columns/reasoning": "gemini_thinking_trajectory",
        "generators/deepseek-attempt/columns/reasoning": "deepseek_thinking_trajectory",
    }),
    "degrees that are no words": (degrees, {"generators": ["output-1", "output-2"], "pairwise_judges": []}),
    "lm-eval": (lm_eval, {
        "generators/qwen2-5-7b-samples-gsm8k/scale_b": 7.0, "generators/llama-3-2-1b-samples-math/family": "llama-3-2",
        "generators/llama-3-2-1b-samples-gsm8k/columns/prompt_id": None,
    }),
    "nothing": (silent, {"generators": ["mixed"], "sources": ["mixed"]}),
    "rows within data": (wrapped, {
        "sources/export/rows": "data", "generators/export/columns/generator": "model",
        "sources/export/columns/prompt": "question",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", fast(FOUND, 3))
def test_a_layout_that_people_have_is_read_as_what_it_is(name: str) -> None:
    make, found = FOUND[name]
    study = written(*make())
    assert {place: at(study, place) for place in found} == found


STAGES = ("collect", "generate", "renderings", "judge", "pair", "prefer", "delta", "calibrate", "reliability", "select")


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_the_study_that_is_written_runs_to_its_subsets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study = written(*FOUND[name][0]())
    names = {"generate": study.generators, "judge": study.judges, "prefer": study.pairwise_judges,
             "select": study.selections}  # fmt: skip
    for stage in (
        "collect",
        "generate",
        "renderings",
        "judge",
        "pair",
        "prefer",
        "delta",
        "calibrate",
        "reliability",
        "select",
    ):
        for argument in names.get(stage, [None]):
            monkeypatch.setattr(sys, "argv", [stage, *([] if argument is None else [argument])])
            importlib.import_module(f"stages.{stage}").main()
    for selection in study.selections:
        assert not parquet.read(contracts.SUBSETS, contracts.path("subsets", selection)).is_empty(), selection


def a_turn_a_row() -> list[str]:
    """As OASST's messages, with the id of the message before."""
    rows = [{"message_id": f"{n}", "parent_id": None if n % 2 == 0 else f"{n - 1}", "text": ASKED[n], "rank": None,
             "role": ("prompter", "assistant")[n % 2], "lang": "en"} for n in range(8)]  # fmt: skip
    return [lines("messages.jsonl", rows)]


def worked_out() -> list[str]:
    """As LIMO: a question, its answer and a solution that thinks aloud."""
    return [lines("limo.jsonl", of_each(lambda n: {"question": ASKED[n], "answer": str(n + 5),
                                                   "solution": f"Okay. {say(n, 0)} \\boxed{{{n + 5}}}"}))]  # fmt: skip


REFUSED: dict[str, tuple[Callable[[], list[str]], str]] = {
    "a turn a row": (a_turn_a_row, "each row is one turn of a conversation, as column 'role' says; write a row for"),
    "solutions": (worked_out, "holds prompts alone; name the files of what models answered, too; or call 'solution'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_is_not_read_says_so_in_one_line_with_the_way_out(name: str) -> None:
    make, said = REFUSED[name]
    with pytest.raises(CurationError) as caught:
        new.main(make())
    assert said in str(caught.value) and "\n" not in str(caught.value) and not Path("params.yaml").exists()


def test_what_plays_no_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    written(*thinking_models(), *degrees())
    told = [line for line in capsys.readouterr().out.splitlines() if ": not read: " in line]
    assert told == [
        "s1k.jsonl: not read: 'metadata', 'gemini_grade', 'gemini_grade_reason', 'deepseek_grade', "
        "'deepseek_grade_reason'",
        "annotations.json: not read: 'generator_1', 'generator_2', 'preference', 'annotator'",
    ]


def test_who_answered_nothing_is_named_and_is_no_generator(capsys: pytest.CaptureFixture[str]) -> None:
    written(*silent())
    told = capsys.readouterr().out
    assert "failed.jsonl: left out: 'response' is empty in every row" in told
    assert "ended.jsonl: left out: no row has a prompt and a completion in 'response' that ended well" in told
    assert "mixed.jsonl: left out: all rows of 'm2', which answered nothing" in told
    assert "# 2 models: m0 (8), m1 (8)" in Path("params.yaml").read_text()


def options(**columns: Any) -> str:
    rows = of_each(lambda n: {"question": ASKED[n], "model_output": f"I take ({'ABC'[n % 3]}) of these.", "model": "m",
                              "answer": "ABC"[n % 2]} | columns)  # fmt: skip
    return lines("mc.jsonl", rows)


OPTIONS: dict[str, Row] = {
    "a list": {"choices": ["twelve of them", "seven or so", "none"]},
    "texts and labels": {"choices": {"text": ["twelve of them", "seven or so", "none"], "label": ["A", "B", "C"]}},
    "letters": {"A": "twelve of them", "B": "seven or so", "C": "none"},
    "words and letters": {"option_a": "twelve of them", "option_b": "seven or so", "option_c": "none"},
    "numbers": {"choices": ["twelve of them", "seven or so", "none"], "answer": 0},
    "numbers from 1": {"endings": ["twelve of them", "seven or so", "none"], "answer": 1},
}


@pytest.mark.parametrize("form", fast(OPTIONS, 2))
def test_options_in_columns_of_their_own_end_the_prompt(form: str) -> None:
    """The kind of fault: a prompt that asks nothing, as what it is asked to choose from stands elsewhere."""
    study = written(options(**OPTIONS[form]))
    assert list(study.generators) == ["m"]
    (source,) = study.sources.values()
    rows = table.prompts(source, set())
    asked = rows["prompt"].list.last().struct.field("content").to_list()
    assert asked == [f"{text}\nA. twelve of them\nB. seven or so\nC. none" for text in ASKED]
    right = {"answer": ["A"] * 8} if form.startswith("numbers") else {"answer": ["A", "B"] * 4}
    assert rows["answer"].to_list() == right["answer"] and source.verifier.kind == "choice"
    generator = study.generators["m"]
    assert generator.columns.options == source.columns.options


def test_a_letter_past_all_answers_is_no_option() -> None:
    """`I think` after the option that was taken."""
    rows = of_each(lambda n: {"question": ASKED[n], "choices": ["twelve", "seven", "none"], "answer": n % 3,
                              "model": "m", "model_output": f"It is ({'ABC'[n % 3]}), I think."})  # fmt: skip
    written(lines("mc.jsonl", rows))
    assert "of 8 completions tried, 8 are right so" in Path("params.yaml").read_text()


def test_options_that_another_file_lacks_are_named_and_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    rows = of_each(lambda n: {"question": ASKED[n], "response": say(n, 0)})
    study = written(options(choices=["twelve of them", "seven or so", "none"]), lines("others.jsonl", rows))
    assert all(source.columns.options is None for source in study.sources.values())
    assert "mc.jsonl: no prompt says the options, which 'choices' have; give every file" in capsys.readouterr().out


def test_a_number_of_no_option_is_refused_with_its_row() -> None:
    file = lines("mc.jsonl", [{"q": ASKED[0], "o": ["x", "y"], "a": 27}])
    columns = {"prompt": "q", "answer": {"column": "a", "first": 0}, "task": None, "options": "o"}
    source = {"kind": "table", "path": file, "split": "train", "columns": columns, "verifier": "choice",
              "instruction": None}  # fmt: skip
    with pytest.raises(CurationError, match=r"mc\.jsonl: row 0: column 'a' is 27, the number of no option"):
        table.prompts(table.Params.model_validate(source), set())


def test_options_that_prompts_say_are_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    rows = of_each(lambda n: {"question": f"{ASKED[n]}\nA. twelve\nB. seven\nC. none", "model_output": f"I take A {n}.",
                              "choices": ["twelve", "seven", "none"], "answer": "A"})  # fmt: skip
    written(lines("mc.jsonl", rows))
    assert "options" not in capsys.readouterr().out


def test_a_folder_is_part_of_a_name_only_where_it_is_called_as_a_model() -> None:
    found = ("Qwen2.5-7B/samples", "tmp1m8wnayq/a", "runs/a", "a", "runs-3b/llama-1b")
    files = [Path(lines(f"{name}.jsonl", [{"q": 1}])) for name in found]
    assert [label(file, [file]) for file in files] == ["Qwen2.5-7B-samples", "a", "a", "a", "llama-1b"]


@pytest.mark.slow
def test_a_file_is_looked_at_from_its_first_rows_to_its_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many rows some are looked at, neighbours together; columns that come late are seen too."""
    monkeypatch.setattr(looking, "MOST_ROWS", 4096)
    early = [{"prompt": f"{ASKED[0]} {n}", "response": say(n, m)} for n in range(2_500) for m in (0, 1)]
    late = [{"prompt": f"Late: {n}?", "response": f"<think>hm</think>{n}", "thumbs": n} for n in range(3_500)]
    study = written(lines("grown.jsonl", [*early, *late]))
    assert study.generators["grown"].reasoning.kind == "think"
    told = capsys.readouterr().out
    assert " of 8500 rows" in told and "grown.jsonl: not read: 'thumbs'" in told
