"""What rows of several files have in common: the prompts that they are about, by what these say or by ids."""

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from curation.exchange.guess import Guess
from curation.tables.user_messages import ROLE_OF, parse_list
from curation.tables.user_values import KEY

Key = str | None


def prompt_keys(guess: Guess) -> list[Key]:
    """What each row's prompt says, as a text that equal prompts share; null where there is none."""
    prompt, messages, system = (guess.column(role) for role in ("prompt", "messages", "system"))
    column = prompt or messages
    if column is None:
        return [None] * guess.look.rows
    systems: Sequence[Any] = system.values if system is not None else [None] * guess.look.rows
    return [
        _key(value, system, drop_last=messages is not None)
        for value, system in zip(column.values, systems, strict=True)
    ]


def _key(value: Any, system: Any, drop_last: bool) -> Key:
    listed = _listed(value)
    if listed is None:
        return None
    turns = [_turn(message) for message in listed]
    if drop_last and turns and turns[-1][0] == "assistant":
        turns.pop()
    if isinstance(system, str) and system.strip() and not any(role == "system" for role, _ in turns):
        turns.insert(0, ("system", _normal(system)))
    return json.dumps(turns, ensure_ascii=False)


def _listed(value: Any) -> list[Any] | None:
    if isinstance(value, str):
        try:
            return parse_list(value) or [{"role": "user", "content": value}]
        except ValueError:
            return [{"role": "user", "content": value}]
    return value if isinstance(value, list) else None


def _turn(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        return "", str(message)
    role = str(message.get("role", message.get("from", ""))).strip().lower()
    content = message.get("content", message.get("value", ""))
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True, default=str)
    return ROLE_OF.get(role, role), _normal(text)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()


def ids(guess: Guess, role: str = "prompt_id") -> list[Key]:
    """Each row's id, as params read it; null where there is none."""
    column = guess.column(role)
    if column is None:
        return [None] * guess.look.rows
    return [None if value is None else _id(value) for value in column.values]


def _id(value: Any) -> str:
    try:
        return str(KEY.convert(value))
    except ValueError:
        return str(value)


def agree(keys: Sequence[Key], names: Sequence[Key]) -> bool:
    """Whether each id is of one prompt, and each prompt has one id."""
    pairs = {(key, name) for key, name in zip(keys, names, strict=True) if key is not None and name is not None}
    return len({key for key, _ in pairs}) == len(pairs) == len({name for _, name in pairs})


def share(values: Sequence[Key], known: set[str]) -> float:
    """How many of the values that there are, as a share of all, are among those known."""
    given = [value for value in values if value is not None]
    return sum(value in known for value in given) / len(given) if given else 0.0
