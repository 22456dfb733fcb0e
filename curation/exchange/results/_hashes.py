"""Hashes of what logs hold, and what they say as short texts."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def digest(*parts: Any) -> str:
    """A hash of JSON values, whatever the order of their keys."""
    return hashlib.sha256(write(list(parts)).encode()).hexdigest()


def digest_all(parts: Iterable[str]) -> str:
    """A short hash of texts, each once, whatever their order."""
    return digest(sorted(set(parts)))[:12]


def write(value: Any) -> str:
    """A value as a table of texts holds it: a text as it is, else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
