"""What a guess would lose without a word: JSON in the place of a text, half of a prompt."""

import json
from collections.abc import Sequence
from typing import Any

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.guess import Guess
from curation.exchange.looking import Look
from curation.exchange.transcripts import has_turns
from curation.exchange.values import SEEN
from curation.exchange.words import split_name
from curation.tables.user_messages import ROLE_OF

PROTOCOL = {"messages", "choices", "message", "outputs"}  # keys of what is asked of a server and of what it answers
ROLES = {*ROLE_OF, "prompter"}  # the second as OASST has it
HALVES = ("instruction", "input")  # of a prompt, as Alpaca has it


def refuse_loss(guess: Guess) -> None:
    """Raise CurationError if the guess takes JSON for what was said, or half of a prompt for the whole."""
    for role in () if has_turns(guess) else ("prompt", "completion"):
        column = guess.column(role)
        if column is not None and column.kind == "text" and _is_json(column.given[:SEEN]):
            said = "is the JSON text of objects or lists; write these as they are, in JSON lines"
            raise CurationError(one_line(f"{guess.look.title}: column {show_value(column.name)} {said}"))
    halves = _find_halves(guess, guess.columns.get("prompt", ""))
    if len(halves) > 1:
        names = first_names(map(show_value, halves), len(halves))
        raise CurationError(
            one_line(f"{guess.look.title}: {names} are a prompt together; write both into one column, as prompt")
        )


def refuse_turns(looked: Look) -> None:
    """Raise CurationError if each row is one turn of a conversation, whose others are rows too."""
    for column in looked.of_kind("text"):
        words = {str(value).strip().lower() for value in column.given[:SEEN]}
        if split_name(column.name)[-1:] == ["role"] and "." not in column.name and len(words) > 1 and words <= ROLES:
            said = f"each row is one turn of a conversation, as column {show_value(column.name)} says"
            way_out = "write a row for each conversation, with its turns in a list as messages"
            raise CurationError(one_line(f"{looked.title}: {said}; {way_out}"))


def _is_json(texts: Sequence[Any]) -> bool:
    """Whether all texts are lists of texts, some of several, or objects of a protocol."""
    try:
        values = [json.loads(text) for text in texts]
    except (TypeError, ValueError, RecursionError):
        return False
    if all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in values):
        return any(len(value) > 1 for value in values)
    return all(isinstance(value, dict) and PROTOCOL & value.keys() for value in values)


def _find_halves(guess: Guess, prompt: str) -> list[str]:
    """The columns that make a prompt together, if `prompt` is one of them and the others say something."""
    found = [
        one.name
        for one in guess.look.of_kind("text")
        if one.name.rpartition(".")[0] == prompt.rpartition(".")[0]
        and "_".join(split_name(one.name)) in HALVES
        and any(str(value).strip() for value in one.given)
    ]
    return found if prompt in found else []
