"""One run: the student trained by one method on one arm."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.models.student import Params as Student
from curation.training.trainers._training import Job

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method


def train(
    name: str,
    settings: "Method",
    seed: int,
    student: Student,
    rows: pl.DataFrame,
    out: Path,
) -> dict[str, float]:
    """`out` holds the run's weights, whole: what was there is replaced only when training has ended. Returns the
    metrics of training. `rows` are of the table that the method `READS`.

    Raises CurationError if there is nothing to train on.
    """
    method = kind("methods", settings.kind)
    require_rows(name, rows)
    with made_whole(out) as partial:
        return method.train(settings, Job(seed, student, rows, name, partial))


def require_rows(name: str, rows: pl.DataFrame) -> None:
    """Nothing. Raises CurationError if there is nothing to train run `name` on."""
    if rows.is_empty():
        raise CurationError(
            f"run {name}: its arm has nothing to train on; widen its selection, or take it out of the grid"
        )


@contextmanager
def made_whole(out: Path) -> Iterator[Path]:
    """A folder that is not there yet; once the block has ended well, what it has made there is `out`, in the place of
    what was there. After an error nothing of it is left."""
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
