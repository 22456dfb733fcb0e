"""A choice of a chat completion as the fields of a reply: its message's content, text or parts, what was thought,
refused and called beside it, why it ended, and its log-probabilities."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from curation.calls.foreign import log_probability, read_text, utf8
from curation.core.delimiters import REASONING_DETAILS, REASONING_FIELDS, REASONING_PARTS, TEXT_PARTS

TOOL_PARTS = ("tool_use", "tool_call", "function_call")
DEEPEST = 8  # parts within parts
SPARE_TOKENS = 32  # that open and end a reply; all others are a byte of its text or more
UNSHOWN = "more tokens than text: the server keeps some to itself"
MOST_REST = 2**20  # characters of what is kept besides; an image has more


class Unreadable(ValueError):
    """Why a message is no reply."""


def read_choice(choice: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Of a choice with a message the fields of a reply that it has, as they were sent. `notes` gets what was dropped.

    Raises Unreadable where two fields hold different reasoning, since nothing says which of them the model wrote.
    """
    message: Mapping[str, Any] = choice["message"]
    text, refusal = message.get("content"), message.get("refusal")
    thoughts: dict[str, Any] = {name: message.get(name) for name in REASONING_FIELDS}
    calls = [*_read_calls(message, notes)]
    if isinstance(text, list):
        said, called = _read_parts(text, notes)
        text, thoughts["content"], refusal = said["text"], said["reasoning"], refusal or said["refusal"]
        calls += called
    ending = "tool_calls" if calls else choice.get("finish_reason")
    if not any((_join_texts(thought) or "").strip() for thought in thoughts.values()):
        thoughts |= {name: message.get(name) for name in REASONING_DETAILS}
    return _read_reasoning(thoughts, notes) | {
        "text": text,
        "refusal": refusal,
        "tool_calls": json.dumps(calls, ensure_ascii=False) if calls else None,
        "finish_reason": "refusal" if isinstance(refusal, str) and refusal.strip() else ending,
        "logprobs": _read_logprobs(choice.get("logprobs"), notes),
        "rest": keep_fields(_without_columns(message), notes),
    }


def _read_reasoning(thoughts: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The reasoning and the name of its field, from what each field holds."""
    given = {}
    for name, value in thoughts.items():
        thought = _join_texts(value)
        if thought is not None:
            given[name] = thought
        elif value is not None:
            notes.append(f"unusable {name} dropped")
    if len(distinct := {thought.strip() for thought in given.values()} - {""}) > 1:
        raise Unreadable(f"{' and '.join(name for name in given if given[name].strip())} hold different reasoning")
    field = next((name for name, thought in given.items() if thought.strip() or not distinct), None)
    return {} if field is None else {"reasoning": given[field], "reasoning_field": field}


def _without_columns(message: Mapping[str, Any]) -> dict[str, Any]:
    """What of the message stands in no other field of a reply as it was sent: the parts of a content in parts, whose
    order another rule may want, the details of the reasoning, and whatever a server adds."""
    plain = ("content", "refusal", *REASONING_FIELDS)  # kept where they are texts
    return {
        name: value
        for name, value in message.items()
        if value and name not in ("role", "tool_calls", "function_call") and not (name in plain and type(value) is str)
    }


def keep_fields(fields: Mapping[str, Any], notes: list[str]) -> str | None:
    """`fields` of a message as JSON, None where there are none, or they are longer than a table is to hold."""
    text = json.dumps(fields, ensure_ascii=False) if fields else None
    if text is not None and len(text) > MOST_REST:
        notes.append(f"{', '.join(utf8(name)[:40] for name in fields)} too long to keep besides")
        return None
    return text


def _read_calls(message: Mapping[str, Any], notes: list[str]) -> Iterator[Any]:
    """The tools that the message calls."""
    called = message.get("tool_calls") or []
    if message.get("function_call"):
        called = [*called, message["function_call"]] if isinstance(called, list) else [message["function_call"]]
    if not isinstance(called, list):
        notes.append("unusable tool_calls dropped")
        called = []
    for call in called:
        if isinstance(call, Mapping) and call:
            yield call
        else:
            notes.append("unusable tool call dropped")


def _read_parts(parts: list[Any], notes: list[str]) -> tuple[dict[str, str | None], list[Any]]:
    """The text, reasoning and refusal of a content in parts, each None where no part has one, and its tool calls."""
    texts: dict[str, list[str]] = {"text": [], "reasoning": [], "refusal": []}
    calls = []
    for part in parts:
        kind = part.get("type") if isinstance(part, Mapping) else "text" if isinstance(part, str) else None
        if kind in TOOL_PARTS:
            calls.append(part)
            continue
        to = "reasoning" if kind in REASONING_PARTS else "refusal" if kind == "refusal" else "text"
        said = _join_texts(part) if to != "text" or kind in (*TEXT_PARTS, None) else None
        if to == "reasoning" and said == "":  # which may stand for a key that is not there
            said = _join_texts({name: value for name, value in part.items() if value != ""}) or said
        if said is None:
            notes.append(f"part of kind {utf8(kind)[:40] if isinstance(kind, str) else type(part).__name__} dropped")
        else:
            texts[to].append(said)
    return {name: "".join(pieces) if pieces else None for name, pieces in texts.items()}, calls


def _join_texts(value: Any, depth: int = 0) -> str | None:
    """The text of a value: itself, that of a part, or that of a list of parts, one after another; None if it has
    none."""
    if isinstance(value, str) or depth > DEEPEST:
        return read_text(value)
    if isinstance(value, list):
        texts = [text for part in value if (text := _join_texts(part, depth + 1)) is not None]
        return "".join(texts) if texts or not value else None
    if isinstance(value, Mapping):
        names = ("text", *REASONING_FIELDS, "refusal", "summary", "content", "value")
        return next((text for name in names if (text := _join_texts(value.get(name), depth + 1)) is not None), None)
    return None


def _read_logprobs(given: Any, notes: list[str]) -> list[Any] | None:
    """[token, {alternative: logprob}] per position, the form the ledger keeps, without what is no log-probability. None
    where a position has no token: nobody knows then what the others stand for."""
    positions = given.get("content") if isinstance(given, Mapping) else given
    if not positions:
        return None
    sound = isinstance(positions, list) and all(
        isinstance(at, Mapping) and isinstance(at.get("token"), str) for at in positions
    )
    if not sound:
        notes.append("unusable logprobs dropped")
        return None
    return [[utf8(at["token"]), _read_alternatives(at.get("top_logprobs"))] for at in positions]


def _read_alternatives(tops: Any) -> dict[str, float]:
    """The alternatives that have a text and a log-probability; of equal texts the likelier."""
    best: dict[str, float] = {}
    for top in tops if isinstance(tops, list) else ():
        token = read_text(top.get("token")) if isinstance(top, Mapping) else None
        value = log_probability(top.get("logprob")) if token is not None else None
        if token is not None and value is not None:
            best[token] = max(round(value, 6), best.get(token, -math.inf))
    return best
