"""A better and a worse response in each row, as their names say."""

from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.layouts.sides import names_writer, surest_sides
from curation.exchange.words import column_name, split_name, swap_word

BETTER = {  # what the better of two is called, and the worse
    "chosen": "rejected", "preferred": "dispreferred", "accepted": "rejected", "winner": "loser", "better": "worse",
    "positive": "negative", "pos": "neg", "good": "bad", "win": "lose", "won": "lost", "wins": "loses", "best": "worst",
}  # fmt: skip


def find_pair(roles: Roles) -> dict[str, Any] | None:
    """Two columns of responses whose names differ in the words for better and worse, and what stands beside each."""
    columns = surest_sides(roles)
    columns |= {one.name: one for one in roles.look.of_kind("texts")}  # several of each
    for better, worse in BETTER.items():
        for name, column in sorted(columns.items(), key=lambda entry: entry[0] != better):
            other = swap_word(name, better, worse, columns)
            if other is None or columns[other].kind != column.kind:
                continue
            roles.taken.update((name, other))
            layout: dict[str, Any] = {"kind": "pair", "chosen": name, "rejected": other}
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
