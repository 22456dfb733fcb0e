"""What a column of a user's file may hold, and each of its values as one of ours."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from curation.core.messages import show_value
from curation.tables.user_fields import to_python
from curation.tables.user_messages import (
    ANSWER,
    EACH_APART,
    ENDED,
    are_messages,
    read_completion,
    read_completions,
    read_messages,
    read_prompt,
)
from curation.tables.user_tools import as_json, prune, read_tools

MOST_EXACT = 2**53  # above it a double skips whole numbers, so that an id of 63 bits comes back as another
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")


class ValueType(NamedTuple):
    """What a column may hold: in words, as Polars keeps it, and what makes a value that is not null one of ours, or
    raises ValueError with why it is none. `fits` says which Arrow types may hold some; without it text and numbers."""

    words: str
    polars: pl.DataType
    convert: Callable[[Any], Any]
    fits: Callable[[pa.DataType], bool] | None = None


class ColumnType(NamedTuple):
    """What one of our columns may hold, and whether it may be null."""

    values: ValueType
    nullable: bool = False


def _text(value: Any) -> str:
    if are_messages(value):
        raise ValueError("a list of messages, not text")
    if not isinstance(value, str):
        raise ValueError(f"not {TEXT.words}{EACH_APART if isinstance(value, list) else ''}")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("text with half a character (a lone surrogate), which no table can hold")
    return value


def _answers(value: Any) -> list[str]:
    """A right answer, or a list of them, each once; numbers and truths as Python writes them."""
    return list(dict.fromkeys(map(_answer, value if isinstance(value, list) else [value])))


def _answer(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a finite number")
    return str(value) if isinstance(value, bool | int | float | Decimal) else _text(value)


def _whole(value: Any, least: int, most: int, words: str = "a whole number") -> int:
    """A whole number, however it is written: 3, 3.0, "3"."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, float) and abs(value) > MOST_EXACT:
        raise ValueError("a double above 2**53, which may be another number than was written: keep ids as text")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"not {words}")
    if (isinstance(value, float) and not math.isfinite(value)) or value != int(value):
        raise ValueError(f"not {words}")
    if not least <= value <= most:
        raise ValueError(f"not from {least} to {most}")
    return int(value)


def _options(value: Any) -> str:
    """The JSON of a list of texts; numbers are written as Python does."""
    if not isinstance(value, list) or not value:
        raise ValueError(f"not {OPTIONS.words}")
    return as_json([_answer(one) for one in value])


def _key(value: Any) -> str:
    """An id as text: whole numbers and text name the same row."""
    return _text(value) if isinstance(value, str) else str(_whole(value, -(2**127), 2**128, KEY.words))


def _real(value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(f"not {REAL.words}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _time(value: Any) -> int:
    """Microseconds since EPOCH of a time, of UTC where it names no zone."""
    try:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        value = None
    if not isinstance(value, datetime):
        raise ValueError(f"not {TIME.words}")
    since: timedelta = (value if value.tzinfo else value.replace(tzinfo=UTC)) - EPOCH
    return since // timedelta(microseconds=1)


TEXT = ValueType("text", pl.String(), _text)
ANSWERS = ValueType("text, a number or a list of these", pl.List(pl.String()), _answers)
REAL = ValueType("a number", pl.Float64(), _real)
INDEX = ValueType("a whole number", pl.Int32(), partial(_whole, least=0, most=2**31 - 1))  # of a sample
REPEAT = ValueType("a whole number", pl.Int32(), partial(_whole, least=0, most=999))  # agreement compares each two
ID = ValueType("a whole number", pl.Int64(), partial(_whole, least=-(2**63), most=2**63 - 1))  # one of our own
TIME = ValueType(
    "a time as 2026-01-31T12:00:00Z",
    pl.Int64(),
    _time,
    lambda dtype: is_text(dtype) or pa.types.is_null(dtype) or pa.types.is_timestamp(dtype),
)
KEY = ValueType("an id: text or a whole number", pl.String(), _key)  # of ours or the user's own
# as the JSON of one form, which is that of curation/tables/messages.py
PROMPT = ValueType("text or a list of messages", pl.String(), lambda value: as_json(read_prompt(value)))
CONVERSATION = ValueType("a list of messages", pl.String(), lambda value: as_json(read_messages(value)))
COMPLETION = ValueType(
    "text or one message of the assistant's",
    pl.Struct(dict.fromkeys(ANSWER, pl.String())),
    read_completion,
)
COMPLETIONS = ValueType(  # the samples of a row
    f"{COMPLETION.words}, or a list of these",
    pl.List(pl.Struct(dict.fromkeys((*ANSWER, ENDED), pl.String()))),
    read_completions,
)
TOOLS = ValueType("a list of tools, or its JSON text", pl.String(), read_tools)
OPTIONS = ValueType("a list of texts", pl.String(), _options)
LISTS = (PROMPT, CONVERSATION, COMPLETION, COMPLETIONS, TOOLS, OPTIONS)


def convert_values(values: list[Any], type: ColumnType) -> pl.Series:
    """`values` as the column's type, null and NaN alike as null. Raises UnconvertibleError at the first that is of
    another."""
    made = list[Any]()
    for row, value in enumerate(values):
        if value is None or value != value:
            made.append(None)
            continue
        try:
            made.append(type.values.convert(value))
        except ValueError as error:
            raise UnconvertibleError(row, f"is {show_value(value)}, {error}") from None
    return pl.Series(made, dtype=type.values.polars)


def convert_arrow(values: pa.ChunkedArray, type: ColumnType) -> pl.Series:
    """As `convert_values`, of a column whose type its file declares; raises ValueError if that never fits."""
    dtype = values.type
    if pa.types.is_dictionary(dtype):
        dtype = dtype.value_type
        values = values.cast(dtype)
    if type.values in (TEXT, KEY) and is_text(dtype):
        return pl.Series(pl.from_arrow(values.cast(pa.large_string())), dtype=pl.String)
    if type.values in (COMPLETION, COMPLETIONS) and is_text(dtype):
        texts = pl.Series("content", pl.from_arrow(values.cast(pa.large_string())), dtype=pl.String)
        if not texts.str.contains(r"^\s*\[").any():  # no text may be the JSON of a message
            return _as_answers(texts, type.values)
    if type.values is REAL and pa.types.is_floating(dtype):
        reals = pl.Series(pl.from_arrow(values.cast(pa.float64()))).fill_nan(None)
        if not reals.is_infinite().any():
            return reals
    if type.values in (INDEX, ID) and pa.types.is_integer(dtype):
        wholes = pl.Series(pl.from_arrow(values))
        cast = wholes.cast(type.values.polars, strict=False)
        if cast.null_count() == wholes.null_count() and not (type.values is INDEX and (cast < 0).any()):
            return cast
    if not _may_fit(dtype, type.values):
        apart = EACH_APART if type.values is TEXT and is_list(dtype) else ""
        raise ValueError(f"holds {dtype}, not {type.values.words}{apart}")
    if type.values in LISTS:
        return convert_values([prune(value) for value in to_python(values)], type)
    return convert_values(values.to_pylist(), type)


def _as_answers(texts: pl.Series, values: ValueType) -> pl.Series:
    """Texts as COMPLETION or COMPLETIONS has them."""
    keys = ANSWER if values is COMPLETION else (*ANSWER, ENDED)
    answer = pl.struct("content", *(pl.lit(None, pl.String).alias(key) for key in keys if key != "content"))
    made = answer if values is COMPLETION else pl.concat_list(answer)
    return texts.to_frame().select(pl.when(pl.col("content").is_not_null()).then(made)).to_series()


def _may_fit(dtype: pa.DataType, values: ValueType) -> bool:
    """Whether some values of an Arrow type may be of ours."""
    if values.fits is not None:
        return values.fits(dtype)
    if values in LISTS:
        alone = values in (COMPLETION, COMPLETIONS) and pa.types.is_struct(dtype)
        return pa.types.is_null(dtype) or is_text(dtype) or is_list(dtype) or alone
    if values is ANSWERS and is_list(dtype):
        return not pa.types.is_list(dtype.value_type) and _may_fit(dtype.value_type, values)
    if values is ANSWERS and pa.types.is_boolean(dtype):
        return True
    numeric = pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)
    return pa.types.is_null(dtype) or is_text(dtype) or (numeric and values is not TEXT)


def is_list(dtype: pa.DataType) -> bool:
    """Whether a column of an Arrow type holds lists."""
    return bool(pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype))


def is_text(dtype: pa.DataType) -> bool:
    """Whether a column of an Arrow type holds texts."""
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


class UnconvertibleError(ValueError):
    """The value in `row`, counted from 0, is not of its column's type."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row
