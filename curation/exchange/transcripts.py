"""Prompts and sides that are whole conversations: in lists, in one text, or in the JSON of a list."""

from collections.abc import Mapping, Sequence
from typing import Any

from curation.exchange.guess import Guess, Roles
from curation.exchange.looking import Column, Look
from curation.exchange.values import SEEN
from curation.prompts.preferences.answers import list_turns

TURNS = (("\n\nHuman:", "\n\nAssistant:"), ("\n\nH:", "\n\nA:"), ("\nUser:", "\nAssistant:"))
MARKED = ("<extra_id_1>User\n", "<extra_id_1>Assistant\n")  # which no text has by chance


def first_side(look: Look, layout: Mapping[str, Any]) -> Column | None:
    """The column of the first side, or of the completions."""
    return look.columns.get(str(layout.get("chosen", layout.get("a", layout.get("completion", "")))))


def are_conversations(roles: Roles, layout: Mapping[str, Any]) -> bool:
    """Whether the sides are conversations, in lists or in one text, which hold the prompt themselves."""
    side = first_side(roles.look, layout)
    if side is None:
        return False
    lists = [one for one in side.given if isinstance(one, list)]
    return (
        any(len(one) > 1 and isinstance(one[0], dict) for one in lists)
        or _find_turns([one for one in side.given if isinstance(one, str)]) is not None
    )


def find_transcript(guess: Guess) -> dict[str, Any] | None:
    """What begins the turns of prompts, or of sides, that are whole conversations in one text."""
    layout = guess.layout or {}
    side = first_side(guess.look, layout)
    told = guess.column("prompt") or (None if "messages" in guess.columns else side)
    if told is None or told.kind != "text":
        return None
    return _find_turns([value for value in told.given if isinstance(value, str)])


def has_turns(guess: Guess) -> bool:
    """Whether prompts and sides are the JSON of lists of texts, one for each turn."""
    prompt, side = guess.column("prompt"), first_side(guess.look, guess.layout or {})
    both = [[_listed(value) for value in one.given[:SEEN]] for one in (prompt, side) if one is not None]
    return len(both) == 2 and all(lists and all(lists) for lists in both)


def _listed(value: Any) -> bool:
    try:
        return isinstance(value, str) and value.startswith("[") and bool(list_turns(value))
    except ValueError:
        return False


def _find_turns(texts: Sequence[str]) -> dict[str, Any] | None:
    """What begins the turns of texts that are conversations."""
    if any(MARKED[1] in text for text in texts):
        return dict(zip(("user", "assistant"), MARKED, strict=True))
    for user, assistant in TURNS:
        if texts and all(text.startswith((user, user.lstrip())) and assistant in text for text in texts[:200]):
            return {"user": user, "assistant": assistant}
    return None
