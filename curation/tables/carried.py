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


def read_carried(carried: pl.Series, name: str) -> pl.Series:
    """What rows carry of the column `name`, as text: null where they carry none, a whole number alike however the file
    writes it, 3 and 3.0, true and false as such, and lists and objects as JSON."""
    distinct = carried.drop_nulls().unique()
    values = [_as_text(json.loads(row).get(name)) for row in distinct]
    known = pl.DataFrame({"carried": distinct, "value": pl.Series(values, dtype=pl.String)})
    return carried.to_frame("carried").join(known, on="carried", how="left", maintain_order="left")["value"]


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else canonical(value)


def _keys_alike(one: dict[str, object], other: dict[str, object]) -> str | None:
    # as JSON, since 1 and true are equal to Python
    alike = {key: value for key, value in one.items() if key in other and canonical(value) == canonical(other[key])}
    return canonical(alike) if alike else None
