"""What of a reply is reasoning, and what is the answer: by fields of their own, or by delimiters that a rule declares.

What a model writes around its reasoning is never guessed: without a rule a text is the answer, as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field

from curation.calls.call import WITHOUT_TEXT, Reply
from curation.core.delimiters import CHANNEL, DELIMITER, HARMONY
from curation.core.params import Strict
from curation.core.ranges import Filled
from curation.tables.texts import BLANK

ENDS = ("<|end|>", "<|return|>", "<|call|>")  # what ends a message of harmony
BETWEEN = "\n\n"  # stands between two messages of one channel


class Texts(NamedTuple):
    """The two texts of a trace: what was thought, null where the model gave no such text and '' where it gave an empty
    one; what was answered, null where nothing was. `finish_reason` is why the reply ended, `unfinished` where the
    reasoning ended by itself and no answer came. `left_out` counts the characters that are neither, null where none
    are."""

    reasoning: str | None
    completion: str | None
    finish_reason: str
    left_out: int | None = None


class Parts(NamedTuple):
    """What a rule reads in a text: the reasoning, null where there is no block of it; the answer after it, null where
    the block is not closed. `opened`: the text itself opens the block."""

    reasoning: str | None
    answer: str | None
    opened: bool = False
    left_out: str = ""
    calls_tool: bool = False


class _Block(Strict):
    """A block at the beginning of a text, nothing but blanks before it. A delimiter anywhere else is text.

    `opens_in_prompt`: the chat template opens the block, so that a text begins inside it. `closing` says which closing
    delimiter counts where there are several: the first, which null is too, or the last.
    """

    opens_in_prompt: bool | None = None
    closing: Literal["first", "last"] | None = None

    @property
    def marks(self) -> tuple[str, str]:
        """What opens and what closes the block."""
        raise NotImplementedError

    def read(self, text: str) -> Parts:
        """The parts of a text: all its characters but the delimiters of the block."""
        opens, closes = self.marks
        body = text.lstrip(BLANK)
        opened = body.startswith(opens)
        if not opened and not self.opens_in_prompt:
            return Parts(None, text)
        body = body.removeprefix(opens)
        at = body.rfind(closes) if self.closing == "last" else body.find(closes)
        return Parts(body, None, opened) if at < 0 else Parts(body[:at], body[at + len(closes) :], opened)


class Think(_Block):
    """`<think>…</think>`, which most models write."""

    kind: Literal["think"]

    @property
    def marks(self) -> tuple[str, str]:
        """What opens and what closes the block."""
        return "<think>", "</think>"


class Mistral(_Block):
    """`[THINK]…[/THINK]`, which Mistral's models write."""

    kind: Literal["mistral"]

    @property
    def marks(self) -> tuple[str, str]:
        """What opens and what closes the block."""
        return "[THINK]", "[/THINK]"


class Delimiters(_Block):
    """A model's own delimiters, in which case counts."""

    kind: Literal["delimiters"]
    opens: Filled
    closes: Filled

    @property
    def marks(self) -> tuple[str, str]:
        """What opens and what closes the block."""
        return self.opens, self.closes


class Harmony(Strict):
    """The channels that gpt-oss writes: `analysis` is reasoning, `final` the answer. What else is said, in
    `commentary` or to a tool, is neither. `opens_in_prompt`: the template opens the analysis."""

    kind: Literal["harmony"]
    opens_in_prompt: bool | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        """The tokens of the format."""
        return HARMONY

    def read(self, text: str) -> Parts:
        """The parts of a text, messages of one channel a blank line apart. All of it but what ends it is the answer
        where it does not begin with a channel, or where anything in it is no message."""
        body = text.strip(BLANK)
        opened = _HEADER.match(body) is not None
        inside = opened or self.opens_in_prompt
        messages = _messages(body if opened else f"<|channel|>analysis<|message|>{text}") if inside else None
        if messages is None:
            return Parts(None, _without_end(text))
        said: dict[str, list[str]] = {"analysis": [], "final": [], "": []}
        for channel, words, _ in messages:
            said[channel].append(words.strip(BLANK))
        analysis, final, other = (BETWEEN.join(filter(None, texts)) if texts else None for texts in said.values())
        return Parts(analysis, final, opened, other or "", any(end == "<|call|>" for *_, end in messages))


Rule: TypeAlias = Annotated[Think | Mistral | Delimiters | Harmony, Field(discriminator="kind")]

_NAMES = r"[\w.-]*(?: +to=[\w.-]*)?(?: +\w*)?"  # a role or a channel, whom it is said to, in what form
_HEAD = rf"(?:<\|start\|>(?P<role>{_NAMES}))?(?:<\|channel\|>(?P<channel>{_NAMES}))?(?:<\|constrain\|>\w*)?"
_HEADER = re.compile(rf"{_HEAD}<\|message\|>\s*")
_CUT_HEADER = re.compile(_HEAD)  # a limit was reached in it
_FINAL_ENDS = re.compile(r"<\|(?:end|return|call)\|>\s*|\Z")
_ENDS = re.compile(r"<\|(?:end|return|call)\|>\s*|(?=<\|(?:start|channel)\|>)|\Z")


def _messages(text: str) -> list[tuple[str, str, str]] | None:
    """The channel of each message, '' where it is neither reasoning nor answer, its words, and what ends it. None where
    the text is anything but messages."""
    messages, at = list[tuple[str, str, str]](), 0
    while at < len(text):
        header = _HEADER.match(text, at)
        if header is None:
            return messages if _CUT_HEADER.fullmatch(text, at) else None
        channel = _channel_of(header["role"] or "", header["channel"])
        end = (_FINAL_ENDS if channel == "final" else _ENDS).search(text, header.end())
        assert end is not None  # it matches the end of any text
        messages.append((channel, text[header.end() : end.start()], end[0].strip()))
        at = end.end()
    return messages


def _without_end(text: str) -> str:
    """The text without the tokens that end a message; itself where it ends in none."""
    at = len(text.rstrip())
    if not text.endswith(ENDS, 0, at):
        return text
    while text.endswith(ENDS, 0, at):
        at = text.rindex("<|", 0, at)
        while text[at - 1 : at].isspace():
            at -= 1
    return text[:at]


def _channel_of(role: str, channel: str | None) -> str:
    name = "final" if channel is None else (channel.split() or [""])[0]
    to_user = role.strip() in ("", "assistant") and " to=" not in f"{channel}"
    return name if to_user and name in ("analysis", "final") else ""


def split(reply: Reply, rule: Rule | None = None) -> Texts:
    """The texts of a reply whose model marks its reasoning as `rule` says, null by fields of their own alone. A reply
    that has reasoning loses the blanks around both texts.

    A field that says something counts before delimiters, unless the text repeats its words in them: the server has
    split the reply, and what it left in the text is the answer. Beside a blank field delimiters count.
    """
    if reply.error is not None:
        return Texts(None, None, "error")
    parts = _parts(reply, rule)
    if parts.reasoning is None and parts.answer == reply.text:
        return Texts(None, reply.completion, reply.ending)
    thought, left_out = None if parts.reasoning is None else parts.reasoning.strip(BLANK), len(parts.left_out) or None
    if parts.answer is None and not (reply.refusal or "").strip():
        ending = "tool_calls" if parts.calls_tool else reply.finish_reason
        return Texts(thought, None, ending if ending in WITHOUT_TEXT else "unfinished", left_out)
    apart = replace(reply, reasoning=thought, text=(parts.answer or "").strip(BLANK))
    return Texts(thought, apart.completion, apart.ending, left_out)


def _parts(reply: Reply, rule: Rule | None) -> Parts:
    field, text = reply.reasoning, reply.text
    if text is None:
        return Parts(field, None)
    parts = rule.read(text) if rule else Parts(None, text)
    if field is None:
        return parts
    if parts.reasoning is None:
        return parts._replace(reasoning=field)
    if field.strip(BLANK):
        return parts if parts.opened and parts.reasoning.strip(BLANK) == field.strip(BLANK) else Parts(field, text)
    return parts if parts.opened or parts.answer is not None else Parts(field, text)


def marks_among(tokens: Iterable[str], rule: Rule | None = None) -> set[str]:
    """Those of a tokenizer's special tokens that mark reasoning: known delimiters, what a rule's own are made
    of, and the tokens of harmony where there are channels. An engine keeps them in a text, or no rule could read it."""
    tokens = set(tokens)
    known = {token for token in tokens if re.fullmatch(DELIMITER, token)}
    channels = tokens.intersection(HARMONY if CHANNEL in tokens else ())
    own = {token for token in tokens if any(token in mark for mark in (rule.marks if rule else ()))}
    return known | channels | own
