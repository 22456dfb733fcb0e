"""Logs of inspect_ai: `.eval`, an archive with a member for each sample, or `.json`, all in one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.ranges import Word
from curation.exchange.results._hashes import digest, digest_all, write
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams, Tasks, choose, pick
from curation.exchange.results._zip import Archive

HEADER, JOURNAL, SAMPLES = "header.json", "_journal/start.json", "samples/"
FORMS = (".eval", ".json")
CUT = ("max_tokens", "model_length")  # inspect's words for an answer that reached a limit
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
    """A benchmark of kind inspect: the logs of one task, or of several, which a pattern or a list names. `scorer` is
    named where a log has several, `metric` where a scorer gives several values. Epochs are samples."""

    kind: Literal["inspect"]
    task: Tasks
    scorer: Word | None = None
    metric: Word | None = None


def find_logs(settings: Params, place: Path) -> dict[Path, str]:
    """The logs of the tasks. Raises CurationError naming the tasks that there are, if there is none of one."""
    files = [file for file in sorted(place.rglob("*")) if file.suffix in FORMS] if place.is_dir() else [place]
    tasks = {file: task for file in files if file.is_file() and (task := _name_task(file)) is not None}
    return pick(place, tasks, settings.task, "put some in")


def _name_task(file: Path) -> str | None:
    """The task of a log; None where it is sound JSON of something else."""
    header = _read_header(file) if file.suffix == ".eval" else _load(file.read_bytes(), str(file))
    about = header.get("eval") if isinstance(header, dict) else None
    return about.get("task") if isinstance(about, dict) else None


def read_log(settings: Params, file: Path, task: str) -> Log:
    """The rows of one scorer, a sample each; one that failed has the status error, one that a limit ended is missing.
    Raises CurationError if the log is not finished."""
    header = _read_header(file)
    status, about = header.get("status"), header.get("eval") or {}
    if status != "success":
        way_out = "`inspect eval-retry` makes a log of its own that is; then take this one away"
        raise CurationError(f"{file}: its status is {status}, so it is not whole; {way_out}")
    samples = list(_read_samples(file))
    scores = [name for _, sample in samples for name in (sample.get("scores") or {})]
    try:
        scorer = choose("scorer", settings.scorer, scores)
    except CurationError as error:
        raise CurationError(f"{file}: {error}") from None
    rows = [_read_row(settings, task, f"{file}: {name}", sample, scorer) for name, sample in samples]
    wanted = (header.get("results") or {}).get("total_samples")
    if wanted is not None and len(rows) < wanted:
        raise CurationError(f"{file}: has {len(rows)} of {wanted} samples, so it is not whole; copy it again")
    alike = {
        "harness": "inspect_ai",
        "task": task,
        "scorer": scorer,
        "prompts": digest_all(row.content for row in rows),
    }
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
    value = _load(body, at)
    if not isinstance(value, dict):
        raise CurationError(f"{at}: holds no log of inspect's; correct the path")
    return value


def _load(body: bytes, at: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise CurationError(f"{at}: is no whole JSON, so it was cut off; copy it again") from None


def _read_row(settings: Params, task: str, at: str, sample: dict[str, Any], scorer: str) -> Row:
    failed, limited, withdrawn = (sample.get(name) is not None for name in ("error", "limit", "invalidation"))
    score = (
        None
        if failed or limited or withdrawn
        else _read_score(settings, at, (sample.get("scores") or {}).get(scorer), scorer)
    )
    output = sample.get("output") or {}
    ended = next((choice.get("stop_reason") for choice in output.get("choices") or []), None)
    return Row(
        content=digest(task, sample.get("input"), sample.get("target")),
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
