"""A row of a preference set in one form, whatever its layout."""

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from curation.calls.call import Reply
from curation.core.canonical import canonical
from curation.core.kinds import layout_kind
from curation.core.messages import show_value
from curation.models.reasoning import Rule, Texts, split
from curation.prompts.layouts._kind import Comparison, Given, LayoutParams, LeftOut, Listed, Unreadable, is_null
from curation.prompts.layouts._numbers import read_number
from curation.prompts.preferences.answers import (
    Answer,
    common_prompt,
    find_turns,
    join_prompts,
    list_turns,
    read_given,
    take_turns,
)
from curation.prompts.preferences.transcript import Transcript
from curation.tables.messages import Message
from curation.tables.user_messages import read_messages, read_prompt
from curation.tables.user_prompts import Conversation, read_conversation
from curation.tables.user_tools import as_json
from curation.tables.user_values import ANSWERS, KEY, TEXT, TOOLS

TOLD = {"system": TEXT, "tools": TOOLS, "answer": ANSWERS, "task": TEXT, "prompt_id": KEY, "row_id": KEY}
CARRIED = "columns.carried."
SILENT = Answer(None)
P = ParamSpec("P")
T = TypeVar("T")


class HowToRead(Protocol):
    """The settings that a row is read by."""

    @property
    def layout(self) -> LayoutParams: ...
    @property
    def transcript(self) -> Transcript | None: ...
    @property
    def turns(self) -> str | None: ...
    @property
    def reasoning(self) -> Rule | None: ...


class Faults(ValueError):
    """Values of one row that are not what their places say."""

    def __init__(self, faults: list[Unreadable]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


class Rating(NamedTuple):
    """How a response was rated: `given` is what the file says, where that is no number and so no score."""

    score: float | None
    rationale: str | None
    given: Any = None


class Response(NamedTuple):
    """Both texts of a response, null where it says nothing, who wrote it, and its ratings by their names."""

    texts: Texts | None
    generator: str | None
    ratings: Mapping[str, Rating]


class Row(NamedTuple):
    """What a row holds. `told` has the values of TOLD, and `carried` the JSON of the columns that the user named."""

    prompt: Conversation
    told: Mapping[str, Any]
    carried: str | None
    responses: list[Response]
    comparisons: list[Comparison]


def read_row(how: HowToRead, values: Mapping[str, Any]) -> Row:
    """What a row holds, from its values by their places in params. Raises Faults where some are not what their places
    say, LeftOut where there is nothing to compare."""
    faults: list[Unreadable] = []
    told = {name: _try(faults, _convert, f"columns.{name}", values) for name in TOLD}
    of_layout = {place.removeprefix("layout."): value for place, value in values.items()}
    if how.turns:
        of_layout |= _converse_by_turns(faults, how.layout.sides, values)
    elif "turn" in how.layout.columns:
        of_layout |= _converse_by_text(how, of_layout)
    listed = _try(faults, layout_kind(how.layout.kind).read, how.layout, of_layout) or Listed([])
    answers = [_try(faults, _read_answer, how, *given) or SILENT for given in enumerate(listed.responses)]
    beside = [] if how.turns else _try(faults, _read_prompt, how.transcript, values) or []
    if faults:
        raise Faults(faults)
    if not answers:
        raise LeftOut("there is no response")
    messages = join_prompts(common_prompt(answers), beside)
    responses = [
        Response(_split(answer, how.reasoning), given.generator, _read_ratings(given))
        for answer, given in zip(answers, listed.responses, strict=True)
    ]
    return Row(_converse(messages, told), told, _carry(values), responses, list(listed.comparisons))


def _try(faults: list[Unreadable], read: Callable[P, T], *values: P.args, **named: P.kwargs) -> T | None:
    """What `read` makes of the values; null where it cannot, which is then among `faults`."""
    try:
        return read(*values, **named)
    except Unreadable as fault:
        faults.append(fault)
        return None


def _convert(place: str, values: Mapping[str, Any]) -> Any:
    """The value at a place of TOLD as one of ours; null where there is none."""
    value = values.get(place)
    if is_null(value):
        return None
    try:
        return TOLD[place.removeprefix("columns.")].convert(value)
    except ValueError as error:
        raise Unreadable(place, f"is {show_value(value)}, {error}") from None


def _read_answer(how: HowToRead, number: int, given: Given) -> Answer:
    try:
        return read_given(given.said, how.transcript)
    except LeftOut:
        raise
    except ValueError as error:
        which = f"has the response {number + 1} " if given.side is None else "is "
        place = f"layout.{given.side or next(iter(how.layout.sides))}"
        raise Unreadable(place, f"{which}{show_value(given.said)}, {error}") from None


def _converse_by_turns(
    faults: list[Unreadable], sides: Iterable[str], values: Mapping[str, Any]
) -> dict[str, list[Message] | None]:
    """What the sides hold as conversations, of the turns in the column of prompts and of theirs."""
    asked = _try(faults, _read_turns, "columns.prompt", values)
    replies = {side: _try(faults, _read_turns, f"layout.{side}", values) for side in sides}
    return {side: take_turns(asked, own) if asked and own else None for side, own in replies.items()}


def _converse_by_text(how: HowToRead, of_layout: Mapping[str, Any]) -> dict[str, Any]:
    """The sides that are conversations in one text, as lists, which a layout can end at a turn. One that cannot be read
    stays, for `read_given` to say so."""
    found: dict[str, Any] = {}
    for side in how.layout.sides:
        if isinstance(said := of_layout.get(side), str):
            with suppress(ValueError):
                found[side] = find_turns(said, how.transcript) or said
    return found


def _read_turns(place: str, values: Mapping[str, Any]) -> list[str]:
    value = values.get(place)
    try:
        return [] if is_null(value) else list_turns(value)
    except ValueError as error:
        raise Unreadable(place, f"is {show_value(value)}, {error}") from None


def _read_prompt(transcript: Transcript | None, values: Mapping[str, Any]) -> list[Message]:
    """The messages of the column of prompts, or those of conversations up to the answer; none where there is none."""
    place = "columns.messages" if "columns.messages" in values else "columns.prompt"
    value = values.get(place)
    if is_null(value):
        return []
    try:
        if place == "columns.messages":
            listed = read_messages(value)
            return listed[:-1] if listed[-1]["role"] == "assistant" else listed
        turns = transcript.read_prompt(value) if transcript and isinstance(value, str) else None
        return read_prompt(value) if turns is None else turns
    except ValueError as error:
        raise Unreadable(place, f"is {show_value(value)}, {error}") from None


def _converse(messages: list[Message], told: Mapping[str, Any]) -> Conversation:
    if not messages:
        raise LeftOut("there is no prompt")
    try:
        return read_conversation(prompt=as_json(messages), system=told["system"], tools=told["tools"])
    except ValueError as error:
        raise LeftOut(f"the prompt {error}") from None


def _split(answer: Answer, rule: Rule | None) -> Texts | None:
    """Both texts of an answer, as of a server's reply; null where it says nothing."""
    if answer.empty:
        return None
    if rule is None and answer.reasoning is None and answer.refusal is None:
        return Texts(None, answer.content, "stop")
    content = None if answer.content == answer.refusal else answer.content
    ending = "stop" if answer.refusal is None else "refusal"
    texts = split(Reply(content, ending, reasoning=answer.reasoning or None, refusal=answer.refusal), rule)
    return texts if (texts.reasoning or "").strip() or (texts.completion or "").strip() else None


def _read_ratings(given: Given) -> dict[str, Rating]:
    return {name: _rate(value, given.rationales.get(name)) for name, value in given.scores.items()}


def _rate(value: Any, why: Any) -> Rating:
    score = read_number(value)
    text = why if why is None or isinstance(why, str) else canonical(_plain(why))
    return Rating(score, text, value if score is None and not is_null(value) else None)


def _carry(values: Mapping[str, Any]) -> str | None:
    carried = {
        place.removeprefix(CARRIED): _plain(value) for place, value in values.items() if place.startswith(CARRIED)
    }
    return canonical(carried) if carried else None


def _plain(value: Any) -> Any:
    """A value as JSON can hold it: dates, bytes and the like as Python writes them, no number as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value if value is None or isinstance(value, bool | int | float) else str(value)
