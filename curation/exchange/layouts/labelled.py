"""One response in each row, and a column that says whether it is good."""

from typing import Any

from curation.exchange.guess import Guess
from curation.exchange.looking import Column
from curation.exchange.values import spell
from curation.exchange.words import split_name

LABELS = (
    "label", "desirable", "is_desirable", "thumbs", "thumbs_up", "feedback", "liked", "is_good", "good", "accepted",
    "is_safe", "is_chosen", "vote", "rating", "score",
)  # fmt: skip
GOOD, BAD = ("👍", "good", "up", "yes", "desirable", "positive", "like", "liked"), (
    "👎", "bad", "down", "no", "undesirable", "negative", "dislike", "disliked",
)  # fmt: skip


def find_label(guess: Guess) -> Column | None:
    """A column of two values that says of a completion whether it is good."""
    taken = {name for role, name in guess.columns.items() if role != "answer"}
    for column in guess.look.of_kind("truth", "number", "text"):
        words = split_name(column.name)
        if column.name in taken or not ("_".join(words) in LABELS or set(words) & set(LABELS)):
            continue
        values = {spell(value).lower() for value in column.given}
        if values <= {"true", "false"} or values <= {"0", "1"} or (values <= {*GOOD, *BAD} and values):
            return column
    return None


def find_words(label: Column) -> dict[str, Any]:
    """Which words of a label say good, and which bad; none where it has truths."""
    values = sorted({spell(value) for value in label.given})
    if label.kind != "text" or {value.lower() for value in values} <= {"true", "false", "0", "1"}:
        return {}
    good = [value for value in values if value.lower() in GOOD]
    bad = [value for value in values if value not in good]
    return {"words": {"good": good or ["good"], "bad": bad or ["bad"]}}
