"""Lists of responses in each row, with the rank or the ratings of each."""

from collections.abc import Iterator, Mapping
from typing import Any

from curation.exchange.guess import Roles
from curation.exchange.looking import Column
from curation.exchange.rating_columns import find_ratings, rating_name
from curation.exchange.words import names_model, rate_name, split_name


def find_list(roles: Roles) -> dict[str, Any] | None:
    """A list of responses in each row, with ranks or ratings of each; or lists side by side."""
    for column in roles.look.of_kind("structs", "samples"):
        inner = Roles(column.look_within())
        texts = inner.find("completion", ("text", "messages", "message")) or inner.find("answer", ("text",))
        ranks = [one for one in inner.free("number") if "rank" in split_name(one.name)]
        ratings = dict(_ratings_of(inner))
        if not texts or not (ranks or ratings) or any(one.nulls == len(one.values) for one in texts[:1]):
            continue
        roles.taken.add(column.name)
        models = inner.find("model")
        layout: dict[str, Any] = {"each": column.name, "text": texts[0].name}
        layout |= {"model": models[0].name} if models else {}
        if ranks:
            return {"kind": "ranked"} | layout | {"rank": ranks[0].name, "rating": "rank"}
        return {"kind": "responses"} | layout | {"ratings": ratings} | _rationales(inner.look.columns, ratings)
    return _find_parallel(roles)


def _ratings_of(inner: Roles) -> Iterator[tuple[str, str]]:
    """The ratings of a response in a list, also those that are texts of numbers but for a few."""
    named = find_ratings(inner)
    yield from ((name, one.name) for name, one in named.items())
    for column in inner.free("number", "text"):
        if not column.name.lower().endswith(".rating"):  # of an object for each aspect, as UltraFeedback has them
            continue
        if len(column.numbers) < max(1, len(column.given) // 2):
            continue
        yield rating_name(column.name), column.name


def _rationales(fields: Mapping[str, Column], ratings: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, path in ratings.items():
        beside = f"{path.rpartition('.')[0]}.Rationale"
        if "." in path and beside in fields and fields[beside].kind == "text":
            found[name] = beside
    return {"rationales": found} if found else {}


def _find_parallel(roles: Roles) -> dict[str, Any] | None:
    texts = [one for one in roles.look.of_kind("texts") if rate_name(one.name, "answer") is None or
             rate_name(one.name, "completion") is not None]  # fmt: skip
    for column in texts:
        beside = [one for one in roles.look.of_kind("numbers") if _stands_beside(one, column)]
        ranks = [one for one in beside if "rank" in split_name(one.name) or "ranks" in split_name(one.name)]
        models = [one for one in roles.look.of_kind("texts") if one is not column and _names_models(one, column)]
        if not beside or max(map(len, column.given), default=0) < 2:
            continue
        roles.taken.update(one.name for one in (column, *beside, *models))
        layout: dict[str, Any] = {"text": column.name} | ({"model": models[0].name} if models else {})
        if ranks:
            return {"kind": "ranked"} | layout | {"rank": ranks[0].name, "rating": "rank"}
        ratings = {rating_name(one.name): one.name for one in beside}
        reasons = [one for one in roles.free("texts") if "rationales" in split_name(one.name)]
        of_one = {"rationales": {next(iter(ratings)): reasons[0].name}} if reasons and len(ratings) == 1 else {}
        return {"kind": "responses"} | layout | {"ratings": ratings} | of_one
    return None


def _stands_beside(column: Column, other: Column) -> bool:
    """Whether lists are as long as those of another column, where both have one."""
    both = [(one, two) for one, two in zip(column.values, other.values, strict=True) if one is not None and two]
    return bool(both) and all(len(one) == len(two) for one, two in both)


def _names_models(column: Column, other: Column) -> bool:
    return names_model(column.name) and _stands_beside(column, other)
