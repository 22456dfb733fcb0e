"""The first thing that two tables differ in."""

from pathlib import Path

import polars as pl

from curation.core.text import clip, one_line, say_count

LONGEST, BEFORE = 60, 12  # letters of a value in a message, and of these before it differs


def find_difference(ours: Path, rebuilt: Path, place: str, key: tuple[str, ...]) -> str | None:
    """What a table of a release has otherwise than the same one made again: a column, a row, or a value, the first of
    them; None where all rows are the same."""
    here, there = pl.read_parquet(ours, glob=False), pl.read_parquet(rebuilt, glob=False)
    if here.schema != there.schema:
        names = [name for name in {**here.schema, **there.schema} if here.schema.get(name) != there.schema.get(name)]
        types = [str(frame.schema.get(names[0], "no such column")) for frame in (here, there)]
        return f"{place}: column {one_line(names[0])}: {types[0]} here, {types[1]} when rebuilt"
    keys = list(key)
    for row in range(min(here.height, there.height)):
        if here.row(row) != there.row(row):
            return _name_difference(here, there, row, place, keys)
    if here.height != there.height:
        longer, where = (here, "here") if here.height > there.height else (there, "when rebuilt")
        row = min(here.height, there.height)
        sizes = f"{say_count(here.height, 'row')} here, {there.height} when rebuilt"
        return f"{place}: {sizes}; row {row} ({_name(longer, row, keys)}) is there only {where}"
    return None


def _name_difference(here: pl.DataFrame, there: pl.DataFrame, row: int, place: str, keys: list[str]) -> str:
    if here.select(keys).row(row) != there.select(keys).row(row):
        return f"{place}: row {row}: is {_name(here, row, keys)} here, {_name(there, row, keys)} when rebuilt"
    rows = zip(here.columns, here.row(row), there.row(row), strict=True)
    column, *both = next((name, one, other) for name, one, other in rows if one != other)
    values = _show(*both)
    named = _name(here, row, keys)
    return f"{place}: row {row} ({named}), column {column}: {values[0]} here, {values[1]} when rebuilt"


def _name(rows: pl.DataFrame, row: int, keys: list[str]) -> str:
    values = zip(keys, rows.select(keys).row(row), strict=True)
    return ", ".join(f"{name} {one_line(str(value))}" for name, value in values)


def _show(*both: object) -> list[str]:
    """Two values, of long ones from a little before they differ."""
    texts = [repr(value) for value in both]
    same = next((at for at, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    start = max(0, same - BEFORE) if max(map(len, texts)) > LONGEST else 0
    return [("…" if start else "") + clip(one_line(text[start:]), LONGEST) for text in texts]
