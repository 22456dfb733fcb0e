"""Numbers as preference sets write them."""

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

_NUMBER = re.compile(r"[+-]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?")


def read_number(value: Any) -> float | None:
    """A number, or a text that is one but for the blanks around it; null for all else: `N/A`, no number, infinity."""
    if isinstance(value, str):
        return _parse(value)
    if not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


@lru_cache(maxsize=1000)  # ratings are the same few texts over and over
def _parse(text: str) -> float | None:
    number = float(text) if _NUMBER.fullmatch(text.strip()) else math.inf
    return number if math.isfinite(number) else None
