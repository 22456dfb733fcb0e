"""The weights that give a coefficient of a least-squares line or plane through a few values."""

from collections.abc import Sequence

import numpy as np


class NotApart(Exception):
    """Properties of which one follows from the others, so that no value decides their coefficients; or `number` of them
    is the same everywhere."""

    def __init__(self, number: int | None = None) -> None:
        self.number = number


def coefficient_weights(properties: Sequence[Sequence[float] | np.ndarray], number: int) -> np.ndarray:
    """The weight of each value in the coefficient of property `number`, with an intercept: they add up to 0.

    `properties` has a number for each value. They are centred and brought to one size first, so that years do as well
    as shares. Raises NotApart.
    """
    if alike := [place for place, of in enumerate(properties) if not are_apart(of)]:
        raise NotApart(alike[0])
    centred = np.column_stack([np.asarray(of, dtype=float) - np.mean(of) for of in properties])
    size = np.linalg.norm(centred, axis=0)
    scaled = centred / size
    if np.linalg.matrix_rank(scaled, tol=1e-9) < scaled.shape[1]:
        raise NotApart
    return np.asarray(np.linalg.pinv(scaled)[number] / size[number])


def are_apart(numbers: Sequence[float] | np.ndarray) -> bool:
    """Whether they differ by more than rounding."""
    return bool(np.ptp(numbers) > 1e-12 * np.abs(numbers).max())
