"""Tables on disk, held to their contracts on read and on write.

The same rows give the same bytes: sorted by key, floats rounded, one canonical Arrow schema, fixed compression and row
groups. A table appears whole or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError, Errors, partial_of, refused_writes
from curation.core.messages import first_names
from curation.tables.contracts import DATA, DECIMALS, empty, path
from curation.tables.outdated import refuse_renamed, refuse_renamed_values
from curation.tables.table import Table

ROW_GROUP = 131_072
REMAKE = "; run `dvc repro` to make it again"  # as a table of an earlier version has other columns
MOST_NAMED = 5  # rows or files in a message


def check(
    table: Table, frame: pl.DataFrame, origin: Path | str, columns: Iterable[str] | None = None, way_out: str = ""
) -> bool:
    """Whether the rows are in the order of their key, if every row keeps the contract, or as much of it as is about
    `columns`. A message about a column ends in the `way_out`.

    Raises Errors, one line per broken rule, naming its first rows.
    """
    names = table.schema.names if columns is None else list(columns)
    missing = [name for name in names if name not in frame.columns]
    extra = [name for name in frame.columns if name not in names]
    if missing or extra:
        raise Errors([f"{origin}: column {n}: missing from {table.name}{way_out}" for n in missing]
                     + [f"{origin}: column {n}: not a column of {table.name}{way_out}" for n in extra])  # fmt: skip
    lines = []
    for name in names:
        if not table.schema.field(name).nullable and frame[name].null_count():
            lines += _find_violations(table, frame.filter(pl.col(name).is_null()), f"{name} is null", origin)
    if not lines:
        rules = {rule: holds for rule, holds in table.rules.items() if set(holds.meta.root_names()) <= set(names)}
        sound = frame.select(holds.all().alias(rule) for rule, holds in rules.items())
        for rule, holds in rules.items():
            if not sound[rule].item():
                lines += _find_violations(table, frame.filter(holds.not_()), f"not so: {rule}", origin)
    if lines:
        refuse_renamed_values(frame, origin)
        raise Errors(lines)
    return set(table.key) <= set(names) and check_key(table, frame, origin)


def check_key(table: Table, frame: pl.DataFrame, origin: Path | str) -> bool:
    """Whether the rows are in the order of their key, if it is unique. Raises Errors naming the first rows that
    share theirs."""
    ordered = in_order(table, frame)
    if not ordered and frame.select(table.key).is_duplicated().any():
        twice = frame.filter(pl.struct(table.key).is_duplicated())
        raise Errors(_find_violations(table, twice, f"not one row per {table.grain}", origin))
    return ordered


def in_order(table: Table, frame: pl.DataFrame) -> bool:
    """Whether each row's key is above the one before, so that the rows are sorted and no key comes twice."""
    above, same = pl.lit(False), pl.lit(True)
    for name in table.key:
        above = above | (same & (pl.col(name) > pl.col(name).shift()))
        same = same & (pl.col(name) == pl.col(name).shift())
    return bool(frame.select(above.slice(1).all()).item())


def _find_violations(table: Table, rows: pl.DataFrame, what: str, origin: Path | str) -> list[str]:
    if rows.is_empty():
        return []
    key = [name for name in table.key if name in rows.columns]
    named = ["/".join(str(value) for value in row) for row in rows.select(key).head(MOST_NAMED).rows()]
    more = ", …" if rows.height > MOST_NAMED else ""
    return [
        f"{origin}: {what}: {rows.height} row(s)" + (f", {'/'.join(key)} = {', '.join(named)}{more}" if key else "")
    ]


def write(table: Table, frame: pl.DataFrame, file: Path) -> None:
    """`file` holds the rows of `frame`, in canonical bytes. Raises Errors and leaves `file` as it was if they
    break the contract."""
    frame = frame if check(table, frame, file) else frame.sort(table.key)
    with writing(table, file) as rows:
        for part in frame.iter_slices(ROW_GROUP):
            rows.append(part, checked=True)


@contextmanager
def writing(table: Table, file: Path) -> Iterator["Rows"]:
    """What appends to `file`, for tables that are made in parts: it appears when all are there, or stays as it was.
    Raises CurationError if it cannot be written."""
    rows = Rows(table, file)
    try:
        yield rows
        rows.close()
        with refused_writes(file):
            rows.partial.replace(file)
    finally:
        rows.abandon()


class Rows:
    """The rows of a table on their way to its file, a row group for each `append`."""

    def __init__(self, table: Table, file: Path) -> None:
        self.table, self.file, self.partial = table, file, partial_of(file)
        self.writer: pq.ParquetWriter | None = None
        self.last: pl.DataFrame | None = None

    def append(self, part: pl.DataFrame, checked: bool = False) -> None:
        """One more row group. Raises Errors if a row breaks the contract or its key is not above the last one's."""
        if not checked:
            ordered = check(self.table, part, self.file)
            ends = part.head(1) if self.last is None else pl.concat([self.last, part.select(self.table.key).head(1)])
            if not ordered or not in_order(self.table, ends):
                raise CurationError(f"{self.file}: its parts do not come in the order of {', '.join(self.table.key)}")
            self.last = part.select(self.table.key).tail(1)
        arrow = canonical(self.table, part, self.file)
        if self.writer is None:
            self.writer = self._open(part)
        with refused_writes(self.file):
            self.writer.write_table(arrow)

    def _open(self, part: pl.DataFrame) -> pq.ParquetWriter:
        """Numbers that hardly repeat, hashes and means, get smaller neither by a dictionary nor by compression,
        which cost as much as all the rest."""
        flat = [name for name, dtype in part.schema.items() if not dtype.is_nested()]
        repeated = [name for name in flat if part[name].n_unique() * 4 <= max(part.height, 64)]
        packed = {
            name: "none" if part.schema[name].is_numeric() and name not in repeated else "zstd" for name in part.columns
        }
        with refused_writes(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            return pq.ParquetWriter(
                self.partial, self.table.schema, compression=packed, use_dictionary=repeated, store_schema=True
            )

    def close(self) -> None:
        """End the file, which has the table's schema even if nothing was appended."""
        if self.writer is None:
            self.writer = self._open(empty(self.table))
        with refused_writes(self.file):
            self.writer.close()

    def abandon(self) -> None:
        """Leave nothing behind of what is not in its place."""
        with suppress(OSError):  # to close it is to write its end
            if self.writer is not None:
                self.writer.close()
        with suppress(OSError):
            self.partial.unlink(missing_ok=True)


def canonical(table: Table, part: pl.DataFrame, origin: Path) -> pa.Table:
    """`part` in the table's own Arrow schema, its floats rounded. Raises CurationError if it does not fit."""
    rounded = pl.col(pl.Float64).round(DECIMALS)
    # -0.0 has other bytes, and Polars leaves out a `+ 0.0`.
    positive = pl.when(rounded == 0).then(0.0).otherwise(rounded).name.keep()
    try:
        frame = part.select(table.schema.names).with_columns(positive).rechunk()
        columns = (  # one by one, so that of the texts of one column only there is a second copy
            frame[field.name].to_arrow(compat_level=pl.CompatLevel.oldest()).cast(field.type) for field in table.schema
        )
        return pa.Table.from_arrays(list(columns), schema=table.schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        raise CurationError(f"{origin}: does not fit {table.name}: {error}") from None


def read(table: Table, file: Path, columns: Iterable[str] | None = None) -> pl.DataFrame:
    """The rows of `file`, or only `columns` of them. Raises CurationError if it is absent, not Parquet, or what was
    read breaks the contract."""
    if not file.exists():
        raise CurationError(f"{file}: no such table; `dvc repro` makes it")
    names = None if columns is None else [name for name in table.schema.names if name in set(columns)]
    try:
        refuse_renamed(table.name, file)
        types = {column.name: column.type for column in pq.read_schema(file)}
        fields = [column for column in table.schema if column.name in types and column.name in (names or types)]
        if wrong := [column for column in fields if types[column.name] != column.type]:
            raise Errors([f"{file}: column {c.name}: {types[c.name]}, not {c.type}{REMAKE}" for c in wrong])
        present = [name for name in types if names is None or name in names]
        # Polars reads text several times as fast as pyarrow.
        frame = pl.read_parquet(file, columns=present, glob=False).select(present).rechunk()
    except (pa.ArrowInvalid, pl.exceptions.PolarsError, OSError) as error:
        raise CurationError(f"{file}: not a Parquet file: {str(error).splitlines()[0]}") from None
    check(table, frame, file, names, REMAKE)
    return frame


def read_parts(
    table: Table, names: Iterable[str], columns: Sequence[str] | None = None, data: Path = DATA
) -> pl.DataFrame:
    """All parts of a table, in the order of `names`. Raises CurationError on a file that `names` does not declare."""
    declared = list(names)
    refuse_orphans(table, declared, data)
    parts = [read(table, path(table.name, name, data), columns) for name in declared]
    if not parts:
        return empty(table) if columns is None else empty(table).select(columns)
    whole = pl.concat(parts)
    if set(table.key) <= set(whole.columns):
        check_key(table, whole, data / table.name)
    return whole


def pick(table: Table, files: list[Path], ids: pl.Series, columns: Sequence[str]) -> pl.DataFrame:
    """`columns` of the rows of `files` whose `ids.name` is one of `ids`; of the others no text is read. Raises as
    `read` does."""
    if absent := [file for file in files if not file.exists()]:
        raise CurationError(f"{absent[0]}: no such table; `dvc repro` makes it")
    try:
        own = pl.col(ids.name)
        near = own.is_between(pl.lit(ids.min()), pl.lit(ids.max()))  # by which row groups are left out whole
        rows = pl.scan_parquet(files, glob=False).filter(near & own.is_in(ids.implode())).select(columns)
        frame = rows.collect()
    except pl.exceptions.PolarsError as error:
        raise CurationError(
            f"{files[0].parent}: {table.name} cannot be read, delete it and `dvc repro` makes it again: "
            f"{str(error).splitlines()[0]}"
        ) from None
    check(table, frame, files[0].parent, columns)
    return frame


def refuse_orphans(table: Table, declared: Iterable[str], data: Path = DATA) -> None:
    """Nothing. Raises CurationError if the table has a part that `declared` does not name: a deleted judge's file is
    no judgment."""
    folder = data / table.name
    orphans = sorted(file for file in folder.glob("*.parquet") if file.stem not in set(declared))
    if orphans:
        names = first_names((f"'{file.stem}'" for file in orphans), MOST_NAMED)
        raise CurationError(
            f"{folder}: params.yaml declares no {names}; declare it, or delete its file: curation orphans --delete; "
            "another study's tables are moved away by curation aside"
        )
