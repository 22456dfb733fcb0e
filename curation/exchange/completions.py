"""What the completions of a file say."""

from typing import Any

from curation.exchange.guess import Guess
from curation.tables.user_messages import read_answer, read_completions, read_messages


def texts_of(guess: Guess, name: str | None = None) -> list[list[str]]:
    """The texts that each row's completions have, those without any left out."""
    return [
        [text for answer in answers if (text := answer["content"]) is not None] for answers in answers_of(guess, name)
    ]


def answers_of(guess: Guess, name: str | None = None) -> list[list[dict[str, str | None]]]:
    """What each row's completions say, in the column `name` or in the file's own; none where they cannot be read."""
    column = guess.look.columns.get(name) if name else guess.column("completion") or guess.column("messages")
    if column is None:
        return [[] for _ in range(guess.look.rows)]
    conversation = column.name == guess.columns.get("messages")
    return [_answers_of(value, conversation) for value in column.values]


def _answers_of(value: Any, conversation: bool) -> list[dict[str, str | None]]:
    try:
        if value is None:
            return []
        return [read_answer(read_messages(value)[-1])] if conversation else read_completions(value)
    except ValueError:
        return []
