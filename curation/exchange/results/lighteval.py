"""Logs of lighteval: `details_TASK_DATE.parquet`, as `--save-details` writes them, a row for each document. Its columns
are called as its documentation calls them, or as its code does."""

import json
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.ranges import Word
from curation.exchange.results._hashes import digest, digest_all, write
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams, Tasks, choose, find_named, name_pattern, pick

COLUMNS = {"doc": "__doc__", "metric": "__metric__", "model_response": "__model_response__"}
NAME = name_pattern("details", "parquet")
OF_MODEL = ("generation_parameters", "system_prompt", "max_length", "add_special_tokens", "override_chat_template")
OF_TASK = ("version", "num_fewshots", "few_shots_split", "few_shots_select", "generation_size", "stop_sequence",
           "num_samples", "hf_repo", "hf_subset", "hf_revision", "evaluation_splits")  # fmt: skip
SHOWN = 5  # columns in a message


class Params(HarnessParams):
    """A benchmark of kind lighteval: the details of one task, such as `gsm8k|0`, or of several, which a pattern
    (`mmlu:*|0`) or a list names. `metric` is named where there are
    several."""

    kind: Literal["lighteval"]
    task: Tasks
    metric: Word | None = None


def find_logs(settings: Params, place: Path) -> dict[Path, str]:
    """The files of the tasks' details. Raises CurationError naming the tasks that there are, if there is none of
    one."""
    named = find_named(place, settings.task, NAME, "parquet")
    return pick(place, named, settings.task, "put in what lighteval --save-details writes, details_TASK_DATE.parquet")


def read_log(settings: Params, file: Path, task: str) -> Log:
    """The rows of one metric, a document each: its samples have one score. Raises CurationError if a column or the
    metric is not there."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        table = pq.read_table(file)
    except (ArrowException, OSError) as error:
        raise CurationError(f"{file}: is no whole Parquet file: {error}; copy it again") from None
    names = {}
    for ours, theirs in COLUMNS.items():
        names[ours] = next((name for name in (ours, theirs) if name in table.column_names), None)
        if names[ours] is None:
            there = first_names(table.column_names, SHOWN)
            raise CurationError(
                f"{file}: no column {ours!r} or {theirs!r}, which lighteval's details have; it has {there}"
            )
    documents, metrics, responses = (table[names[ours]].to_pylist() for ours in COLUMNS)
    try:
        metric = choose("metric", settings.metric, (name for of_one in metrics for name in of_one or {}))
    except CurationError as error:
        raise CurationError(f"{file}: {error}") from None
    rows = [
        _read_row(settings, task, f"{file}: row {number}", metric, *of_one)
        for number, of_one in enumerate(zip(documents, metrics, responses, strict=True))
    ]
    prompts = digest_all(digest(one.get("instruction"), one.get("query")) for one in documents)
    alike, own = _read_about(file, task)
    return Log(rows, {"harness": "lighteval", "task": task, "metric": metric, "prompts": prompts} | alike, own)


def _read_about(file: Path, task: str) -> tuple[dict[str, str], dict[str, str]]:
    """What results_DATE.json says of how a task was measured, and of the run: it lies in `results/MODEL`, where the
    details lie in `details/MODEL/DATE`, or was put beside them. Nothing where there is none."""
    match = NAME.fullmatch(file.name)
    if match is None:
        return {}, {}
    name = f"results_{match['date']}.json"
    beside = [above.parent / "results" / file.parents[1].relative_to(above) / name
              for above in file.parents[1:] if above.name == "details"]  # fmt: skip
    about = next((one for one in (file.with_name(name), *beside) if one.is_file()), None)
    if about is None:
        return {}, {}
    try:
        said = json.loads(about.read_bytes())
        general, of_task = said["config_general"], said["config_tasks"][task]
        model_settings = general["model_config"]
    except (ValueError, KeyError, TypeError):
        raise CurationError(f"{about}: is no whole file of lighteval's results; copy it again, or delete it") from None
    alike = {name: write(model_settings.get(name)) for name in OF_MODEL}
    alike |= {name: write(of_task.get(name)) for name in OF_TASK} | {"max_samples": write(general.get("max_samples"))}
    own = {name: write(model_settings.get(name)) for name in ("model_name", "revision", "dtype", "batch_size")}
    return alike, own | {"lighteval_sha": write(general.get("lighteval_sha"))}


def _read_row(
    settings: Params,
    task: str,
    at: str,
    metric: str,
    document: dict[str, Any],
    values: dict[str, Any] | None,
    said: dict[str, Any] | None,
) -> Row:
    try:
        score = read_score((values or {}).get(metric), settings.scale)
    except ValueError as fault:
        raise CurationError(f"{at}: {metric}: {fault}") from None
    texts = (said or {}).get("text") or []
    return Row(
        content=digest(task, document.get("query"), document.get("choices"), document.get("gold_index")),
        place=write(document.get("id")),
        sample=0,
        score=score,
        status="missing" if score is None else "scored",
        finish_reason="stop",
        completion=texts[0] if len(texts) == 1 and isinstance(texts[0], str) else None,
        n_tokens=None,
        at=at,
    )
