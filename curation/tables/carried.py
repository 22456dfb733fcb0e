"""The columns of a user's own rows that travel with responses and pairs: `carried`, the JSON of an object, or null."""

import json

import polars as pl

from curation.core.canonical import canonical

OF_ROW = ("external_id", "carried")  # what a row is called, and what its own columns say


def say_alike(sides: pl.DataFrame, names: tuple[str, str]) -> pl.Series:
    """What the columns `carried` of two rows, called `names` in `sides`, have in common: the keys of equal values, as
    JSON; null where there is none."""
    one, other = names
    differing = sides.select(one, other).filter(pl.col(one) != pl.col(other)).unique()
    alike = [_keys_alike(*map(json.loads, row)) for row in differing.iter_rows()]
    known = differing.with_columns(pl.Series("alike", alike, pl.String))
    found = sides.select(one, other).join(known, on=names, how="left", maintain_order="left")
    return found.select(pl.when(pl.col(one) == pl.col(other)).then(one).otherwise("alike")).to_series()


def _keys_alike(one: dict[str, object], other: dict[str, object]) -> str | None:
    # as JSON, since 1 and true are equal to Python
    alike = {key: value for key, value in one.items() if key in other and canonical(value) == canonical(other[key])}
    return canonical(alike) if alike else None
