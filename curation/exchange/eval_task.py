"""A benchmark as a task of lm-eval, so that both sides ask the same prompts: a YAML file, and the documents beside
it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError, write_whole
from curation.core.messages import did_you_mean
from curation.core.study import Study
from curation.models import weights
from curation.models.call_rendering import render_call
from curation.training.student_calls import make_student_calls

FORMS = {  # of answers, and the last such thing in a text as lm-eval finds it
    r"-?\d+(\.\d+)?": r"(-?\d[\d,]*(?:\.\d+)?)",
    r"[A-Z]": r"\b([A-Z])\b",
}
HEAD = """\
# The benchmark {name} as a task of lm-eval, made by `curation eval-task`.
# `prompt` is what `evaluate` asks the student, chat template and system message included: run it in this folder,
# without --apply_chat_template. lm-eval asks each prompt once, and grades by exact_match of what its filter finds.
"""


class EvalTask(NamedTuple):
    """The task's files by their names, and what of the benchmark it does not carry, a sentence each."""

    files: dict[str, bytes]
    left_out: list[str]


def make_eval_task(study: Study, benchmark: str, prompts: pl.DataFrame) -> EvalTask:
    """The task of a benchmark: its prompts as the student's chat template writes them. `prompts` are the rows of the
    table. Raises CurationError if it is no benchmark, or the template refuses a prompt."""
    if benchmark not in study.benchmarks:
        hint = did_you_mean(benchmark, study.benchmarks)
        raise CurationError(f"{benchmark}: is no source outside the train split{hint}")
    rows = prompts.filter(source=benchmark).sort("prompt_id")
    documents = list(_documents(study, rows))
    body = "".join(f"{json.dumps(document, ensure_ascii=False)}\n" for document in documents)
    settings = "".join(f"{key}: {json.dumps(value)}\n" for key, value in _settings(study, benchmark, rows).items())
    files = {f"{benchmark}.jsonl": body, f"{benchmark}.yaml": HEAD.format(name=benchmark) + settings}
    return EvalTask({name: text.encode() for name, text in files.items()}, list(_left_out(study, benchmark, rows)))


def _documents(study: Study, rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    student = study.student
    tokenizer = weights.tokenizer(student.model, student.pinned)
    calls = make_student_calls(study.evaluate, student, student.pinned, rows)
    of_prompts = [call for call in calls if call.sample_index == 0]
    for call, (prompt_id, answer) in zip(of_prompts, rows.select("prompt_id", "answer").iter_rows(), strict=True):
        yield {"prompt_id": prompt_id, "prompt": render_call(tokenizer, call, student.template), "answer": answer}


def _settings(study: Study, benchmark: str, rows: pl.DataFrame) -> dict[str, Any]:
    sampling = study.evaluate.sampling_of(benchmark)
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    known = {name: value for name, value in drawn.items() if value is not None}
    options = {"do_sample": True, **known} if sampling.temperature > 0 else {"do_sample": False}
    found = _find_pattern(rows)
    finds = [] if found is None else [{"function": "regex", "regex_pattern": found, "group_select": -1}]
    return {
        "task": benchmark,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{benchmark}.jsonl"}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "target_delimiter": "",
        "generation_kwargs": {"until": [], "max_gen_toks": sampling.max_tokens, **options},
        "filter_list": [{"name": "answer", "filter": [*finds, {"function": "take_first"}]}],
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "regexes_to_ignore": [","]}
        ],
        "metadata": {"version": 1.0},
    }


def _find_pattern(rows: pl.DataFrame) -> str | None:
    """What finds an answer in a text, where all answers are numbers, or all are letters."""
    answers = rows["answer"].fill_null("")
    return next((finds for form, finds in FORMS.items() if answers.str.contains(f"^({form})$").all()), None)


def _left_out(study: Study, benchmark: str, rows: pl.DataFrame) -> Iterator[str]:
    samples = study.evaluate.sampling_of(benchmark).samples
    if samples > 1:
        yield f"`evaluate` asks each prompt {samples} times, lm-eval once"
    if several := rows["answers"].is_not_null().sum():
        yield f"{several} prompts accept several answers; lm-eval is told the first"
    if _find_pattern(rows) is None:
        yield "answers are neither numbers nor letters, so lm-eval compares the whole text with them"


def write_eval_task(task: EvalTask, folder: Path) -> None:
    """`folder` holds the task's files. Raises CurationError if one cannot be written."""
    for name, body in task.files.items():
        write_whole(folder / name, body)
