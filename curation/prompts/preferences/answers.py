"""What was answered, and to what, whatever form a row has it in: a text, a message, a conversation, a transcript."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from curation.core.canonical import canonical
from curation.prompts.layouts._kind import LeftOut
from curation.prompts.preferences.transcript import Transcript
from curation.tables.messages import Message
from curation.tables.texts import normal_form
from curation.tables.user_messages import CALLS, parse_answer, read_answer, read_messages
from curation.tables.user_tools import check_json, parse_json

NO_TURN = "a side does not end in a turn of the assistant's"
OTHER_PROMPTS = "the sides differ in more than their last turn"
OTHER_TURNS = "a side has more or fewer turns than the prompt"
OTHER_PROMPT = "the prompt's column has another prompt than the sides"


class Answer(NamedTuple):
    """The texts of a response, as a message of the assistant's has them, and the turns before it, none where the row
    has the answer alone."""

    content: str | None
    reasoning: str | None = None
    refusal: str | None = None
    before: tuple[Message, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not any(text and text.strip() for text in self[:3])


def read_given(said: Any, transcript: Transcript | None) -> Answer:
    """The answer that a row gives. Raises ValueError where it is neither text nor messages, LeftOut where the
    conversation does not end in an answer."""
    if said is None or said != said:
        return Answer(None)
    if isinstance(said, str):
        turns = transcript.read_answered(said) if transcript else None
        if turns is not None:
            return _answer_of(turns)
        listed = parse_answer(said)
        return Answer(check_json(said)) if listed is None else _answer_of(read_messages(_with_content(listed)))
    if isinstance(said, Mapping):
        said = [said]
    if not isinstance(said, list):
        raise ValueError("not text, a message or a list of messages")
    return _answer_of(read_messages(_with_content(said))) if said else Answer(None)


def find_turns(text: str, transcript: Transcript | None) -> list[Any] | None:
    """The messages of a conversation that is one text, with the transcript's marks or as JSON; null of another text.
    Raises ValueError where it has the form of a list of messages and is no JSON."""
    turns = transcript.read_answered(text) if transcript else None
    return turns if turns is not None else parse_answer(text)


def list_turns(value: Any) -> list[str]:
    """The texts of a list of turns, or of its JSON; a turn that says nothing is empty. Raises ValueError where it is no
    such list."""
    try:
        listed = parse_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list) or not all(text is None or isinstance(text, str) for text in listed):
        raise ValueError("not a list of texts, one for each turn, nor the JSON of one")
    return [text or "" for text in listed]


def take_turns(asked: list[str], replies: list[str]) -> list[Message]:
    """The conversation of the user's turns and the assistant's. Raises LeftOut where the ones are not as many as the
    others."""
    if len(asked) != len(replies):
        raise LeftOut(OTHER_TURNS)
    both = (
        pair for turns in zip(asked, replies, strict=True) for pair in zip(("user", "assistant"), turns, strict=True)
    )
    return [{"role": role, "content": text} for role, text in both]


def _with_content(listed: list[Any]) -> list[Any]:
    """The messages, the last with an empty content where it has none: an answer that says nothing."""
    last = listed[-1]
    if isinstance(last, Mapping) and {key for key, value in last.items() if value is not None} <= {"role", "from"}:
        return [*listed[:-1], {**last, "content" if "role" in last else "value": ""}]
    return listed


def _answer_of(turns: list[Message]) -> Answer:
    last = turns[-1]
    if last["role"] != "assistant":
        raise LeftOut(NO_TURN)
    if CALLS in last:
        raise LeftOut("a side ends in the call of a tool")
    said = read_answer(last)
    return Answer(said["content"], said["reasoning_content"], said["refusal"], tuple(turns[:-1]))


def common_prompt(answers: list[Answer]) -> list[Message]:
    """The turns before the answers, none where they have none. Raises LeftOut where they have several."""
    prompts = [answer.before for answer in answers if answer.before]
    others = [prompt for prompt in prompts[1:] if prompt != prompts[0]]
    if any(_normal(prompt) != _normal(prompts[0]) for prompt in others):
        raise LeftOut(OTHER_PROMPTS)
    return list(min([prompts[0], *others], key=canonical)) if prompts else []  # whichever side has it


def join_prompts(of_sides: list[Message], of_column: list[Message]) -> list[Message]:
    """The prompt of a row whose sides and whose column of prompts both have one: the longer, which the other repeats
    whole, but for its system message, or in one turn of the user's. Raises LeftOut where it does not."""
    if not of_sides or not of_column:
        return of_sides or of_column
    sides, column = _said(of_sides), _said(of_column)
    if _is_part(column, sides) or (len(column) == 1 and column[0] in sides):
        return of_sides
    if _is_part(sides, column):
        return of_column
    raise LeftOut(OTHER_PROMPT)


def _normal(messages: Iterable[Message]) -> list[Message]:
    return [
        {key: normal_form(value) if isinstance(value, str) else value for key, value in message.items()}
        for message in messages
    ]


def _said(messages: list[Message]) -> list[tuple[str, str]]:
    return [(message["role"], normal_form(message["content"])) for message in messages]


def _is_part(part: list[tuple[str, str]], whole: list[tuple[str, str]]) -> bool:
    """Whether one conversation begins or ends as the other."""
    return whole[: len(part)] == part or whole[len(whole) - len(part) :] == part
