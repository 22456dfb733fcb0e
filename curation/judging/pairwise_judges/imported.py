"""Verdicts that exist already, of people or of another judge: a user's file, by pair_id."""

from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.text import one_line
from curation.judging.pairwise_judges._kind import Compared
from curation.tables.contracts import ORDERS, PREFERENCE, SIDES, UNKNOWN, VERDICTS
from curation.tables.user_files import UserFileParams
from curation.tables.user_ratings import number_repeats, refuse_other_text, refuse_unmatched
from curation.tables.user_table import UserTable
from curation.tables.user_values import ID, TEXT, ColumnType

TEXTS = (*SIDES, *(f"{side}_reasoning" for side in SIDES))  # of a pair
COLUMN_TYPES = {
    "pair_id": ColumnType(ID),
    "verdict": ColumnType(TEXT, nullable=True),
    "order": ColumnType(TEXT),
} | dict.fromkeys(TEXTS, ColumnType(TEXT, nullable=True))
MOST_WORDS = 5  # in a message


class Params(UserFileParams):
    """A pairwise judge of kind imported. `pair_id` and `verdict` (chosen, rejected or tie) name columns of `path`, as
    does `order` (chosen_first or rejected_first: which side was shown first), null where that is unknown. `unmatched`
    says what becomes of rows of unknown pairs. `chosen`, `rejected`, `chosen_reasoning` and `rejected_reasoning`,
    columns with the texts that were compared, may be left out; they are held against the pair's."""

    COLUMNS_UNDER = ""

    kind: Literal["imported"]
    pair_id: str
    verdict: str
    order: str | None
    unmatched: Literal["error", "drop"]
    chosen: str | None = None
    rejected: str | None = None
    chosen_reasoning: str | None = None
    rejected_reasoning: str | None = None

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts come to."""
        return [PREFERENCE]

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        return {ours: getattr(self, ours) for ours in COLUMN_TYPES}, COLUMN_TYPES


def prefer(settings: Params, name: str, compared: Compared, ledger: Ledger) -> pl.DataFrame:
    """One row per row of the file that is about a pair of unequal texts; rows of one pair and order are its
    repeats. A null verdict is `missing`.

    Raises CurationError if a verdict or an order is not valid, on a row whose texts are not its pair's, and on rows of
    unknown pairs, if those are not to be dropped or there are no others.
    """
    pairs = compared.pairs
    table = settings.open()
    given = table.read(*settings.map_columns(), under=f"pairwise_judges.{name}.")
    given = given if settings.order else given.with_columns(pl.lit(UNKNOWN).alias("order"))
    _refuse_unknown_words(table, settings.verdict, given.select("row", "verdict"), VERDICTS)
    _refuse_unknown_words(table, settings.order or "", given.select("row", "order"), (*ORDERS, UNKNOWN))
    refuse_unmatched(
        table, settings.pair_id, given["pair_id"], pairs["pair_id"], settings.unmatched, "pair of unequal texts"
    )
    rows = pairs.select("pair_id").join(given, on="pair_id", maintain_order="left_right")
    for name in TEXTS:
        if column := getattr(settings, name):
            ours = pairs.select("pair_id", pl.col(name).fill_null("").alias("ours"))  # no reasoning is as good as ''
            texts = rows.select("row", "pair_id", name).join(ours, on="pair_id").sort("row")
            refuse_other_text(table, column, texts)
    status = pl.when(pl.col("verdict").is_null()).then(pl.lit("missing")).otherwise(pl.lit("scored")).alias("status")
    absent = {"strength": pl.Float64, "p_tie": pl.Float64, "rationale": pl.String}
    return number_repeats(rows, ["pair_id", "order"], ["verdict"]).select(
        "pair_id",
        pl.lit(PREFERENCE).alias("dimension"),
        "order",
        "repeat",
        "verdict",
        status,
        *(pl.lit(None, dtype).alias(column) for column, dtype in absent.items()),
    )


def _refuse_unknown_words(table: UserTable, column: str, given: pl.DataFrame, valid: tuple[str, ...]) -> None:
    """Raises CurationError if a value of the second column of `given`, beside its row, is neither null nor valid."""
    row, values = given.columns
    if (wrong := given.filter(~pl.col(values).is_in(valid))).height:
        words = first_names((repr(word) for word in wrong[values].unique(maintain_order=True)), MOST_WORDS)
        raise CurationError(
            one_line(
                f"{table.name}: column {column!r} holds {words} in {wrong.height} row(s), the first is "
                f"{table.words(wrong[row][0])}, "
                f"not {', '.join(valid)}; write these words in their place"
            )
        )
