"""What a column of ratings or verdicts may hold: numbers, lists of them, words; and what stands in one for nothing."""

import json
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
import pyarrow as pa

from curation.tables.user_values import KEY, REAL, ValueType


def scores(missing: Sequence[str] = ()) -> ValueType:
    """Numbers, where the texts of `missing` stand for null."""
    return REAL._replace(convert=partial(_score, missing=frozenset(missing))) if missing else REAL


def step_scores(missing: Sequence[str] = ()) -> ValueType:
    """Lists of numbers, a score for each step, or their JSON; the texts of `missing` stand for null."""
    read = partial(_list_scores, missing=frozenset(missing))
    return ValueType("a list of numbers", pl.List(pl.Float64()), read, _may_hold_lists)


def _score(value: Any, missing: frozenset[str]) -> float | None:
    number: float | None = None if isinstance(value, str) and value in missing else REAL.convert(value)
    return number


def _list_scores(value: Any, missing: frozenset[str]) -> list[float | None] | None:
    if isinstance(value, str) and value in missing:
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("not a list of numbers, nor its JSON") from None
    if not isinstance(value, list):
        raise ValueError("not a list of numbers")
    return [None if step is None or step != step else _score(step, missing) for step in value]


def _may_hold_lists(dtype: pa.DataType) -> bool:
    lists = pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype)
    texts = pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)
    return bool(lists or texts or pa.types.is_null(dtype))


def write_label(value: Any) -> str:
    """A label as text: true and false as JSON writes them, a number as Python does, a whole one without a point. Raises
    ValueError where it is none of these, nor text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal) and value == value and value != int(value):
        return repr(float(value))
    try:
        label: str = KEY.convert(value)
    except ValueError:
        raise ValueError(f"not {LABEL.words}") from None
    return label


def _may_hold_labels(dtype: pa.DataType) -> bool:
    return not (pa.types.is_nested(dtype) or pa.types.is_temporal(dtype) or pa.types.is_binary(dtype))


LABEL = ValueType("text, a number or a truth", pl.String(), write_label, _may_hold_labels)
