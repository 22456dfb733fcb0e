"""Logs of inspect_ai: `.eval`, an archive with a member for each sample, or `.json`, all in one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.ranges import Word
from curation.exchange.results._hashes import digest, digest_all, write
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams, choose
from curation.exchange.results._zip import Archive

HEADER, JOURNAL, SAMPLES = "header.json", "_journal/start.json", "samples/"
FORMS = (".eval", ".json")
CUT = ("max_tokens", "model_length")  # inspect's words for an answer that reached a limit
SHOWN = 5  # tasks in a message
OF_EVAL = ("task_version", "task_args", "packages")
OF_CONFIG = (
    "epochs", "epochs_reducer", "limit", "sample_id", "sample_shuffle", "message_limit", "token_limit", "time_limit",
    "working_limit", "cost_limit",
)  # fmt: skip
OF_SAMPLING = (
    "system_message", "max_tokens", "temperature", "top_p", "top_k", "seed", "stop_seqs", "num_choices",
    "reasoning_effort", "reasoning_tokens",
)  # fmt: skip
OF_A_RUN = ("model", "model_args", "model_base_url", "revision", "created")


class Params(HarnessParams):
    """A benchmark of kind inspect: the logs of one task. `scorer` is named where a log has several, `metric` where a
    scorer gives several values. Epochs are samples."""

    kind: Literal["inspect"]
    task: Word
    scorer: Word | None = None
    metric: Word | None = None


def find_logs(settings: Params, folder: Path) -> list[Path]:
    """The logs of the task. Raises CurationError naming the tasks that there are, if there is none."""
    tasks = {file: _name_task(file) for file in sorted(folder.rglob("*")) if file.suffix in FORMS and file.is_file()}
    found = [file for file, task in tasks.items() if task == settings.task]
    if not found:
        there = first_names(sorted({task for task in tasks.values() if task}), SHOWN)
        raise CurationError(f"{folder}: has no log of {settings.task}; {f'it has {there}' if there else 'put some in'}")
    return found


def _name_task(file: Path) -> str | None:
    """The task of a log; None where it is no log."""
    try:
        header = _read_header(file)
    except CurationError:
        if file.suffix == ".eval":
            raise
        return None
    return (header.get("eval") or {}).get("task")


def read_log(settings: Params, file: Path) -> Log:
    """The rows of one scorer, a sample each; one that failed has the status error, one that a limit ended is missing.
    Raises CurationError if the log is not finished."""
    header = _read_header(file)
    status, about = header.get("status"), header.get("eval") or {}
    if status != "success":
        raise CurationError(f"{file}: its status is {status}, so it is not whole; `inspect eval-retry` finishes it")
    if about.get("task") != settings.task:
        raise CurationError(
            f"{file}: is of the task {about.get('task')}, not {settings.task}; correct task, or the path"
        )
    samples = list(_read_samples(file))
    scores = [name for _, sample in samples for name in (sample.get("scores") or {})]
    try:
        scorer = choose("scorer", settings.scorer, scores)
    except CurationError as error:
        raise CurationError(f"{file}: {error}") from None
    rows = [_read_row(settings, f"{file}: {name}", sample, scorer) for name, sample in samples]
    wanted = (header.get("results") or {}).get("total_samples")
    if wanted is not None and len(rows) < wanted:
        raise CurationError(f"{file}: has {len(rows)} of {wanted} samples, so it is not whole; copy it again")
    alike = {"harness": "inspect_ai", "scorer": scorer, "prompts": digest_all(row.content for row in rows)}
    alike |= {} if settings.metric is None else {"metric": settings.metric}
    alike |= {name: write(about.get(name)) for name in OF_EVAL} | {"dataset": _name_dataset(about)}
    alike |= {"config": _pick(about.get("config"), OF_CONFIG)}
    alike |= {"sampling": _pick(about.get("model_generate_config"), OF_SAMPLING)}
    alike |= {"solvers": write([step.get("solver") for step in (header.get("plan") or {}).get("steps") or []])}
    own = {name: write(about[name]) for name in OF_A_RUN if about.get(name) is not None}
    return Log(rows, alike, own)


def _read_header(file: Path) -> dict[str, Any]:
    """All that a log says but for its samples."""
    if file.suffix != ".eval":
        return _read_json(file)
    archive = Archive(file)
    if HEADER in archive.members:
        return _parse(archive.read(HEADER), f"{file}: {HEADER}")
    if JOURNAL in archive.members:
        return {"status": "started", **_parse(archive.read(JOURNAL), f"{file}: {JOURNAL}")}
    raise CurationError(f"{file}: has no {HEADER}, so it is no log of inspect's; correct the path")


def _read_samples(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each sample with what it is called in a message."""
    if file.suffix != ".eval":
        for number, sample in enumerate(_read_json(file).get("samples") or []):
            yield f"sample {number}", sample
        return
    archive = Archive(file)
    for name in archive.members:
        if name.startswith(SAMPLES) and name.endswith(".json"):
            yield name, _parse(archive.read(name), f"{file}: {name}")


def _read_json(file: Path) -> dict[str, Any]:
    return _parse(file.read_bytes(), str(file))


def _parse(body: bytes, at: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise CurationError(f"{at}: is no whole JSON, so it was cut off; copy it again") from None
    if not isinstance(value, dict):
        raise CurationError(f"{at}: holds no log of inspect's; correct the path")
    return value


def _read_row(settings: Params, at: str, sample: dict[str, Any], scorer: str) -> Row:
    failed, limited = sample.get("error") is not None, sample.get("limit") is not None
    score = None if failed or limited else _read_score(settings, at, (sample.get("scores") or {}).get(scorer), scorer)
    output = sample.get("output") or {}
    ended = next((choice.get("stop_reason") for choice in output.get("choices") or []), None)
    return Row(
        content=digest(settings.task, sample.get("input"), sample.get("target")),
        place=write(sample.get("id")),
        sample=int(sample.get("epoch") or 1) - 1,
        score=score,
        status="error" if failed else "missing" if score is None else "scored",
        finish_reason="error" if failed else "length" if limited or ended in CUT else "stop",
        completion=None if failed else output.get("completion"),
        n_tokens=(output.get("usage") or {}).get("output_tokens"),
        at=at,
    )


def _read_score(settings: Params, at: str, score: Any, scorer: str) -> float | None:
    """A scorer's value of a sample; None where it gave none."""
    value = score.get("value") if isinstance(score, dict) else None
    try:
        if isinstance(value, dict):
            value = value[choose("metric", settings.metric, value)]
        return read_score(value, settings.scale)
    except (ValueError, CurationError) as fault:
        raise CurationError(f"{at}: {scorer}: {fault}") from None


def _name_dataset(about: dict[str, Any]) -> str:
    return _pick(about.get("dataset"), ("name", "samples", "shuffled"))


def _pick(settings: dict[str, Any] | None, names: tuple[str, ...]) -> str:
    """Those of the settings that are given, of the names that say what was asked."""
    return write({name: value for name in names if (value := (settings or {}).get(name)) is not None})
