"""Two responses in each row, and a column that says which one won."""

from collections.abc import Mapping
from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.layouts.sides import names_writer, surest_sides
from curation.exchange.layouts.winners import find_winner, is_winner, read_words
from curation.exchange.looking import Column
from curation.exchange.rating_columns import surest_rating
from curation.exchange.words import column_name, rate_name, split_name, swap_word
from curation.tables.user_messages import are_messages

BOTH = (("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("one", "two"), ("first", "second"), ("x", "y"))
THIRD = {"a": "c", "1": "3", "0": "2"}  # of three or more columns, which are no two sides
TURN = {"turn", "turn_number", "turn_index"}


def find_votes(roles: Roles) -> dict[str, Any] | None:
    """Two columns of responses whose names tell sides apart, and the column that says which side won."""
    columns = surest_sides(roles)
    for a, b in BOTH:
        for name, column in columns.items():
            other = swap_word(name, a, b, columns)
            if other is None or columns[other].kind != column.kind:
                continue
            if column.kind == "text" and max(column.length, columns[other].length) < 2:
                continue
            won = find_winner(roles, {name, other}, a, b)
            if won is None and (_has_third(name, a, columns) or not _find_ratings_of_sides(roles, a, b)):
                continue
            winner = (won or {}).get("winner", {})
            roles.taken.update((name, other, *([winner] if isinstance(winner, str) else winner.values())))
            layout = {"kind": "votes", "a": name, "b": other, **(won or {})} | _find_writers(roles, name, a, b)
            if ratings := _find_ratings_of_sides(roles, a, b):
                roles.taken.update(one for both in ratings.values() for one in both.values())
                layout["ratings"] = ratings
            if won is None:
                layout["order_by"] = surest_rating(list(ratings))
                roles.notes["order_by"] = "guessed: no column says which side won, so the one that is rated higher did"
            return layout | _find_turn(roles, column)
    return None


def _has_third(name: str, a: str, columns: Mapping[str, Column]) -> bool:
    """Whether there is a third column of the kind, which two sides have not."""
    return any(swap_word(name, a, third, columns) is not None for third in THIRD.get(a, ()))


def _find_turn(roles: Roles, side: Column) -> dict[str, str]:
    """The column that says which turn of conversations a vote is on."""
    turns = [one for one in roles.free("number") if one.name.lower() in TURN and _ends_earlier(one, side)]
    if not turns:
        return {}
    roles.taken.add(turns[0].name)
    roles.notes["turn"] = "guessed: the number of the assistant's turn that the vote is on; conversations end there"
    return {"turn": turns[0].name}


def _ends_earlier(turns: Column, side: Column) -> bool:
    """Whether some conversations go on after the turn that a column has the number of."""
    both = [(turn, said) for turn, said in zip(turns.values, side.values, strict=True) if turn and are_messages(said)]
    return any(float(turn) < len(said) // 2 for turn, said in both)


def _find_writers(roles: Roles, side: str, a: str, b: str) -> dict[str, Any]:
    for one in roles.free("text"):
        swapped = swap_word(one.name, a, b, roles.look.columns)
        if swapped is not None and names_writer(one.name, side):
            roles.taken.update((one.name, swapped))
            return {"model_a": one.name, "model_b": swapped}
    return {}


def _find_ratings_of_sides(roles: Roles, a: str, b: str) -> dict[str, dict[str, str]]:
    """A number of each side that rates it."""
    found = {}
    for one in roles.free("number"):
        other = swap_word(one.name, a, b, roles.look.columns)
        if other is None or rate_name(one.name, "score") is None or roles.look.columns[other].kind != "number":
            continue
        words = [word for word in split_name(one.name) if word != a]
        found[column_name(" ".join(words), "score")] = {"a": one.name, "b": other}
    return found


def find_choice(roles: Roles) -> dict[str, Any] | None:
    """A list of two responses in each row, and the number of the better one."""
    choices = [one for one in roles.free("number", "truth") if is_winner(one.name) and one.distinct == 2]
    for column in roles.look.of_kind("structs", "samples"):
        inner = Roles(column.look_within())
        texts = inner.find("completion", ("text", "messages", "message"))
        if not (texts and choices) or any(len(one) != 2 for one in column.given):
            continue
        models = inner.find("model")
        words = read_words(choices[0], "0", "1")
        first, second = (f"{column.name}.{number}" for number in range(2))
        roles.taken.update((column.name, choices[0].name))
        roles.notes["winner"] = "guessed: which word says which, of those that the file has"
        layout = {"kind": "votes", "a": f"{first}.{texts[0].name}", "b": f"{second}.{texts[0].name}"}
        layout |= {"model_a": f"{first}.{models[0].name}", "model_b": f"{second}.{models[0].name}"} if models else {}
        return layout | {"winner": choices[0].name, "words": {side: words[side] for side in ("a", "b")}}
    return None
