"""Votes between two responses: which won, if either did."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from curation.core.messages import did_you_mean, first_names, show_value
from curation.core.params import Column, Strict
from curation.prompts.layouts._kind import (
    Comparison,
    Given,
    LayoutParams,
    LeftOut,
    Listed,
    Unreadable,
    Verdict,
    is_null,
    read_model,
)
from curation.prompts.layouts._numbers import read_number
from curation.tables.user_messages import ROLE_OF, are_messages

Words = Annotated[list[str | int | bool], Field(min_length=1)]
Vote: TypeAlias = Literal["a", "b", "tie", "both_bad"]
SIDES: tuple[Literal["a", "b"], ...] = ("a", "b")
VOTES: tuple[Vote, ...] = ("a", "b", "tie", "both_bad")
MOST_NAMED = 20


class Won(Strict):
    """The words of the column of winners where a won, where b did, where neither did, and where both are bad."""

    a: Words
    b: Words
    tie: Words | None = None
    both_bad: Words | None = None

    @model_validator(mode="after")
    def _has_each_once(self) -> "Won":
        words = [word for word, _ in self.spelt()]
        if twice := [word for word in words if words.count(word) > 1]:
            raise ValueError(f"{twice[0]!r} is there twice; keep one")
        return self

    def spelt(self) -> list[tuple[str, Vote]]:
        """Each word, and what it says."""
        return [(_spell(word), vote) for vote in VOTES for word in getattr(self, vote) or []]


class SideColumns(Strict):
    """The columns of a rating of both sides."""

    a: str
    b: str


class WinnerColumns(Strict):
    """A column for each vote, which has 1 or true in the rows where that was the vote."""

    a: str
    b: str
    tie: str | None = None
    both_bad: str | None = None


class Params(LayoutParams):
    """A layout of kind votes: `a` and `b` as the sides of kind pair, and `winner`: a column whose `words` say which
    won; or one of numbers, 0 a tie, where `negative` is the side that those below 0 speak for; or a column for each
    vote. Without a winner `order_by` is one of `ratings`: the side that has more of it won, and equal ones are a tie.
    `turn` is a column with the number of the assistant's turn that the vote is on: conversations end there. `rating` is
    the name under which such a number is a rating too: half of it for one side, minus half for the other; `ratings` are
    numbers that stand beside each side. `shown_first` is the side that was shown first in every row, null where that is
    not known."""

    kind: Literal["votes"]
    a: str
    b: str
    winner: str | WinnerColumns | None = None
    words: Won | None = None
    negative: Literal["a", "b"] | None = None
    rating: Column | None = None
    ratings: dict[Column, SideColumns] | None = None
    model_a: str | None = None
    model_b: str | None = None
    shown_first: Literal["a", "b"] | None = None
    order_by: Column | None = None
    turn: str | None = None

    @model_validator(mode="after")
    def _says_who_won(self) -> "Params":
        each = None if isinstance(self.winner, str) else self.winner
        if sum(way is not None for way in (self.words, self.negative, each, self.order_by)) != 1:
            raise ValueError(
                "say which side won by one of words, negative, a winner with a column for each vote, and order_by"
            )
        if (self.winner is None) == (self.order_by is None):
            raise ValueError("winner: name the column that says which side won, or none beside order_by")
        if self.order_by is not None and self.order_by not in (self.ratings or {}):
            raise ValueError(
                f"order_by: {self.order_by!r} is no rating{did_you_mean(self.order_by, self.ratings or {})}"
            )
        if self.rating is not None and self.negative is None:
            raise ValueError("rating: a vote is a rating only where it is a number; name negative, or leave it out")
        if self.rating is not None and self.rating in (self.ratings or {}):
            raise ValueError(f"rating: {self.rating!r} is one of ratings too; call one of them otherwise")
        return self

    @property
    def sides(self) -> dict[str, str]:
        """The two answers."""
        return {"a": self.a, "b": self.b}

    @property
    def columns(self) -> dict[str, str]:
        """All that a row is read by."""
        votes = {"winner": self.winner} if isinstance(self.winner, str) else {}
        if isinstance(self.winner, WinnerColumns):
            votes = {f"winner.{place}": column for place, column in self.winner.model_dump().items()}
        rated = {
            f"ratings.{name}.{side}": getattr(of, side) for name, of in (self.ratings or {}).items() for side in SIDES
        }
        named = {**self.sides, **votes, "turn": self.turn, "model_a": self.model_a, "model_b": self.model_b, **rated}
        return {place: column for place, column in named.items() if column is not None}

    @property
    def rating_names(self) -> list[str]:
        """The number of a vote, where it is to be a rating, and what both sides are rated on."""
        return [*([] if self.rating is None else [self.rating]), *(self.ratings or {})]

    @property
    def unkept(self) -> dict[str, str]:
        """How clear a vote is, where that is to be no rating."""
        return {str(self.winner): "the size of a vote"} if self.negative is not None and self.rating is None else {}


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """Both responses, and the vote."""
    for_a = None if settings.negative is None else _read_number(settings, row["winner"])
    if settings.order_by is not None:
        vote = _vote_by(settings.order_by, row)
    else:
        vote = _vote(settings, row) if settings.negative is None else _vote_of(for_a)
    scores = (None, None) if for_a is None else (for_a / 2, -for_a / 2)
    responses = [
        Given(
            _up_to_turn(settings, row, side),
            read_model(row, f"model_{side}"),
            _scores(settings, row, side, score),
            side=side,
        )
        for side, score in zip(SIDES, scores, strict=True)
    ]
    better = 1 if vote == "b" else 0
    verdict: Verdict | None = vote if vote is None or vote == "tie" or vote == "both_bad" else "chosen"
    first = None if settings.shown_first is None else SIDES.index(settings.shown_first)
    return Listed(responses, [Comparison(better, 1 - better, verdict, first)])


def _up_to_turn(settings: Params, row: Mapping[str, Any], side: str) -> Any:
    """What a side says up to the turn that the vote is on; whole where no column says it, and where the side is an
    answer alone. Raises LeftOut where a conversation ends before that turn."""
    said = row[side]
    if settings.turn is None or is_null(row["turn"]):
        return said
    turn = read_number(row["turn"])
    if turn is None or turn < 1 or turn != int(turn):
        raise Unreadable("layout.turn", f"is {show_value(row['turn'])}, not the number of a turn; they count from 1")
    if not are_messages(said):
        return said
    roles = [ROLE_OF.get(str(message.get("role", message.get("from"))).strip().lower()) for message in said]
    ends = [number for number, role in enumerate(roles, 1) if role == "assistant"]
    if turn <= len(ends):
        return said[: ends[int(turn) - 1]]
    if "user" in roles:
        raise LeftOut("a side ends before the turn that the vote is on")
    return said


def _vote_by(rating: str, row: Mapping[str, Any]) -> Vote | None:
    """The side that is rated higher; null where one has no number."""
    a, b = (read_number(row[f"ratings.{rating}.{side}"]) for side in SIDES)
    return None if a is None or b is None else _vote_of(a - b)


def _scores(settings: Params, row: Mapping[str, Any], side: str, of_vote: float | None) -> dict[str, Any]:
    """What a side is rated: its part of the vote, and what stands beside it."""
    own = {} if settings.rating is None else {settings.rating: of_vote}
    return own | {name: row[f"ratings.{name}.{side}"] for name in settings.ratings or {}}


def _read_number(settings: Params, value: Any) -> float | None:
    """How far the number of a vote speaks for a; null where there was no vote."""
    if is_null(value):
        return None
    number = read_number(value)
    if number is None:
        raise Unreadable("layout.winner", f"is {show_value(value)}, not a number")
    return -number if settings.negative == "a" else number


def _vote_of(for_a: float | None) -> Vote | None:
    if for_a is None:
        return None
    return "tie" if for_a == 0 else "a" if for_a > 0 else "b"


def _vote(settings: Params, row: Mapping[str, Any]) -> Vote | None:
    """The one of VOTES that a row's words or columns say, null where there was no vote."""
    if settings.words is None:
        said = [vote for vote in VOTES if _says_yes(f"winner.{vote}", row)]
        if len(said) > 1:
            raise Unreadable(f"layout.winner.{said[1]}", f"says so too, beside that of {said[0]}")
        return said[0] if said else None
    if is_null(row["winner"]):
        return None
    known = dict(settings.words.spelt())
    vote = known.get(_spell(row["winner"]))
    if vote is None:
        words = first_names(map(repr, known), MOST_NAMED)
        raise Unreadable("layout.winner", f"is {show_value(row['winner'])}, which words does not have, but {words}")
    return vote


def _says_yes(place: str, row: Mapping[str, Any]) -> bool:
    value = row.get(place)
    if is_null(value) or _spell(value).lower() in ("0", "false"):
        return False
    if _spell(value).lower() in ("1", "true"):
        return True
    raise Unreadable(f"layout.{place}", f"is {show_value(value)}, neither 1 nor 0")


def _spell(word: Any) -> str:
    """A word as text, however the file writes it: 1, 1.0 and "1" are the same."""
    if isinstance(word, bool):
        return str(word).lower()
    if isinstance(word, float | Decimal) and math.isfinite(word) and word == int(word):
        return str(int(word))
    return str(word).strip()
