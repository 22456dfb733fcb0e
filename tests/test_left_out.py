"""What a chat template leaves out of a prompt is named: under TRL's own templates, and under small ones by hand.

Kinds of fault: words of a turn that a template writes in no case, or in some; words that stand in two places, so that
one of them hides that the other is gone.
"""

import json
from typing import Any

import jinja2
import pytest

from curation.models.chat_template import RenderingFault
from curation.models.left_out import find_left_out

ASKED: dict[str, Any] = {"role": "user", "content": "Add 2 and 404."}
CALL = {"type": "function", "id": "c1", "function": {"name": "add", "arguments": {"first": 2, "more": ["404"]}}}
CALLED = {"role": "assistant", "content": "I add.", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "406", "tool_call_id": "c1"}
THOUGHT = {"role": "assistant", "content": "406.", "reasoning_content": "Add 2 and 404."}
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"properties": {"first": {}, "more": {}}}}}]
ALL = [ASKED, CALLED, RESULT, THOUGHT, {"role": "user", "content": "And?"}]

TURN = "{{ m.role }}: {{ m.content }}\n"
WHOLE = (
    "{{ tools }}{% for m in messages %}{{ m.reasoning_content }}{{ m.tool_calls }}" + TURN + "{% endfor %}"
)  # everything, in some form
CASES: dict[str, tuple[str, list[str]]] = {
    "all is written": (WHOLE, []),
    "as JSON": (WHOLE.replace("m.tool_calls", "(m.tool_calls or []) | tojson"), []),
    "no tools": (WHOLE.replace("{{ tools }}", ""), ["tools"]),
    "tools by name": (WHOLE.replace("{{ tools }}", "{{ tools[0].function.name }}"), ["tools"]),
    "no reasoning, its words elsewhere": (WHOLE.replace("{{ m.reasoning_content }}", ""), ["reasoning"]),
    "no calls, their words elsewhere": (WHOLE.replace("{{ m.tool_calls }}", ""), ["tool_calls"]),
    "calls without arguments": (WHOLE.replace("m.tool_calls", "m.tool_calls and m.tool_calls[0].function.name"),
                                ["tool_calls"]),
    "no words beside a call": (WHOLE.replace(TURN, "{% if not m.tool_calls %}" + TURN + "{% endif %}"), ["assistant"]),
    "the last message alone": ("{{ messages[-1].content }}",
                               ["user", "assistant", "tool", "tool_calls", "tools", "reasoning"]),
}  # fmt: skip


def written(template: str) -> Any:
    compiled = jinja2.Environment().from_string(template)
    return lambda messages, tools: compiled.render(messages=messages, tools=tools and json.loads(tools))


@pytest.mark.parametrize("case", CASES)
def test_what_a_template_leaves_out_is_named(case: str) -> None:
    template, names = CASES[case]
    assert find_left_out(ALL, json.dumps(TOOLS), written(template)) == names


def test_inline_reasoning_that_a_template_deletes_is_named() -> None:
    template = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}"
    turns = [ASKED, {"role": "assistant", "content": "<think>2 + 404</think>406"}, {"role": "user", "content": "And?"}]
    assert find_left_out(turns, None, written(template)) == ["reasoning"]


def test_a_template_that_takes_no_marks_is_asked_for_the_words() -> None:
    def write(messages: list[dict[str, Any]], tools: str | None) -> str:
        if messages[0]["content"] != ASKED["content"]:
            raise RenderingFault("it refuses")
        return str(ASKED["content"])

    assert find_left_out([ASKED], None, write) == []
    assert find_left_out([ASKED, {"role": "user", "content": "And?"}], None, write) == ["user"]


def test_a_lone_question_is_there() -> None:
    assert (
        find_left_out([{"role": "user", "content": " 2 + 3? \n"}], None, written("{{ messages[0].content | trim }}"))
        == []
    )
