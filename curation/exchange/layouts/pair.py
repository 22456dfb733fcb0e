"""A better and a worse response in each row, as their names say."""

from collections.abc import Mapping
from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.layouts.sides import names_writer, surest_sides
from curation.exchange.looking import Column
from curation.exchange.values import SEEN
from curation.exchange.words import column_name, split_name, swap_word

BETTER = {  # what the better of two is called, and the worse
    "chosen": "rejected", "preferred": "dispreferred", "accepted": "rejected", "winner": "loser", "better": "worse",
    "positive": "negative", "pos": "neg", "good": "bad", "win": "lose", "won": "lost", "wins": "loses", "best": "worst",
    "preferred_output": "non_preferred_output", "messages": "rejected_messages",
}  # fmt: skip
BEFORE = {"initial", "prefix", "previous", "partial", "prior", "preceding"}  # what was said before the sides


def find_pair(roles: Roles) -> dict[str, Any] | None:
    """Two columns of responses whose names differ in the words for better and worse, and what stands beside each."""
    columns = surest_sides(roles)
    columns |= {one.name: one for one in roles.look.of_kind("texts")}  # several of each
    for better, worse in BETTER.items():
        for name, column in sorted(columns.items(), key=lambda entry: entry[0] != better):
            other = swap_word(name, better, worse, columns)
            if other is None or columns[other].kind != column.kind:
                continue
            name, other = _find_whole(columns, (name, other), (better, worse))
            layout: dict[str, Any] = {"kind": "pair", "chosen": name, "rejected": other}
            roles.taken.update((name, other))
            if (prefix := _find_prefix(roles, columns[name])) is not None:
                roles.taken.add(prefix)
                layout["prefix"] = prefix
                roles.notes["prefix"] = "guessed: both sides go on from it, so that it begins either response"
            beside = {
                one.name: swapped
                for one in roles.free("text", "number")
                if (swapped := swap_word(one.name, better, worse, roles.look.columns)) is not None
            }
            ratings = {}
            for chosen, rejected in beside.items():
                roles.taken.update((chosen, rejected))
                if roles.look.columns[chosen].kind == "number":
                    words = [word for word in split_name(chosen) if word not in (better, worse)]
                    ratings[column_name(" ".join(words), "score")] = {"chosen": chosen, "rejected": rejected}
                elif names_writer(chosen, name):
                    layout |= {"chosen_model": chosen, "rejected_model": rejected}
            return layout | ({"ratings": ratings} if ratings else {})
    return None


def _find_whole(columns: Mapping[str, Column], sides: tuple[str, str], words: tuple[str, str]) -> tuple[str, str]:
    """The sides, or the columns that have all of what these say and more: `full_chosen` beside the step `chosen`."""
    for name, column in columns.items():
        other = swap_word(name, *words, columns)
        if other is not None and name != sides[0] and column.kind == columns[sides[0]].kind == "text":
            both = ((columns[sides[0]], column), (columns[sides[1]], columns[other]))
            if all(_is_part(part, whole) for part, whole in both) and column.length > columns[sides[0]].length:
                return name, other
    return sides


def _is_part(part: Column, whole: Column) -> bool:
    """Whether what one column says is in what the other does, in every row."""
    both = [(one, two) for one, two in zip(part.values, whole.values, strict=True) if one and two][:SEEN]
    return bool(both) and all(one.strip() in two for one, two in both)


def _find_prefix(roles: Roles, side: Column) -> str | None:
    """The column of what a model had said before the sides, if no side begins with it."""
    found = [one for one in roles.free("text") if BEFORE & set(split_name(one.name)) and " " in str(one.given[:1])]
    for one in found:
        both = [(before, said) for before, said in zip(one.values, side.values, strict=True) if before and said]
        if side.kind == "text" and both and not any(said.startswith(before.strip()) for before, said in both):
            return one.name
    return None
