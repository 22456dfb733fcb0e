"""Logs of lm-eval: `samples_TASK_DATE.jsonl`, as `lm_eval run --log_samples --output_path` writes them, a line for each
document and filter, and `results_DATE.json` beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.ranges import Word
from curation.exchange.results._hashes import digest, digest_all, write
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams, Tasks, choose, find_named, name_pattern, pick

NAME = name_pattern("samples", "jsonl")
OF_ALL = ("lm_eval_version", "system_instruction_sha", "fewshot_as_multiturn")  # of results_DATE.json
OF_CONFIG = ("limit", "random_seed", "numpy_seed", "torch_seed", "fewshot_seed", "gen_kwargs")
OF_TASK = ("versions", "n-shot", "task_hashes")  # by task
OF_A_RUN = ("model_name", "chat_template_sha", "git_hash", "transformers_version")


class Params(HarnessParams):
    """A benchmark of kind lm_eval: the logs of one task or of several, which a group, a pattern or a list names.
    `metric` and `filter` are named where a log has several, and may be left out where it has one. A run's path is a
    file of samples, or a folder that has them, however deep."""

    kind: Literal["lm_eval"]
    task: Tasks
    metric: Word | None = None
    filter: Word | None = None


def find_logs(settings: Params, place: Path) -> dict[Path, str]:
    """The files of the tasks' samples; a group that results_DATE.json tells of stands for its tasks. Raises
    CurationError naming the tasks that there are, if there is none of one."""
    named = find_named(place, settings.task, NAME, "jsonl")
    groups = _read_groups(place) if set(settings.task) - set(named.values()) else {}
    wanted = [task for name in settings.task for task in _list_tasks(name, groups)]
    return pick(place, named, wanted, "put in what lm_eval run --log_samples writes, samples_TASK_DATE.jsonl")


def _read_groups(folder: Path) -> dict[str, list[str]]:
    """The groups that logs in the folder tell of, and what each has."""
    found = (_read_about(file) or {} for file in sorted(folder.rglob("results_*.json")))
    return {group: of for about in found for group, of in (about.get("group_subtasks") or {}).items() if of}


def _list_tasks(name: str, groups: dict[str, list[str]]) -> list[str]:
    """The tasks of a group, whose members may be groups; any other name itself."""
    if name not in groups:
        return [name]
    within = {group: of for group, of in groups.items() if group != name}
    return [task for member in groups[name] for task in _list_tasks(member, within)]


def read_log(settings: Params, file: Path, task: str) -> Log:
    """The rows of one filter and metric. A document's score is one, whatever its repeats: lm-eval has put them
    together. Raises CurationError if a line is cut, or documents are missing that results_DATE.json counts."""
    lines = list(_read_lines(file))
    try:
        chosen = choose("filter", settings.filter, (write(line["filter"]) for _, line in lines))
        lines = [(number, line) for number, line in lines if line["filter"] == chosen]
        metric = choose("metric", settings.metric, (name for _, line in lines for name in line["metrics"]))
        rows = [_read_row(settings, task, f"{file}: line {number}", line, metric) for number, line in lines]
    except CurationError as error:
        where = "" if str(error).startswith(f"{file}: ") else f"{file}: "
        raise CurationError(f"{where}{error}") from None
    prompts = digest_all(f"{line.get('doc_hash')} {line.get('prompt_hash')}" for _, line in lines)
    alike = {"harness": "lm_eval", "task": task, "filter": chosen, "metric": metric, "prompts": prompts}
    about = _read_results(file)
    if about is None:
        return Log(rows, alike, {})
    asked = (about.get("n-samples", {}).get(task) or {}).get("effective")
    documents = len({row.place for row in rows})
    if asked is not None and documents < asked:
        raise CurationError(f"{file}: has {documents} of {asked} documents, so it is not whole; copy it again")
    return Log(rows, alike | _alike(about, task), _own(about))


def _read_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    body = file.read_bytes()
    if not body.strip():
        raise CurationError(f"{file}: is empty, so the run was not finished; run it again, or name another file")
    lines = body.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            cut = number == len(lines)
            why = "is cut off, so the run was not finished" if cut else "is no JSON"
            raise CurationError(f"{file}: line {number} {why}; run it again, or name another file") from None
        missing = [key for key in ("doc_id", "filter", "metrics") if not isinstance(value, dict) or key not in value]
        if missing:
            raise CurationError(f"{file}: line {number}: no {missing[0]!r}, so it is no sample of lm-eval's")
        yield number, value


def _read_row(settings: Params, task: str, at: str, line: dict[str, Any], metric: str) -> Row:
    if metric not in line:
        raise CurationError(f"{at}: no {metric!r} beside its metrics {show_value(line['metrics'])}")
    try:
        score = read_score(line[metric], settings.scale)
    except ValueError as fault:
        raise CurationError(f"{at}: {metric}: {fault}") from None
    said = line.get("doc_hash") or digest(line.get("doc"))
    return Row(
        content=digest(task, said, line.get("target_hash") or digest(line.get("target"))),
        place=write(line["doc_id"]),
        sample=0,
        score=score,
        status="missing" if score is None else "scored",
        finish_reason="stop",
        completion=_find_text(line.get("resps")),
        n_tokens=None,
        at=at,
    )


def _find_text(responses: Any) -> str | None:
    """What the model said, where it was asked one thing and answered in words."""
    match responses:
        case [[str(text), *_]]:
            return text
    return None


def _read_results(file: Path) -> dict[str, Any] | None:
    """What results_DATE.json beside a file of samples says; None if there is none."""
    match = NAME.fullmatch(file.name)
    beside = file.with_name(f"results_{match['date']}.json") if match else None
    return _read_about(beside) if beside is not None and beside.exists() else None


def _read_about(file: Path) -> dict[str, Any] | None:
    try:
        about = json.loads(file.read_bytes())
    except ValueError:
        raise CurationError(f"{file}: is no JSON; copy it again, or delete it") from None
    return about if isinstance(about, dict) else None


def _alike(about: dict[str, Any], task: str) -> dict[str, str]:
    config, of_task = about.get("config") or {}, (about.get("configs") or {}).get(task) or {}
    said = {name: about.get(name) for name in OF_ALL}
    said |= {name: config.get(name) for name in OF_CONFIG}
    said |= {name: (about.get(name) or {}).get(task) for name in OF_TASK}
    said["generation_kwargs"] = of_task.get("generation_kwargs")
    return {name: write(value) for name, value in said.items()}


def _own(about: dict[str, Any]) -> dict[str, str]:
    config = about.get("config") or {}
    own = {name: about.get(name) for name in OF_A_RUN}
    own |= {name: config.get(name) for name in ("model", "model_args", "batch_size", "device", "model_revision")}
    return {name: write(value) for name, value in own.items() if value is not None}
