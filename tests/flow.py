"""A params.yaml as tests write it: in flow style, a twentieth of the time of the library's own; nobody has to parse
it to know what it holds."""

import json
from copy import deepcopy
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

KNOWN: dict[bytes, dict[str, Any]] = {}  # what a file holds, by its bytes; the fixture `parsed_once` gives copies of it


def text(value: Any) -> str:
    """YAML that reads as `value`, which is made of mappings, lists and scalars; keys may be numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)}: {text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text, value)) + "]"
    if isinstance(value, float) and not isfinite(value):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


def write(params: dict[str, Any], file: Path) -> None:
    """`file` holds `params`."""
    body = "".join(f"{text(name)}: {text(section)}\n" for name, section in params.items()).encode()
    KNOWN[body] = deepcopy(params)
    file.write_bytes(body)
