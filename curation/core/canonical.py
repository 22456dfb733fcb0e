"""JSON that is the same for the same value, however it was made."""

import json
from collections.abc import Iterator
from typing import Any


def canonical(body: Any) -> str:
    """`body` as JSON with sorted keys and no white space."""
    return json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def list_texts(value: Any) -> Iterator[str]:
    """Every text within a value of JSON or YAML but its keys, in their order."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from list_texts(inner)
