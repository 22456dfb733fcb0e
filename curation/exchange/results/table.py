"""Any table of scores, Parquet or JSON Lines, with a mapping of its columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import Scale
from curation.core.study import Study
from curation.exchange.results._hashes import digest, digest_all
from curation.exchange.results._kind import Log, Row
from curation.exchange.results._scores import read_score
from curation.exchange.results._settings import HarnessParams
from curation.tables.user_files import open_path
from curation.tables.user_filter import find_where_fault
from curation.tables.user_scores import LABEL, scores
from curation.tables.user_values import INDEX, KEY, TEXT, ColumnType, ValueType

TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Columns(Strict):
    """The file's names for our columns. `prompt` is the prompt's text, or an id that is the same in all runs; `score`
    is null where an answer could not be graded, and true or false where it is right or wrong. `sample` numbers the
    answers to a prompt from 0; `completion` is the answer; `error` is null, or false, but where a call failed. The last
    three may be left out."""

    prompt: str
    score: str
    sample: str | None = None
    completion: str | None = None
    error: str | None = None


class Params(HarnessParams):
    """A benchmark of kind table. `where` says which rows are its own, and may be left out."""

    kind: Literal["table"]
    columns: Columns
    where: str | None = None

    def mistakes(self, study: Study) -> Iterator[str]:
        """What any harness may have, and a filter that is none."""
        yield from super().mistakes(study)
        if self.where is not None and (fault := find_where_fault(self.where)):
            yield f"where: {fault}"


def _types(scale: Scale | None) -> dict[str, ColumnType]:
    """What the columns may hold. True and false are the ends of the scale as a score, and as an error whether there is
    one."""
    low, high = scale or (0.0, 1.0)
    ends = {word: high if truth else low for word, truth in TRUTHS.items()}
    return {
        "prompt": ColumnType(KEY),
        "score": ColumnType(scores(words=ends), nullable=True),
        "sample": ColumnType(INDEX),
        "completion": ColumnType(TEXT, nullable=True),
        "error": ColumnType(ValueType("text or a truth", TEXT.polars, _read_error, LABEL.fits), nullable=True),
    }


def _read_error(value: Any) -> str | None:
    error: str = "true" if value is True else "false" if value is False else TEXT.convert(value)
    return error if TRUTHS.get(error, True) else None


def find_logs(settings: Params, place: Path) -> dict[Path, str]:
    """The place itself: the files of a folder are one table, which names no task."""
    return {place: ""}


def read_log(settings: Params, file: Path, task: str) -> Log:
    """The rows of the table. Raises CurationError if a column is not there, or holds what it may not."""
    table = open_path(str(file), settings.where, say=False)
    columns = settings.columns.model_dump()
    types = _types(settings.scale)
    frame = table.read(columns, {name: types[name] for name in columns})
    rows = []
    for line in frame.iter_rows(named=True):
        try:
            score = None if line.get("error") is not None else read_score(line["score"], settings.scale)
        except ValueError as fault:
            raise CurationError(f"{table.at(line['row'])}: {settings.columns.score}: {fault}") from None
        failed = line.get("error") is not None
        rows.append(
            Row(
                content=digest(line["prompt"]),
                place="",
                sample=line.get("sample", 0),
                score=score,
                status="error" if failed else "missing" if score is None else "scored",
                finish_reason="error" if failed else "stop",
                completion=None if failed else line.get("completion"),
                n_tokens=None,
                at=table.at(line["row"]),
            )
        )
    return Log(rows, {"harness": "table", "prompts": digest_all(row.content for row in rows)}, {})
