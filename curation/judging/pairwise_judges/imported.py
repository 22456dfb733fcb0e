"""Verdicts that exist already, of people or of another judge: a user's file, wide or long, on pairs by their ids, or on
two traces by their ids or texts, whichever of them is called chosen."""

from collections.abc import Iterable, Iterator
from typing import Literal

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, first_names, show_value
from curation.core.study import Study
from curation.core.text import one_line, say_count
from curation.judging import long_form
from curation.judging.find_traces import COLUMN_TYPES as TRACE_TYPES
from curation.judging.find_traces import TraceColumns
from curation.judging.long_form import Cell, Label, Rationale, RowParams, list_cells
from curation.judging.pairwise_judges._find_pairs import TEXTS, find_pairs
from curation.judging.pairwise_judges._kind import Compared
from curation.tables.contracts import PREFERENCE, SIDES, UNKNOWN
from curation.tables.ids import content_ids
from curation.tables.user_ratings import number_raters, number_repeats, refuse_twice
from curation.tables.user_scores import LABEL, scores
from curation.tables.user_table import UserTable
from curation.tables.user_values import KEY, TEXT, ColumnType

MOST_WORDS = 5  # in a message
TWO = ("a", "b")  # the sides of a row that names two traces
SIGN = {1: "chosen", -1: "rejected", 0: "tie"}  # of a verdict for the first side of a row, against it, and for neither
SHOWN = {1: "chosen_first", -1: "rejected_first", 0: UNKNOWN}


class Params(RowParams):
    """A pairwise judge of kind imported. A row of `path` is about the pair that the column `pair_id` names, by our id
    or the user's own, or about the traces that `a` and `b` name. `verdict` is its column of verdicts; where they are on
    several dimensions, `dimensions` (our name: the file's) names the columns, or in a long file, with `dimension`, the
    words in that. Verdicts on the same are repeats, as by two people.

    A verdict is chosen, rejected or tie, of a and b it is a, b or tie; or it is a number: below 0 the side `negative`
    is better, 0 is a tie. `order` is a column that says which side was shown first, chosen_first or rejected_first,
    a_first or b_first, or unknown; `shown_first` says it of all rows; without either it is unknown. `words` lists what
    a file says in the place of any of these words.

    What may be left out besides: `rationale`, of the same form as dimensions, or one column for all; `chosen`,
    `rejected`, `chosen_reasoning` and `rejected_reasoning`, columns with the texts of the pair_id, which are held
    against the pair's."""

    kind: Literal["imported"]
    pair_id: str | None = None
    a: TraceColumns | None = None
    b: TraceColumns | None = None
    verdict: str | None = None
    negative: Literal["chosen", "rejected", "a", "b"] | None = None
    order: str | None = None
    shown_first: Literal["a", "b"] | None = None
    words: dict[str, list[Label]] | None = None
    rationale: Rationale | None = None
    chosen: str | None = None
    rejected: str | None = None
    chosen_reasoning: str | None = None
    rejected_reasoning: str | None = None

    @property
    def dimension_names(self) -> list[str]:
        """The dimensions its verdicts are on, in params' order."""
        return list(self.dimensions or [PREFERENCE])

    @property
    def sides(self) -> tuple[str, str]:
        """What the first and the second side of a row are called."""
        return SIDES if self.pair_id is not None else TWO

    @property
    def cells(self) -> list[Cell]:
        """Where a row has its verdicts."""
        named = None if self.dimension else self.dimensions
        cells = list_cells("", named, "verdict", self.verdict, self.rationale)
        return [cell._replace(dimension=PREFERENCE) for cell in cells] if self.dimensions is None else cells

    @property
    def verdicts(self) -> dict[str, int]:
        """The file's words for a verdict: 1 for the first side of a row, -1 for the second, 0 for neither."""
        first, second = self.sides
        return self._read_words({first: 1, second: -1, "tie": 0})

    @property
    def orders(self) -> dict[str, int]:
        """The file's words for an order: 1 where the first side was shown first, -1 where the second was, 0 where that
        is unknown."""
        first, second = self.sides
        return self._read_words({f"{first}_first": 1, f"{second}_first": -1, UNKNOWN: 0})

    def _read_words(self, meanings: dict[str, int]) -> dict[str, int]:
        words = self.words or {}
        return {word: meaning for ours, meaning in meanings.items() for word in words.get(ours, [ours])}

    def mistakes(self, study: Study) -> Iterator[str]:
        """A path that is no file, or that DVC would not see change; a pair or verdicts that nothing names, or two
        things do; texts, sides and words of rows of another form."""
        yield from super().mistakes(study)
        two = [side for side in TWO if getattr(self, side) is not None]
        if len(two) != (2 if self.pair_id is None else 0):
            yield "pair_id: it, or both of a and b, say which pair a row is about; leave out the other"
        for name in TEXTS:
            if getattr(self, name) is not None and self.pair_id is None:
                yield f"{name}: stands beside pair_id; write it under a or b"
        if (self.verdict is None) == (self.dimensions is None or self.dimension is not None):
            yield "verdict: it names the column of verdicts, or dimensions those of each; write one of the two"
        names = [PREFERENCE] if self.dimensions is None else [] if self.dimension else list(self.dimensions)
        yield from long_form.find_rationale_mistakes("", self.rationale, names)
        if self.shown_first is not None and (self.pair_id is not None or self.order is not None):
            yield "shown_first: is said of a and b, where no column of order says it; leave it out"
        yield from self._find_word_mistakes()

    def _find_word_mistakes(self) -> Iterator[str]:
        first, second = self.sides
        if self.negative is not None and self.negative not in self.sides:
            yield f"negative: {self.negative!r} is no side of a row; it is one of {first}, {second}"
        of_verdicts = [first, second, "tie"] if self.negative is None else []
        known = [*of_verdicts, f"{first}_first", f"{second}_first", UNKNOWN]
        for word in self.words or {}:
            if word not in known:
                yield f"words.{word}: no row says it{did_you_mean(word, known)}"
        for ours in (known[:-3], known[-3:]):
            listed = [word for name in ours for word in (self.words or {}).get(name, [name])]
            if twice := [word for word in listed if listed.count(word) > 1]:
                yield f"words: {show_value(twice[0])} stands for two things; leave it in one list"

    def map_columns(self) -> tuple[dict[str, str | None], dict[str, ColumnType]]:
        """The file's names for our columns, and what they may hold."""
        columns, types = self.shared_columns, dict(long_form.COLUMN_TYPES)
        columns |= {name: getattr(self, name) for name in ("pair_id", "order", *TEXTS)}
        types |= {"pair_id": ColumnType(KEY), "order": ColumnType(LABEL)}
        types |= dict.fromkeys(TEXTS, ColumnType(TEXT, nullable=True))
        for side in TWO:
            named = {} if getattr(self, side) is None else getattr(self, side).named()
            columns |= {f"{side}.{ours}": theirs for ours, theirs in named.items()}
            types |= {f"{side}.{ours}": TRACE_TYPES[ours] for ours in named}
        verdict = LABEL if self.negative is None else scores(self.missing or ())
        of_cells, of_types = long_form.map_cells(self.cells, ColumnType(verdict, nullable=True))
        return columns | of_cells, types | of_types

    def check_rows(self, table: UserTable, rows: pl.DataFrame) -> None:
        """Nothing. Raises CurationError if a verdict or an order is none, or a long file has a dimension nowhere."""
        _read_verdicts(self, table, long_form.pick_dimensions(self, rows, table, say=False))


def prefer(settings: Params, name: str, compared: Compared, ledger: Ledger) -> pl.DataFrame:
    """One row per verdict of the file and pair of unequal texts that it is about; those on one pair, dimension and
    order are its repeats. A verdict on two traces is one on each pair of them, turned where it has them the other way
    round. A null verdict is `missing`.

    Raises CurationError if a verdict or an order is not valid, on a row whose texts are not its pair's or that is about
    several, on two rows with one repeat, and on rows about no pair, if those are not to be dropped or there are no
    others.
    """
    table = settings.open()
    given = table.read(*settings.map_columns(), under=f"pairwise_judges.{name}.")
    given = long_form.pick_dimensions(settings, given, table, say=True)
    found = find_pairs(settings, table, given, compared)
    rows = _number(
        settings, table, _read_verdicts(settings, table, given).join(found.about, on="row", maintain_order="left")
    )
    rows = rows.join(found.pairs, on=["first", "second", "own"], nulls_equal=True, maintain_order="left")
    absent = {"strength": pl.Float64, "p_tie": pl.Float64}
    return rows.sort("pair_id", "row").select(
        "pair_id",
        "dimension",
        (pl.col("shown") * pl.col("turn")).replace_strict(SHOWN, return_dtype=pl.String).alias("order"),
        "repeat",
        (pl.col("sign") * pl.col("turn")).replace_strict(SIGN, return_dtype=pl.String, default=None).alias("verdict"),
        *(pl.lit(None, dtype).alias(column) for column, dtype in absent.items()),
        pl.when(pl.col("sign").is_null()).then(pl.lit("missing")).otherwise(pl.lit("scored")).alias("status"),
        "rationale",
    )


def _read_verdicts(settings: Params, table: UserTable, given: pl.DataFrame) -> pl.DataFrame:
    """The verdicts of the file: row, dimension, sign (1 for the row's first side, -1 for its second, 0 for neither),
    shown (1 where the first was shown first, -1 where the second was, 0 where that is unknown), rationale and slot."""
    if settings.order is None:
        shown = pl.lit({None: 0, "a": 1, "b": -1}[settings.shown_first], pl.Int64)
    else:
        _refuse_unknown_words(table, settings.order, given["row"], given["order"], settings.orders)
        shown = pl.col("order").replace_strict(settings.orders, return_dtype=pl.Int64)
    rows = given.with_columns(shown.alias("shown"))
    rows = long_form.lengthen(rows, settings.cells, ["shown", *settings.kept_columns])
    if settings.negative is not None:
        towards = 1 if settings.negative == settings.sides[1] else -1
        return rows.with_columns((pl.col("value").sign() * towards).cast(pl.Int64).alias("sign"))
    rows = rows.with_columns(pl.when(~pl.col("value").is_in(settings.missing or [])).then("value").alias("value"))
    for cell in settings.cells:
        mine = rows if cell.dimension is None else rows.filter(dimension=cell.dimension)
        _refuse_unknown_words(table, cell.column, mine["row"], mine["value"], settings.verdicts)
    sign = pl.col("value").replace_strict(settings.verdicts, return_dtype=pl.Int64, default=None)
    return rows.with_columns(sign.alias("sign"))


def _refuse_unknown_words(
    table: UserTable, column: str, rows: pl.Series, words: pl.Series, valid: Iterable[str]
) -> None:
    """Raises CurationError if one of `words`, each in the row beside it, is neither null nor valid."""
    wrong = words.is_not_null() & ~words.is_in(list(valid))
    if wrong.any():
        named = first_names((repr(word) for word in words.filter(wrong).unique(maintain_order=True)), MOST_WORDS)
        first = table.words(rows.filter(wrong)[0])
        raise CurationError(
            one_line(
                f"{table.name}: column {column!r} holds {named} in {say_count(int(wrong.sum()), 'row')}, the first is "
                f"{first}, not {', '.join(valid)}; write these words in their place, or set words"
            )
        )


def _number(settings: Params, table: UserTable, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `repeat`, which tells those apart that are on one dimension of the same two traces, shown in the
    same order, whichever of them comes first in a row. Raises CurationError if two of them have the same number in the
    file, or are one rater's."""
    turned = pl.when(pl.col("first") > pl.col("second")).then(-1).otherwise(1)
    rows = rows.with_columns(
        pl.min_horizontal("first", "second").alias("low"),
        pl.max_horizontal("first", "second").alias("high"),
        (pl.col("shown") * turned).alias("low_shown"),
    )
    same = ["low", "high", "low_shown", "dimension"]
    rows = long_form.keep_latest(settings, rows, same)
    for slot in settings.slots:
        what = f"are on one pair, and have the same {getattr(settings, slot)}"
        refuse_twice(rows, [*same, slot], table, what, "leave one out")
    if settings.repeat is not None:
        return rows
    if settings.rater is not None:
        return number_raters(rows, same[:2])  # in both orders, for what the order does is measured within a rater
    as_said = pl.when(pl.col("own").is_null()).then(turned).otherwise(1)  # a verdict by pair_id is one on its sides
    rows = rows.sort("rationale", maintain_order=True)  # of equal verdicts the reasons decide, not the rows
    rows = rows.with_columns(
        pl.coalesce("own", content_ids(rows.select("low", "high"))).alias("of"),
        (pl.col("shown") * as_said).replace_strict(SHOWN, return_dtype=pl.String).alias("in_order"),
        (pl.col("sign") * as_said).replace_strict(SIGN, return_dtype=pl.String, default=None).alias("said"),
    )
    return number_repeats(rows, ["of", "in_order"], ["said"], same)
