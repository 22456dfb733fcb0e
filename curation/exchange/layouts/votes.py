"""Two responses in each row, and a column that says which one won."""

from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.layouts.sides import names_writer, surest_sides
from curation.exchange.layouts.winners import find_winner, is_winner, read_words
from curation.exchange.words import column_name, rate_name, split_name, swap_word

BOTH = (("a", "b"), ("1", "2"), ("0", "1"), ("left", "right"), ("one", "two"), ("first", "second"), ("x", "y"))


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
            if won is None:
                continue
            winner = won["winner"]
            roles.taken.update((name, other, *([winner] if isinstance(winner, str) else winner.values())))
            layout = {"kind": "votes", "a": name, "b": other, **won} | _find_writers(roles, name, a, b)
            if ratings := _find_ratings_of_sides(roles, a, b):
                layout["ratings"] = ratings
            return layout
    return None


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
        roles.taken.update((one.name, other))
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
