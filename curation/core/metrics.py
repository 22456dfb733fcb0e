"""Metrics as DVC reads them: finite scalars under a stable set of keys."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curation.core.errors import CurationError, write_whole

if TYPE_CHECKING:
    import polars as pl


class Interval(NamedTuple):
    """An estimate, its 95 % interval, and the number of independent observations behind it."""

    mean: float
    low: float
    high: float
    n: int

    def keys(self, name: str) -> dict[str, float | int]:
        """The four metrics `name`, `name_ci_low`, `name_ci_high`, `name_n`."""
        return {name: self.mean, f"{name}_ci_low": self.low, f"{name}_ci_high": self.high, f"{name}_n": self.n}


def mean(values: "pl.Series") -> float | None:
    """The mean of the numbers or truth values that are not null; None without any."""
    known = values.drop_nulls().to_numpy()  # in one piece: Polars adds those that each thread left, as it left them
    return float(known.mean()) if len(known) else None


def write_metrics(file: Path, values: Mapping[str, object]) -> None:
    """`file` holds `values` as JSON, keys sorted, floats to 6 places. Raises CurationError on a value or key DVC
    would drop."""
    write_whole(file, (json.dumps(_clean(values, file.as_posix()), indent=1, sort_keys=True) + "\n").encode())


def _clean(values: Mapping[str, object], place: str) -> dict[str, object]:
    cleaned: dict[str, object] = {}
    for key, value in values.items():
        if "." in key:
            raise CurationError(f"{place}: {key}: a metric's key has no dot")
        if isinstance(value, Mapping):
            cleaned[key] = _clean(value, f"{place}: {key}")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise CurationError(f"{place}: {key}: {value} is not finite; leave the key out")
            cleaned[key] = round(value, 6)
        elif isinstance(value, int):
            cleaned[key] = value
        else:
            raise CurationError(f"{place}: {key}: {value!r} is not a number")
    return cleaned
