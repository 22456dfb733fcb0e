"""No training: the student as it is, the baseline of every comparison."""

from pathlib import Path
from typing import Literal

import polars as pl

from curation import weights
from curation.trainers._training import Run, name_student


class Params(Run):
    """A run of kind none. Its selection is read and not used; one of kind `nothing` says so plainly."""

    kind: Literal["none"]


def train(settings: Params, student: weights.Params, paired: pl.DataFrame, unpaired: pl.DataFrame, label: str, out: Path) -> dict[str, float]:
    """`out` holds run.json alone, which names the student."""
    out.mkdir(parents=True)
    name_student(out, student)
    return {"steps": 0}
