"""Which of our pairs a row of a user's file is about: that of its id, or all of the two traces that it names."""

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import show_value
from curation.core.text import one_line
from curation.judging.find_traces import describe_key, find_traces
from curation.judging.pairwise_judges._kind import Compared
from curation.tables.user_ratings import KEEP_TEXT, SAME_TEXT, find_other_text, refuse_unmatched
from curation.tables.user_table import UserTable

if TYPE_CHECKING:
    from curation.judging.pairwise_judges.imported import Params


TEXTS = {  # a row's columns of texts beside its pair_id: of which of its sides, and which text
    "chosen": ("first", "completion"),
    "rejected": ("second", "completion"),
    "chosen_reasoning": ("first", "reasoning"),
    "rejected_reasoning": ("second", "reasoning"),
}


class FoundPairs(NamedTuple):
    """What the rows are about. `about`: row, the traces `first` and `second` that its sides are, and `own`, the pair_id
    where it names that and not its traces. `pairs`: for each of these that is a pair its pair_id, and `turn`, 1 where
    first is chosen and -1 where it is rejected."""

    about: pl.DataFrame
    pairs: pl.DataFrame


def find_pairs(settings: "Params", table: UserTable, given: pl.DataFrame, compared: Compared) -> FoundPairs:
    """The pairs that the rows of `given` are about, whose columns params name.

    Raises CurationError on rows about no pair, if those are not to be dropped or there are no others, on one that is
    about several, and on one with another text than its trace.
    """
    chosen, rejected = pl.col("chosen_trace_id"), pl.col("rejected_trace_id")
    either = pl.concat(
        [
            compared.pairs.select("pair_id", first.alias("first"), second.alias("second"), pl.lit(turn).alias("turn"))
            for first, second, turn in ((chosen, rejected, 1), (rejected, chosen, -1))
        ]
    )
    find = _find_by_id if settings.pair_id is not None else _find_two
    about = find(settings, table, given, compared)
    of_pairs = about.join(either, on=["first", "second"], maintain_order="left")
    of_pairs = of_pairs.filter(pl.col("own").is_null() | (pl.col("own") == pl.col("pair_id")))
    lost = given.join(of_pairs, on="row", how="anti", maintain_order="left")
    if lost.height:
        by_id = settings.a is None or settings.a.trace_id is not None
        first, way_out, what = _describe(settings, lost), KEEP_TEXT if by_id else SAME_TEXT, "pair of unequal texts"
        refuse_unmatched(lost.height, given.height, first, table, settings.unmatched, what, way_out)
    about = about.join(of_pairs, on=about.columns, how="semi", nulls_equal=True, maintain_order="left")
    return FoundPairs(about, of_pairs.select("first", "second", "own", "pair_id", "turn").unique(maintain_order=True))


def _find_by_id(settings: "Params", table: UserTable, given: pl.DataFrame, compared: Compared) -> pl.DataFrame:
    """What each row is about by its pair_id: ours, or the user's own of a comparison in a preference set."""
    traces = [pl.col("chosen_trace_id").alias("first"), pl.col("rejected_trace_id").alias("second")]
    ours = compared.pairs.select(
        pl.col("pair_id").cast(pl.String).alias("key"), pl.col("pair_id").alias("own"), *traces
    )
    own = compared.listed.select(pl.col("external_id").alias("key"), pl.lit(None, pl.Int64).alias("own"), *traces)
    known = pl.concat([ours, own.drop_nulls("key").unique(maintain_order=True)])
    rows = given.join(known, left_on="pair_id", right_on="key", maintain_order="left")
    several = rows.filter(pl.col("row").is_duplicated())
    if several.height:
        row, key = several.select("row", "pair_id").row(0)
        raise CurationError(
            one_line(
                f"{table.at(row)}: {settings.pair_id} {show_value(key)} is the id of "
                f"{several.filter(row=row).height} comparisons; name the columns of both traces as a and b"
            )
        )
    others = _find_other_texts(settings, table, rows, compared.traces)
    return rows.filter(~pl.col("row").is_in(others.implode())).select("row", "first", "second", "own")


def _find_other_texts(settings: "Params", table: UserTable, rows: pl.DataFrame, traces: pl.DataFrame) -> pl.Series:
    """The rows of which a text is not that of its trace. Raises CurationError if they are not to be dropped."""
    found = rows["row"].clear()
    for name, (side, text) in TEXTS.items():
        if column := getattr(settings, name):
            ours = traces.select(pl.col("trace_id").alias(side), pl.col(text).fill_null("").alias("ours"))
            both = rows.join(ours, on=side, maintain_order="left")
            texts = both.select("row", "pair_id", name, "ours")
            found = found.append(find_other_text(table, column, texts, settings.unmatched))
    return found


def _find_two(settings: "Params", table: UserTable, given: pl.DataFrame, compared: Compared) -> pl.DataFrame:
    """What each row is about by the traces that it names."""
    found = []
    for side, name in (("a", "first"), ("b", "second")):
        columns = getattr(settings, side)
        keys = given.select("row", *(pl.col(f"{side}.{ours}").alias(ours) for ours in columns.named()))
        mine = find_traces(columns, keys, compared.traces, compared.prompts, table, settings.unmatched)
        found.append(mine.rename({"trace_id": name}))
    rows = found[0].join(found[1], on="row", maintain_order="left_right")
    return rows.with_columns(pl.lit(None, pl.Int64).alias("own"))


def _describe(settings: "Params", lost: pl.DataFrame) -> str:
    """What the first of the lost rows says of the pair that it is about."""
    if settings.pair_id is not None:
        return f"{settings.pair_id} {show_value(lost['pair_id'][0])}"
    named = [
        describe_key(columns, lost.select(pl.col(f"{side}.{ours}").alias(ours) for ours in columns.named()))
        for side in ("a", "b")
        if (columns := getattr(settings, side))
    ]
    return " and ".join(dict.fromkeys(named))
