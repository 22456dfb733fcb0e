"""Traps that several trainers share, found without a chat template."""

from curation.exchange.formats._kind import Example, Trap
from curation.tables.messages import Message

USER_TURNS, MODEL_TURNS = ("user", "tool"), ("assistant",)


def _thought(example: Example) -> bool:
    """Whether an earlier turn has reasoning, in a key or inline."""
    turns = [message for message in example.messages if message["role"] == "assistant"]
    return any("reasoning_content" in turn or "thinking" in turn or "</think>" in turn["content"] for turn in turns)


def _calls(example: Example) -> bool:
    return any("tool_calls" in message or message["role"] == "tool" for message in example.messages)


def _keyed(messages: list[Message]) -> bool:
    return any("reasoning_content" in message or "thinking" in message for message in messages)


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _same(example: Example) -> bool:
    return len(example.answers) == 2 and example.answers[0] == example.answers[1]


def _alternates(example: Example) -> bool:
    """Whether the user, or a tool, and the model take turns after at most one system message, and a user's is last."""
    turns = [message["role"] for message in example.messages]
    turns = turns[1:] if turns[:1] == ["system"] else turns
    expected = [MODEL_TURNS if number % 2 else USER_TURNS for number in range(len(turns))]
    return len(turns) % 2 == 1 and all(turn in wanted for turn, wanted in zip(turns, expected, strict=True))


IDENTICAL = Trap(
    "identical", _same, "both sides say the same, as their reasoning was dropped, and nothing is learnt",
    "keep the reasoning (--reasoning), or ask for `chosen.completion <> rejected.completion` in the selection",
    left_out=True,
)  # fmt: skip
BLANK = Trap(
    "blank_answer", lambda example: any(_blank(answer["content"]) for answer in example.answers),
    "an answer is blank, and the trainer reads an empty turn or drops the row",
    "leave them out of the selection: `chosen.completion_characters > 0`",
)  # fmt: skip
TOOLS = Trap(
    "tools", lambda example: example.tools is not None, "the trainer shows the template no tools",
    "export to trl, ms-swift or llama-factory, which do", left_out=True,
)  # fmt: skip
CALLS = Trap(
    "tool_calls", _calls, "the trainer drops the tool calls of earlier turns, and their results answer nothing",
    "export to trl, ms-swift or llama-factory, which keep them", left_out=True,
)  # fmt: skip
EARLIER_THOUGHT = Trap(
    "earlier_reasoning", _thought, "the trainer drops the reasoning of earlier turns",
    "nothing is to be done where the student's own template drops it too, as most do",
)  # fmt: skip
TURNS = Trap(
    "turns", lambda example: not _alternates(example),
    "the trainer skips a prompt in which user and assistant do not take turns (several results of tools in a row, two "
    "messages of the user's, a later system message)",
    "join such messages in the source, or export to trl", left_out=True,
)  # fmt: skip
EARLIER_KEY = Trap(
    "earlier_reasoning", lambda example: _keyed(example.messages),
    "the trainer has no key for the reasoning of earlier turns, which is left out of them",
    "--reasoning inline, or drop to say nothing of it",
)  # fmt: skip
LABELLED_THOUGHT = Trap(
    "reasoning", lambda example: example.label is not None and _keyed(example.conversations[0]),
    "the trainer's KTO writes role and content alone, and the reasoning is lost", "--reasoning inline, or drop",
    left_out=True,
)  # fmt: skip
