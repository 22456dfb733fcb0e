"""Values that others sent, one by one: each as a table can hold it, or None."""

import json
import sys
from typing import Any

MOST_TOKENS = 2**31  # no reply has more, and SQLite's sum of many still fits
MOST_DIGITS = 20  # of a whole number; `int` takes time and memory for more, and refuses thousands
ROUNDING = 1e-3  # a server's arithmetic may end so far above certainty


def utf8(text: str) -> str:
    """`text` with '?' for half a surrogate pair, which JSON can hold and no file can."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def read_text(value: Any) -> str | None:
    """`value` if it is a text, as a file can hold it."""
    return utf8(value) if isinstance(value, str) else None


def read_count(value: Any) -> int | None:
    """`value` if it is a whole number of tokens of a sane size."""
    return value if type(value) is int and 0 <= value < MOST_TOKENS else None  # type, because True is an int


def log_probability(value: Any) -> float | None:
    """`value` if it is the logarithm of a probability above 0, or a rounding error above that of 1."""
    sound = type(value) in (int, float) and -sys.float_info.max <= value <= ROUNDING
    return min(float(value), 0.0) if sound else None


def read_json(sent: bytes | str) -> Any:
    """`sent` as JSON. A number of more than MOST_DIGITS digits is infinity, and bytes that are no text are U+FFFD:
    either may stand where nothing depends on it. Raises ValueError where it is no JSON, or nests too deeply."""
    text = sent if isinstance(sent, str) else decode(sent)
    try:
        return json.loads(text, parse_int=whole_number)
    except RecursionError:
        raise ValueError("nests too deeply") from None


def decode(payload: bytes) -> str:
    """The text that `payload` is, in the encoding that JSON would have; U+FFFD for bytes that are none."""
    encoding = json.detect_encoding(payload)
    try:
        return payload.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return payload.decode(encoding, "replace")


def whole_number(digits: str) -> float:
    """The number that JSON's digits are; infinity where they are more than MOST_DIGITS."""
    return int(digits) if len(digits) <= MOST_DIGITS else float("inf")
