"""Logs of lighteval: `details_TASK_DATE.parquet`, as `--save-details` writes them, a row for each document. Its columns
are called as its documentation calls them, or as its code does; no run of it was at hand to hold them to."""

from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.ranges import Word
from curation.exchange.results._hashes import digest, digest_all, write
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams, choose, find_named

COLUMNS = {"doc": "__doc__", "metric": "__metric__", "model_response": "__model_response__"}
SHOWN = 5  # columns in a message


class Params(HarnessParams):
    """A benchmark of kind lighteval: the details of one task, such as `gsm8k|0`. `metric` is named where there are
    several."""

    kind: Literal["lighteval"]
    task: Word
    metric: Word | None = None


def find_logs(settings: Params, folder: Path) -> list[Path]:
    """The files of the task's details. Raises CurationError naming the tasks that there are, if there is none."""
    return find_named(folder, settings.task, "details", "parquet", "run lighteval with --save-details")


def read_log(settings: Params, file: Path) -> Log:
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
        _read_row(settings, f"{file}: row {number}", metric, *of_one)
        for number, of_one in enumerate(zip(documents, metrics, responses, strict=True))
    ]
    prompts = digest_all(digest(one.get("instruction"), one.get("query")) for one in documents)
    return Log(rows, {"harness": "lighteval", "metric": metric, "prompts": prompts}, {})


def _read_row(
    settings: Params, at: str, metric: str, document: dict[str, Any], values: dict[str, Any], said: dict[str, Any]
) -> Row:
    try:
        score = read_score((values or {}).get(metric), settings.scale)
    except ValueError as fault:
        raise CurationError(f"{at}: {metric}: {fault}") from None
    texts = (said or {}).get("text") or []
    return Row(
        content=digest(settings.task, document.get("query"), document.get("choices"), document.get("gold_index")),
        place=write(document.get("id")),
        sample=0,
        score=score,
        status="missing" if score is None else "scored",
        finish_reason="stop",
        completion=texts[0] if len(texts) == 1 and isinstance(texts[0], str) else None,
        n_tokens=None,
        at=at,
    )
