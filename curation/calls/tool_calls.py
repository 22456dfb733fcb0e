"""The tools that a message calls: the protocol has their arguments as a text of JSON, chat templates read them as a
mapping, and users' files hold either."""

import json
from collections.abc import Callable
from typing import Any

from curation.calls.foreign import read_json


def for_server(message: dict[str, Any]) -> dict[str, Any]:
    """The message with arguments as text."""
    return _with_arguments(message, lambda given: given if isinstance(given, str) else json.dumps(given))


def for_template(message: dict[str, Any]) -> dict[str, Any]:
    """The message with arguments as the values that their text stands for; a text that is no JSON stays."""
    return _with_arguments(message, _read)


def _read(arguments: Any) -> Any:
    try:
        return read_json(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def _with_arguments(message: dict[str, Any], form: Callable[[Any], Any]) -> dict[str, Any]:
    """`message` itself where it calls no tool; else a copy, its calls' arguments as `form` gives them."""
    calls = message.get("tool_calls")
    return {**message, "tool_calls": [_formed(call, form) for call in calls]} if isinstance(calls, list) else message


def _formed(call: Any, form: Callable[[Any], Any]) -> Any:
    if not isinstance(call, dict):
        return call
    if isinstance(call.get("function"), dict):
        return {**call, "function": _formed(call["function"], form)}
    return {**call, "arguments": form(call["arguments"])} if "arguments" in call else call
