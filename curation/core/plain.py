"""What another library is passed as it is."""

import math
from typing import Any

from curation.core.messages import show_value


def plain(value: Any) -> Any:
    """`value`, if it is made of text, finite numbers, true, false, null, lists and mappings by text. Raises
    ValueError otherwise."""
    match value:
        case dict():
            if odd := [key for key in value if not isinstance(key, str)]:
                raise ValueError(f"{show_value(odd[0])} is no text, which a key must be; put it in quotes")
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        case None | str() | int() | float():
            return value
        case _:
            raise ValueError(f"{show_value(value)} is neither text nor a number; put it in quotes if it is text")
