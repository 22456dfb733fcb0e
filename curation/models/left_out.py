"""What of a prompt a chat template leaves out: some write no tools, no words beside a call, no earlier reasoning."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curation.models.chat_template import RenderingFault

Messages = Sequence[Mapping[str, Any]]
Write = Callable[[list[dict[str, Any]], str | None], str]  # the text of a prompt, from its messages and tools
NAMES = ("system", "user", "assistant", "tool", "tool_calls", "tools", "reasoning")


def find_left_out(messages: Messages, tools: str | None, write: Write) -> list[str]:
    """Those of NAMES that the written prompt lacks: words of a role, tool calls or their arguments, `tools` (JSON text)
    or their parameters, the `reasoning` of earlier turns. Raises RenderingFault where the template refuses the prompt.

    Words may stand in two places, so the prompt is written again with a mark of its own in each.
    """
    text, marks = write([dict(message) for message in messages], tools), _Marks()
    lost = [
        "reasoning" if "</think>" in message["content"] else message["role"]
        for message in messages if not _is_in(message["content"].strip(), text)
    ]  # fmt: skip
    try:
        marked = write([marks.message(message) for message in messages], marks.tools(tools))
    except RenderingFault:
        marked = "".join(marks.named)
    lost += [name for mark, name in marks.named.items() if mark not in marked]
    return [name for name in NAMES if name in lost]


class _Marks:
    """Puts a mark in the place of each text of a prompt; `named` says what each stands for."""

    def __init__(self) -> None:
        self.named: dict[str, str] = {}

    def new(self, name: str) -> str:
        mark = f"mark{len(self.named)}x"
        self.named[mark] = name
        return mark

    def message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message with marks for content, reasoning, and the arguments of its tool calls."""
        marked = dict(message)
        if message["content"].strip():
            marked["content"] = self.new(message["role"])
        if message.get("reasoning_content", "").strip():
            marked["reasoning_content"] = self.new("reasoning")
        if "tool_calls" in message:
            marked["tool_calls"] = [
                {**call, "function": {**call["function"], "name": self.new("tool_calls"),
                                      "arguments": self.leaves(call["function"].get("arguments", {}))}}
                for call in message["tool_calls"]
            ]  # fmt: skip
        return marked

    def leaves(self, value: Any) -> Any:
        """A value of JSON with a mark for each scalar within it."""
        if isinstance(value, Mapping):
            return {name: self.leaves(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.leaves(inner) for inner in value]
        return self.new("tool_calls")

    def tools(self, tools: str | None) -> str | None:
        """The tools with marks for their names and those of their parameters."""
        return None if tools is None else json.dumps([self.tool(tool) for tool in json.loads(tools)])

    def tool(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        function = dict(tool.get("function", tool), name=self.new("tools"))
        parameters = dict(function.get("parameters") or {})
        if parameters.get("properties"):
            parameters["properties"] = {self.new("tools"): about for about in parameters["properties"].values()}
            function["parameters"] = parameters | {"required": []}
        return {**tool, "function": function} if "function" in tool else function


def _is_in(words: str, text: str) -> bool:
    """Whether the text has the words, as they are or as JSON writes them."""
    return words in text or any(json.dumps(words, ensure_ascii=one)[1:-1] in text for one in (False, True))
