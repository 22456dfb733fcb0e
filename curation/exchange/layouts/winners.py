"""Which of two sides won: the columns that say so, and their words."""

import re
from collections.abc import Sequence
from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.looking import Column
from curation.exchange.values import as_number, spell
from curation.exchange.words import rate_name, split_name, swap_word

WINNERS = (
    "winner", "preference", "overall_preference", "preferred", "vote", "verdict", "choice", "better", "chosen", "label",
    "labels",
    "judgment", "judgement", "annotation", "better_response_id", "human_preference", "besser", "gewinner", "sieger",
    "mejor", "ganador", "meilleur", "胜者", "偏好", "勝者", "победитель",
)  # fmt: skip
TIES, NEITHER = ("tie", "draw", "equal", "same", "both", "unentschieden", "gleich", "平"), ("bad", "neither", "none")
VOTED = ("votes", "upvotes", "ups", "likes")
ORDERED = re.compile(r"\W*(\w+)\s*(>+|<+|=+)\s*(\w+)\W*")  # `A>B`, `[[A=B]]`
MOST_WORDS = 12  # that a column of winners has


def find_winner(roles: Roles, sides: set[str], a: str, b: str) -> dict[str, Any] | None:
    """The column that says which of two sides won, and in which words."""
    found = [
        one
        for one in roles.free("text", "number", "truth")
        if one.name not in sides and one.distinct <= MOST_WORDS and is_winner(one.name)
    ]
    if (each := _find_winner_columns(roles, a, b)) is not None:
        return {"winner": each}
    found.sort(key=lambda one: min(WINNERS.index(word) for word in _winner_words(one.name)))
    for column in found:
        if column.kind == "number" and _is_degree(column.numbers):
            continue
        if column.kind == "number" and min(column.numbers) < 0:
            roles.notes["winner"] = "guessed: a number below 0 speaks for the first; write b if for the second"
            rating = {"rating": "strength"} if max(map(abs, column.numbers)) > 1 else {}
            return {"winner": column.name, "negative": "a"} | rating
        words = _turn(roles, column, read_words(column, a, b), a, b)
        if words["a"] and words["b"]:
            unsaid = [vote for vote, own in words.items() if not own]
            roles.notes["winner"] = "guessed: which word says which, of those that the file has"
            return {"winner": column.name, "words": {vote: own for vote, own in words.items() if vote not in unsaid}}
    return None


def _is_degree(numbers: Sequence[float]) -> bool:
    """Whether numbers say how far a side is preferred, and no words: `1.3` between 1 and 2, but no `1.5`, a tie."""
    low, high = min(numbers), max(numbers)
    return low >= 0 and any(number != int(number) and number != (low + high) / 2 for number in numbers)


def _find_winner_columns(roles: Roles, a: str, b: str) -> dict[str, str] | None:
    """A column for each vote, with 1 where that was the vote."""
    marks = {
        one.name: one
        for one in roles.free("number", "truth")
        if is_winner(one.name) and {spell(value).lower() for value in one.given} <= {"0", "1", "true", "false"}
    }
    for name in marks:
        if (other := swap_word(name, a, b, marks)) is not None:
            ties = [tie for tie in marks if set(split_name(tie)) & set(TIES)]
            return {"a": name, "b": other} | ({"tie": ties[0]} if ties else {})
    return None


def _turn(roles: Roles, column: Column, words: dict[str, list[Any]], a: str, b: str) -> dict[str, list[Any]]:
    """The words, the other way round where scores of the two sides say so: 1 may be the first side, or mean yes."""
    for one in roles.free("number"):
        other = swap_word(one.name, a, b, roles.look.columns)
        if other is None or roles.look.columns[other].kind != "number" or not _counts_for(one.name):
            continue
        more = 0
        for value, left, right in zip(column.values, one.values, roles.look.columns[other].values, strict=True):
            sides = [side for side in ("a", "b") if spell(value) in words[side]]
            if sides and left is not None and right is not None and float(left) != float(right):
                more += 1 if (float(left) > float(right)) == (sides[0] == "a") else -1
        return words | {"a": words["b"], "b": words["a"]} if more < 0 else words
    return words


def _counts_for(name: str) -> bool:
    """Whether a number of this name is the higher the better: a score or votes, and no time."""
    return rate_name(name, "score") is not None or not set(split_name(name)).isdisjoint(VOTED)


def is_winner(name: str) -> bool:
    """Whether a name has a word for what says which side won."""
    return bool(_winner_words(name))


def _winner_words(name: str) -> list[str]:
    words = split_name(name)
    return [word for word in ("_".join(words), *words) if word in WINNERS]


def read_words(column: Column, a: str, b: str) -> dict[str, list[Any]]:
    """Which of a column's values say that the first side won, the second, neither."""
    said: dict[str, list[Any]] = {"a": [], "b": [], "tie": [], "both_bad": []}
    for value in sorted({spell(value) for value in column.given}):
        words = split_name(value) if as_number(value) is None else [value]
        if (ordered := ORDERED.fullmatch(value)) is not None:
            first, sign, second = (part.lower() for part in ordered.groups())
            words = [TIES[0]] if "=" in sign else [first if ">" in sign else second]
        if any(bad in word for word in words for bad in NEITHER):
            said["both_bad"].append(value)
        elif any(word in TIES for word in words):
            said["tie"].append(value)
        elif a in words and b not in words:
            said["a"].append(value)
        elif b in words and a not in words:
            said["b"].append(value)
        else:
            said["tie"].append(value)
    if not (said["a"] and said["b"]):  # numbers that count the sides otherwise
        values = [*said["a"], *said["b"], *said["tie"]]
        for first, second in (("0", "1"), ("1", "2"), ("true", "false"), ("a", "b"), ("left", "right")):
            spelt = {value.lower(): value for value in values}
            if first in spelt and second in spelt:
                rest = [value for word, value in spelt.items() if word not in (first, second)]
                return said | {"a": [spelt[first]], "b": [spelt[second]], "tie": rest}
    return said
