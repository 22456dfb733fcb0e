"""One run: the student trained on one subset."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl

from curation import weights
from curation.errors import CurationError
from curation.params import kind


def train(name: str, settings: Any, student: weights.Params, paired: pl.DataFrame, unpaired: pl.DataFrame, out: Path) -> dict[str, float]:
    """`out` holds the run's weights, whole: it replaces what was there only when training has ended. Returns its figures.

    Raises CurationError if there is nothing to train on.
    """
    if settings.kind != "none" and (unpaired if settings.kind == "kto" else paired).is_empty():
        raise CurationError(f"runs.{name}: selection {settings.selection!r} keeps nothing to train on; widen it")
    partial = out.with_name(f"{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        figures: dict[str, float] = kind("runs", settings.kind).train(settings, student, paired, unpaired, name, partial)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return figures
