"""Which columns may be the sides of a preference, and who wrote them."""

from curation.exchange.guess import Roles
from curation.exchange.looking import Column
from curation.exchange.values import SEEN
from curation.exchange.words import names_model, rate_name, split_name

WRITERS = ("source", "by", "author")  # after the name of a side: who wrote it


def surest_sides(roles: Roles) -> dict[str, Column]:
    """The columns that may be sides by their names: conversations first, then what is called a completion, then the
    longest texts; an id, a hash or a model of each side stands beside the side itself."""
    sides = [one for one in roles.look.of_kind("text") if not _only_names_model(one.name)]
    sides.sort(key=lambda one: (rate_name(one.name, "completion") is None, _are_words(one), -one.length))
    return {one.name: one for one in [*roles.look.of_kind("messages", "message"), *sides]}


def _are_words(column: Column) -> bool:
    """Whether texts have no blanks, as ids, hashes and names have none."""
    return not any(" " in text for text in column.given[:SEEN] if isinstance(text, str))


def names_writer(name: str, side: str) -> bool:
    """Whether a column says who wrote the side: by the word for a model, or as `response_0_source` beside
    `response_0`."""
    words, of_side = split_name(name), split_name(side)
    return names_model(name) or (words[:-1] == of_side and words[-1] in WRITERS)


def _only_names_model(name: str) -> bool:
    return names_model(name) and rate_name(name, "completion") is None
