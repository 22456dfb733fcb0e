"""Keys that DVC's run cache passes over, wherever in params.yaml they stand.

The run cache brings back what a stage made before from the same command, files and params, and leaves these names out
of all three, as what dvc.lock says of a file's size (dvc.stage.cache). Of two values under such a key it takes the
second for the first: `dvc repro` would give the tables of the old one.
"""

from collections.abc import Iterator
from typing import Any

PASSED_OVER = ("size", "nfiles")


def find_passed_over(value: Any, place: str = "") -> Iterator[str]:
    """A line for each key of `value` that has such a name: its place, and the way out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            inside = f"{place}.{key}" if place else f"{key}"
            if key in PASSED_OVER:
                yield f"{inside}: DVC's run cache passes over a key of this name, so take another"
            yield from find_passed_over(inner, inside)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from find_passed_over(inner, f"{place}.{number}")
