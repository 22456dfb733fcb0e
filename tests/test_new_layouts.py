"""`curation new` and the layouts that people have: faithful excerpts of published sets, harnesses and habits. Each is
read right, or what was not read is said in one line.

Kinds of fault: rows that stand within something; a part taken for the whole of what was said; what belongs to files
beside taken for a set of its own; what a file holds and no table gets, without a word; a guess from the first rows that
the last ones do not bear out.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from curation.commands import new
from curation.core.params import read
from curation.core.study import Study

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
    "ratings of texts": (lambda: rated_texts(helpfulness=lambda n, m: 1 + (n + m) % 5, clarity=lambda n, m: n % 4), {
        "judges/people/trace/completion": "text", "judges/people/trace/prompt": "prompt",
        "judges/people/dimensions": {"helpfulness": "helpfulness", "clarity": "clarity"},
        "generators": ["traces"], "sources": ["traces"], "pairwise_judges": [],
    }),
    "numbers of no known name": (lambda: rated_texts(wit=lambda n, m: n % 4), {
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
    "rows within data": (wrapped, {
        "sources/export/rows": "data", "generators/export/columns/generator": "model",
        "sources/export/columns/prompt": "question",
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_a_layout_that_people_have_is_read_as_what_it_is(name: str) -> None:
    make, found = FOUND[name]
    study = written(*make())
    assert {place: at(study, place) for place in found} == found
