"""What other harnesses measured, `results` in params.yaml, as rows of results, and how it was measured."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl

from curation.core.errors import CurationError, Errors
from curation.core.kinds import kind
from curation.core.stats import stable_mean
from curation.core.study import Study
from curation.core.text import shorten, to_path
from curation.exchange.results._kind import AnyMeasuredKind, Log, Measured, Row
from curation.experiment.results import SEPARATOR
from curation.tables.contracts import empty
from curation.tables.ids import content_id
from curation.tables.measurements import IMPORTED_RESULTS, PROVENANCE

SHOWN = 60  # characters of a value in a message

Key = TypeVar("Key")


class MeasuredRuns(NamedTuple):
    """The rows of `imported_results`, and those of `provenance`."""

    results: pl.DataFrame
    provenance: pl.DataFrame


def measure(study: Study) -> MeasuredRuns:
    """All that `results` names, sorted by benchmark and run. Raises Errors with a line for each run whose logs are not
    there, not whole, not to be read, or contradict each other."""
    results, said, faults = [empty(IMPORTED_RESULTS)], list[tuple[str, str, str, str, bool]](), list[str]()
    for benchmark, settings in sorted(study.results.items()):
        for run, path in sorted(settings.runs.items()):
            try:
                rows, alike, own = read_run(settings, benchmark, path)
            except CurationError as error:
                faults.append(f"results.{benchmark}.runs.{run}: {error}")
                continue
            results.append(_tabulate(rows, run, benchmark, settings.split))
            said += [(benchmark, run, field, value, True) for field, value in sorted(alike.items())]
            said += [(benchmark, run, field, value, False) for field, value in sorted(own.items())]
    if faults:
        raise Errors(faults)
    provenance = pl.DataFrame(said, empty(PROVENANCE).schema, orient="row")
    return MeasuredRuns(pl.concat(results), provenance.sort("benchmark", "run", "field"))


def find_logs(settings: Measured, path: str) -> dict[Path, str]:
    """The logs of a run at `path`, a file or a folder, each with its task. Raises CurationError if there are none."""
    place = to_path(path)
    if not place.exists():
        raise CurationError(f"{path}: does not exist; put it there, or correct the path")
    return _module(settings).find_logs(settings, place)


def read_run(settings: Measured, benchmark: str, path: str) -> Log:
    """All that the logs of a run say, each answer once; `content` of a row is told apart from other rows that say the
    same by `place`, which counts them from 0. Raises CurationError if two logs contradict each other."""
    of_run, alike, own = dict[tuple[str, int, int], Row](), dict[str, set[str]](), dict[str, set[str]]()
    for file, task in find_logs(settings, path).items():
        log = _module(settings).read_log(settings, file, task)
        for key, row in _count(log.rows):
            _add(of_run, key, row)
        for known, said in ((alike, log.alike), (own, log.own)):
            for field, value in said.items():
                known.setdefault(field, set()).add(value)
    if not of_run:
        raise CurationError(f"{path}: has no rows")
    rows = [row._replace(place=str(number)) for (_, number, _), row in sorted(of_run.items())]
    return Log(rows, *({field: SEPARATOR.join(sorted(values)) for field, values in of.items()} for of in (alike, own)))


def _module(settings: Measured) -> AnyMeasuredKind:
    return kind("results", settings.kind)


def _count(rows: Iterable[Row]) -> Iterator[tuple[tuple[str, int, int], Row]]:
    """The rows of a log, each once, with the number of each among the prompts that say the same, in the order of their
    places: a set may hold a question twice."""
    distinct = dict[tuple[str, str, int], Row]()
    for row in rows:
        _add(distinct, (row.content, row.place, row.sample), row)
    places = dict[str, set[str]]()
    for row in distinct.values():
        places.setdefault(row.content, set()).add(row.place)
    numbers = {
        (content, place): number
        for content, of_content in places.items()
        for number, place in enumerate(sorted(of_content, key=lambda place: (len(place), place)))
    }
    for row in distinct.values():
        yield (row.content, numbers[row.content, row.place], row.sample), row


def _add(known: dict[Key, Row], key: Key, row: Row) -> None:
    """Adds a row that is not there yet. Raises CurationError if another says something else of the same answer."""
    other = known.setdefault(key, row)
    differing = [name for name in ("score", "status", "completion") if getattr(other, name) != getattr(row, name)]
    if differing:
        was, is_now = (shorten(str(getattr(one, differing[0])), SHOWN) for one in (other, row))
        what = f"{differing[0]} {was} and {is_now}"
        raise CurationError(f"{other.at} and {row.at}: contradict each other on one prompt: {what}; name one log")


def _tabulate(rows: list[Row], run: str, benchmark: str, split: str) -> pl.DataFrame:
    schema = empty(IMPORTED_RESULTS).schema
    columns = {
        "run": run, "benchmark": benchmark, "split": split,
        "prompt_id": [content_id("results", benchmark, row.content, row.place) for row in rows],
        "sample_index": [row.sample for row in rows],
        "reasoning": None,
        "completion": [None if row.completion is None else _mend(row.completion) for row in rows],
        "finish_reason": [row.finish_reason for row in rows],
        "score": [row.score for row in rows],
        "status": [row.status for row in rows],
        "left_out_characters": None,
        "n_tokens": [row.n_tokens for row in rows],
    }  # fmt: skip
    whole = {name: values if isinstance(values, list) else [values] * len(rows) for name, values in columns.items()}
    return pl.DataFrame(whole, schema).sort("prompt_id", "sample_index")


def _mend(text: str) -> str:
    """The text, with a sign in the place of half a character, which no table can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def measured_metrics(results: pl.DataFrame) -> dict[str, object]:
    """Of each benchmark and run: the mean score of the answers that have one, and how many have and have not."""
    tree: dict[str, Any] = {}
    scored = (pl.col("status") == "scored").sum().alias("scored")
    counted = results.group_by("benchmark", "run").agg(stable_mean(pl.col("score")), scored, pl.len())
    for benchmark, run, mean, known, of in counted.sort("benchmark", "run").rows():
        figures = {"answers": of, "without_score": of - known} | ({} if mean is None else {"mean": mean})
        tree.setdefault(benchmark, {})[run] = figures
    return tree
