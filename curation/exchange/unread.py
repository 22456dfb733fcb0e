"""What of a file plays no part in the study that is drafted: told, since no table gets it."""

from collections.abc import Iterator
from typing import Any

from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.guess import Guess
from curation.exchange.looking import Column
from curation.exchange.options import find_options, find_unsaid

MOST_NAMED = 8
LONG = 40  # characters of a text that may be what a model wrote


def describe_unread(guess: Guess) -> Iterator[str]:
    """A sentence on options that prompts do not say, and one on the columns that nothing is made of. Reading a whole
    set says that of its own."""
    prompt, options = guess.column("prompt"), find_options(guess.look)
    if prompt is not None and not guess.options and find_unsaid(guess):
        names = first_names((show_value(one.name) for one in options), MOST_NAMED)
        way_out = "give every file of prompts and traces these columns, or write the options into its prompts"
        yield one_line(f"{guess.look.title}: no prompt says the options, which {names} have; {way_out}")
    unread = list_unread(guess) if guess.holds != "preferences" or not guess.look.whole else []
    if unread := [one for one in unread if one not in options]:
        names = first_names((show_value(one.name) for one in unread), MOST_NAMED)
        yield one_line(f"{guess.look.title}: not read: {names}")


def list_unread(guess: Guess) -> list[Column]:
    """The columns that have something in them and no part, those of listed responses under the list's name."""
    layout = guess.layout or {}
    used = {*guess.columns.values(), *guess.wide, *guess.thoughts.values(), *guess.carried, *_names(layout)}
    used |= {column.name for column in guess.ratings.values()}
    if (each := layout.get("each")) is not None:
        fields = guess.look.columns[each].fields().values()
        inner = [Column(f"{each}.{one.name}", one.values, one.kind) for one in fields if one.name not in used]
    else:
        inner = []
    whole = [one for one in guess.look.columns.values() if one.name not in used]
    begun = tuple(name.rpartition(".")[0] for name in used)  # of lists whose items are named
    return [one for one in (*whole, *inner) if one.kind != "empty" and not _holds_one(one.name, begun)]


def may_be_written(guess: Guess) -> list[str]:
    """Unread texts that are long enough to be what a model wrote."""
    return [one.name for one in list_unread(guess) if one.kind in ("text", "texts") and one.length >= LONG]


def _holds_one(name: str, used: tuple[str, ...]) -> bool:
    return any(one == name or one.startswith(f"{name}.") for one in used)


def _names(value: Any) -> Iterator[str]:
    """The texts in settings, among which are the names of columns."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _names(inner)
