"""Published traces and judgments: excerpts that lie in tests/data, and the full files where they lie beside the
project."""

from pathlib import Path

import polars as pl
import pytest

EXCERPTS, FULL = Path(__file__).parent / "data", Path(__file__).parents[2] / "shared/data"
SIZES = ["excerpt", pytest.param("full", marks=pytest.mark.slow)]


def published(size: str, name: str, file: str) -> pl.DataFrame:
    """The rows of a set's file in one of SIZES. A test of a full file that is not there is skipped."""
    where = (FULL if size == "full" else EXCERPTS) / name / f"{file}.parquet"
    if size == "full" and not where.exists():
        pytest.skip(
            f"the full {name} lies beside the project where somebody put it; tests/data has an excerpt, or says why not"
        )
    return pl.read_parquet(where)
