"""Tools and tool calls as users write them, each as the one form of `curation/tables/messages.py`, and what a JSON text
in a table can hold."""

import json
import math
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from curation.core.messages import show_value
from curation.tables.json_values import refuse_doubled_keys
from curation.tables.messages import Message

DEEPEST = 64  # lists and objects within each other


def read_tools(value: Any) -> str | None:
    """A list of tools, or its JSON text, as the JSON text of OpenAI's form; None for none."""
    if isinstance(value, str) and not value.strip():
        return None
    tools = [_read_tool(tool, number) for number, tool in enumerate(read_list(value, "a list of tools"), 1)]
    try:
        return as_json(check_json(tools)) if tools else None
    except ValueError as error:
        raise ValueError(f"which holds {error}") from None


def _read_tool(tool: Any, number: int) -> Message:
    if isinstance(tool, str):
        listed = read_list(tool, "a tool")
        tool = listed[0] if len(listed) == 1 else tool
    if isinstance(tool, Mapping):
        function = tool.get("function", None)
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            return {"type": "function", **tool}
        if function is None and isinstance(tool.get("name"), str):
            return {"type": "function", "function": {key: tool[key] for key in tool if key != "type"}}
    raise ValueError(f"whose tool {number} is {show_value(tool)}, which has no name")


def read_list(value: Any, what: str) -> list[Any]:
    """The values of a list, of its JSON text, or of one of its values alone; `what` the text should be, in words."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except (ValueError, RecursionError):
            raise ValueError(f"not the JSON of {what}") from None
    return value if isinstance(value, list) else [] if value is None else [value]


def read_call(call: Any) -> Message:
    """A tool call with its function; its arguments are an object where they can be read as one."""
    if isinstance(call, Mapping):
        call = {key: value for key, value in call.items() if value is not None}
        function = call.pop("function", None)
        if function is None:  # the older form, in which a call is its function
            function = {key: call.pop(key) for key in ("name", "arguments") if key in call}
        named = isinstance(function, Mapping) and isinstance(function.get("name"), str)
        if named and call.get("type", "function") == "function":
            function = dict(function)
            arguments = _read_arguments(function.pop("arguments", None))
            return {"type": "function", **call, "function": {**function, "arguments": arguments}}
    raise ValueError("no name with arguments")


def _read_arguments(value: Any) -> Any:
    """The object that the arguments are; a text that is none as it is, as a model wrote it."""
    if isinstance(value, str):
        try:
            parsed = parse_json(value or "{}")
        except (ValueError, RecursionError):
            return value
        return parsed if isinstance(parsed, dict) else value
    return {} if value is None else value


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError where there is none, a key stands twice in one
    object, or a number is not finite."""
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=refuse_doubled_keys)


def prune(value: Any) -> Any:
    """A value of an Arrow column without its null keys, which every struct of a list has for what one of them has, and
    with what JSON has no word for, dates and decimals, as text."""
    if isinstance(value, Mapping):
        return {key: prune(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [prune(inner) for inner in value]
    return str(value) if isinstance(value, date | time | timedelta | Decimal) else value


def as_json(value: Any) -> str:
    """`value` as JSON, its letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def check_json(value: Any, left: int = DEEPEST) -> Any:
    """`value`. Raises ValueError with what of it a JSON text in a table cannot hold."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("text with half a character (a lone surrogate), which no table can hold")
    elif isinstance(value, Mapping | list):
        if not left:
            raise ValueError(f"lists or objects more than {DEEPEST} deep")
        for inner in value.items() if isinstance(value, Mapping) else value:
            check_json(list(inner) if isinstance(inner, tuple) else inner, left - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number that is not finite")
    elif value is not None and not isinstance(value, bool | int | float):
        raise ValueError(f"{show_value(value)}, which JSON cannot hold")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
