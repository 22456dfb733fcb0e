"""Selections again from the tables that `select` wrote: what is counted and ranked is what it counted and ranked."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.errors import CurationError, require_existing
from curation.selection.candidates import Candidates
from curation.selection.filters import divide_budget
from curation.selection.ranking import Ranker
from curation.selection.rules import (
    GENERATOR_SHARE,
    KEPT,
    OUTSIDE,
    OVER_BUDGET,
    UNSCORED,
    Params,
)
from curation.selection.select import Selection, Worth, find_worth, key_of, number_strata
from curation.selection.verdicts import UNDECIDED, Verdicts
from curation.tables import contracts

STALE = "is stale: its pair_ids differ from pairs.parquet; run `dvc repro`"


def restore(name: str, settings: Params, pairs: Candidates, verdicts: pl.DataFrame) -> Selection:
    """What `select` made, from the pair_id, reason and margin of the rows of `selections` that it wrote: nothing is
    decided again. Raises CurationError if they are of other pairs, or for reasons that the settings do not have."""
    file = f"selections/{name}.parquet"
    if not verdicts["pair_id"].equals(pairs.column("pair_id")):
        raise CurationError(f"{file} {STALE}")
    return _restore(name, settings, pairs, _numbers(file, name, settings, verdicts), verdicts["margin"])


def restore_file(name: str, settings: Params, pairs: Candidates, data: Path = contracts.DATA) -> Selection:
    """The same from the table on disk. Of ten million ids it reads the first and the last of each row group alone, as
    the files of `selections` and `pairs` say them; others have other ends."""
    file, of_pairs = contracts.path("selections", name, data), contracts.path("pairs", data=data)
    if not file.exists():
        raise CurationError(absent(name))
    try:
        if list_ids(file) != list_ids(of_pairs):
            raise CurationError(f"{file} {STALE}")
        reason = pl.col("reason").cast(pl.Enum(settings.reasons), strict=False)
        read = pl.scan_parquet(file, glob=False).select(reason, "margin").collect()
        if read["reason"].null_count():
            read = pl.read_parquet(file, columns=["reason", "margin"], glob=False)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        what = str(error).splitlines()[0]
        raise CurationError(f"{file}: cannot be read, delete it and `dvc repro` makes it again: {what}") from None
    return _restore(name, settings, pairs, _numbers(str(file), name, settings, read), read["margin"])


def absent(name: str) -> str:
    """That a selection has no table, and what makes it."""
    return f"there is no table of it yet; `dvc repro select@{name}` makes it"


def divide_again(selection: Selection, settings: Params) -> Selection:
    """The selection with the budget of these settings, which differ in nothing else: what the budget came to is
    divided anew."""
    numbers, order = selection.verdicts["reason"].to_physical().to_numpy(), selection.settings.reasons
    verdicts = Verdicts(settings.reasons, len(numbers))
    verdicts.numbers = np.array([settings.reasons.index(reason) for reason in order], np.uint8)[numbers]
    came = verdicts.numbers >= settings.reasons.index(GENERATOR_SHARE)
    verdicts.numbers[came], verdicts.left = UNDECIDED, np.flatnonzero(came)
    again = selection._replace(settings=settings)
    division = divide_budget(again.ranked, verdicts.left)
    verdicts.give(GENERATOR_SHARE, division.over_share)
    verdicts.give(OVER_BUDGET, division.over_budget)
    verdicts.give(KEPT, verdicts.left)
    reason = pl.Series("reason", verdicts.numbers).cat.to(pl.Enum(settings.reasons))
    return again._replace(verdicts=selection.verdicts.with_columns(reason, (reason == KEPT).alias("kept")))


def list_ids(file: Path) -> list[tuple[int, object, object]]:
    """Of each row group how many rows it has, and its least and greatest pair_id; of tables whose rows are by pair_id
    and have its hashes, those that are alike in this have the same ids. Raises CurationError if it cannot be read."""
    require_existing(file, "`dvc repro` makes it")
    try:
        whole = pq.read_metadata(file)
        if (name := "pair_id") not in whole.schema.names:
            raise CurationError(f"{file}: has no column {name}; `dvc repro` makes it again")
        place = whole.schema.names.index(name)
        groups = [whole.row_group(number) for number in range(whole.num_row_groups)]
        known = [(group.num_rows, group.column(place).statistics) for group in groups if group.num_rows]
    except (pa.ArrowException, OSError) as error:
        raise CurationError(f"{file}: cannot be read, delete it and `dvc repro` makes it again: {error}") from None
    return [(rows, *((ends.min, ends.max) if ends else (None, None))) for rows, ends in known]


def _numbers(file: str, name: str, settings: Params, verdicts: pl.DataFrame) -> pl.Series:
    """The reasons as an Enum of those of the settings."""
    if unknown := sorted(set(verdicts["reason"].unique()) - set(settings.reasons)):
        raise CurationError(f"{file} is stale: {unknown[0]!r} is no reason of selections.{name} now; run `dvc repro`")
    return verdicts["reason"].cast(pl.Enum(settings.reasons))


def _restore(name: str, settings: Params, pairs: Candidates, reason: pl.Series, margins: pl.Series) -> Selection:
    place, ids = f"selections.{name}.", pairs.column("pair_id")
    ranked = np.zeros(0, np.int64)
    if settings.strata:
        ranked = np.flatnonzero(reason.to_physical().to_numpy() >= settings.reasons.index(OUTSIDE))
    worth = Worth(margins.to_numpy(), None, None)
    if "keep.target" in settings.expressions:
        worth = worth._replace(target=_find_targets(settings, pairs, reason, place))
    ranker = Ranker(ids.to_numpy(), settings.seed, key_of(settings, worth))
    rows = pl.DataFrame({"pair_id": ids, "reason": reason, "margin": margins}).select(
        pl.lit(name, pl.Enum([name])).alias("selection"),
        "pair_id",
        (pl.col("reason") == KEPT).alias("kept"),
        "reason",
        "margin",
    )
    stratum = number_strata(settings, pairs, place, ranked, [])
    return Selection(settings, pairs, rows, worth, ranker, stratum, [])


def _find_targets(settings: Params, pairs: Candidates, reason: pl.Series, place: str) -> np.ndarray:
    """What each is to be near to, as `select` found it: its windows saw also what then had no value, or repeated."""
    verdicts, numbers = Verdicts(settings.reasons, len(reason)), reason.to_physical().to_numpy()
    came = numbers >= settings.reasons.index(UNSCORED)
    verdicts.numbers[~came], verdicts.left = numbers[~came], np.flatnonzero(came)
    target = find_worth(settings, pairs, place, verdicts, []).target
    assert target is not None
    return target
