"""What a column of ratings or verdicts may hold: numbers, lists of them, words; and what stands in one for nothing."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from curation.tables.user_values import KEY, REAL, ValueType, is_list, is_text


class Scores:
    """What stands for scores: numbers, the `words` that stand for some, and what stands for none, words and numbers
    however they are written."""

    def __init__(self, missing: Sequence[str], words: Mapping[str, float] | None) -> None:
        self.missing, self.words = frozenset(missing), words or {}
        self.no_scores = frozenset(number for label in missing if (number := _read_number(label)) is not None)

    def read(self, value: Any) -> float | None:
        """A score, None for what stands for none. Raises ValueError where it is neither."""
        if isinstance(value, str | bool) and (label := write_label(value)) in self.words:
            return self.words[label]
        if isinstance(value, str) and value in self.missing:
            return None
        number: float = REAL.convert(value)
        return None if number in self.no_scores else number


def _read_number(label: str) -> float | None:
    try:
        number: float = REAL.convert(label)
    except ValueError:
        return None
    return number


def scores(missing: Sequence[str] = (), words: Mapping[str, float] | None = None) -> ValueType:
    """Numbers, and what stands for some; the labels of `missing` stand for null."""
    if not missing and not words:
        return REAL
    return ValueType(REAL.words, REAL.polars, Scores(missing, words).read, _may_hold_labels)


def step_scores(missing: Sequence[str] = (), words: Mapping[str, float] | None = None) -> ValueType:
    """Lists of these, a score for each step, or their JSON."""
    read = partial(_list_scores, scores=Scores(missing, words))
    return ValueType("a list of numbers", pl.List(pl.Float64()), read, _may_hold_lists)


def _list_scores(value: Any, scores: Scores) -> list[float | None] | None:
    if isinstance(value, str) and value in scores.missing:
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("not a list of numbers, nor its JSON") from None
    if not isinstance(value, list):
        raise ValueError("not a list of numbers")
    return [None if step is None or step != step else scores.read(step) for step in value]


def _may_hold_lists(dtype: pa.DataType) -> bool:
    return is_list(dtype) or is_text(dtype) or bool(pa.types.is_null(dtype))


def write_label(value: Any) -> str:
    """A label as text: true and false as JSON writes them, a number as Python does, a whole one without a point. Raises
    ValueError where it is none of these, nor text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal) and math.isfinite(value) and value != int(value):
        return repr(float(value))
    try:
        label: str = KEY.convert(value)
    except ValueError:
        raise ValueError(f"not {LABEL.words}") from None
    return label


def _may_hold_labels(dtype: pa.DataType) -> bool:
    return not (pa.types.is_nested(dtype) or pa.types.is_temporal(dtype) or pa.types.is_binary(dtype))


LABEL = ValueType("text, a number or a truth", pl.String(), write_label, _may_hold_labels)
