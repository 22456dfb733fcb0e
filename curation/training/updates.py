"""How many updates a run makes: by its own examples, or by those of the selection that it is a control of, or by all
that the control could draw."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curation.core.study import Study
from curation.tables import parquet
from curation.tables.contracts import DATA, UPDATES, empty, path

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method


def count_updates(settings: "Method", examples: int) -> int:
    """The optimizer steps that the method makes on so many examples."""
    steps = math.ceil(math.ceil(examples / settings.batch_size) / settings.accumulation)
    return settings.max_steps or max(math.ceil(steps * settings.epochs), 1)


def updates(own: pl.DataFrame, others: pl.DataFrame, methods: Mapping[str, "Method"]) -> pl.DataFrame:
    """The rows of `updates`, from rows of `examples`: of what each arm learns from, and of what decides the updates of
    those that take another's. `examples` are those that a method learns something from, each once; `counted` are
    those that decide."""
    counted = {row[:2]: row[2] for row in _count(others)}
    rows = [
        (arm, method, examples, decide := counted.get((arm, method), examples), count_updates(methods[method], decide))
        for arm, method, examples in _count(own)
    ]
    return pl.DataFrame(rows, empty(UPDATES).schema, orient="row")


def _count(examples: pl.DataFrame) -> list[tuple[str, str, int]]:
    """arm, method, and how many rows are not dropped."""
    learnt = pl.col("row_id").filter(pl.col("dropped").is_null()).n_unique()
    return examples.group_by("arm", "method").agg(learnt).rows()


def take_updates(study: Study, data: Path = DATA) -> dict[tuple[str, str], "Method"]:
    """By arm and method, the settings of those that make as many updates as another arm's examples take: `max_steps`
    says how many, unless they are as many as its own take. Raises CurationError if `updates` is not there."""
    of_others = {run.arm.name for run in study.runs.values() if study.controls[run.arm.control].updates_of}
    if not of_others:
        return {}
    rows = parquet.read(UPDATES, path("updates", data=data)).filter(pl.col("arm").is_in(of_others))
    return {
        (arm, method): settings.model_copy(update={"max_steps": taken})
        for arm, method, examples, _, taken in rows.rows()
        if (settings := study.methods[method]) and count_updates(settings, examples) != taken
    }
