"""Verdicts that a preference set holds: which of two responses of a source of kind `pairs` is better."""

from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.references import Refers
from curation.core.study import Study
from curation.judging.pairwise_judges._kind import Compared
from curation.tables.contracts import ORDERS, PREFERENCE, SIDES
from curation.tables.preference_sets import find_set_fault
from curation.tables.user_ratings import number_repeats

TRACES = [f"{side}_trace_id" for side in SIDES]


class Params(Strict):
    """A pairwise judge of kind listed: what `source`, of kind pairs, says of two of its responses. Two rows of one pair
    are two repeats; both equally good and both bad are a tie."""

    kind: Literal["listed"]
    source: Annotated[str, Refers("sources")]

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts come to."""
        return [PREFERENCE]

    def mistakes(self, study: Study) -> Iterator[str]:
        """A source that is no preference set, or one that lists no pairs."""
        yield from find_set_fault(self.source, study)
        if not getattr(study.sources[self.source], "lists_pairs", True):
            yield f"source: the layout of sources.{self.source} lists no pairs, so it has no verdict"


def prefer(settings: Params, name: str, compared: Compared, ledger: Ledger) -> pl.DataFrame:
    """One row per row of the set that compares the two traces of a pair, whichever of them is called chosen; rows of
    one pair and order are its repeats. Without a verdict it is `missing`.

    Raises CurationError if the set compares responses, and there are pairs, but none that it compares.
    """
    listed = _number(compared.listed.filter(source=settings.source))
    turned = listed.select(
        *(pl.col(theirs).alias(ours) for ours, theirs in zip(TRACES, TRACES[::-1], strict=True)),
        pl.col("verdict").replace("chosen", "rejected"),
        pl.col("order").replace(ORDERS, ORDERS[::-1]),
        "repeat",
    )
    rows = compared.pairs.select("pair_id", *TRACES).join(pl.concat([listed, turned]), on=TRACES)
    if rows.is_empty() and not listed.is_empty() and not compared.pairs.is_empty():
        raise CurationError(f"pairwise judge {name}: source {settings.source} compares the traces of no pair")
    status = pl.when(pl.col("verdict").is_null()).then(pl.lit("missing")).otherwise(pl.lit("scored")).alias("status")
    absent = {"strength": pl.Float64, "p_tie": pl.Float64, "rationale": pl.String}
    return rows.select(
        "pair_id",
        pl.lit(PREFERENCE).alias("dimension"),
        "order",
        "repeat",
        "verdict",
        status,
        *(pl.lit(None, dtype).alias(column) for column, dtype in absent.items()),
    )


def _number(listed: pl.DataFrame) -> pl.DataFrame:
    """The rows' traces, verdict, order and repeat, which numbers those about two traces, shown in one order, by what
    they say of these, whichever is called chosen."""
    chosen, rejected = (pl.col(column) for column in TRACES)
    said = listed.select(
        *TRACES,
        pl.col("verdict").replace("both_bad", "tie"),
        "order",
        low=pl.min_horizontal(TRACES),
        high=pl.max_horizontal(TRACES),
        better=pl.when(pl.col("verdict") == "chosen").then(chosen).otherwise(None),
        first=pl.when(pl.col("order") == ORDERS[0]).then(chosen).when(pl.col("order") == ORDERS[1]).then(rejected),
    ).with_columns(pl.col("first").fill_null(0))
    return number_repeats(said, ["low", "high", "first"], ["better", "verdict"]).select(
        *TRACES, "verdict", "order", "repeat"
    )
