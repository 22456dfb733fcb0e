"""The rows of `responses`, `ratings` and `listed_pairs` of one preference set. The order of its file's rows decides
none of them."""

import sys
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.core.stats import stable_mean
from curation.core.text import one_line, say_count
from curation.prompts.layouts._kind import Ordering
from curation.prompts.preferences.frames import Frames
from curation.tables.carried import OF_ROW, say_alike
from curation.tables.contracts import LISTED_PAIRS, ORDERS, RATINGS, RESPONSES, UNKNOWN, empty
from curation.tables.ids import content_ids, trace_ids
from curation.tables.user_ratings import number_repeats

if TYPE_CHECKING:
    from curation.tables.user_table import UserTable


MOST_COMPARED = 1000  # responses to one prompt of which all pairs are made: half a million


class PreferenceSet(NamedTuple):
    """A set as its files have it: these, its distinct prompts, and what its rows hold; `frames.rows` have in `prompt`
    which of the prompts is theirs."""

    table: "UserTable"
    prompts: pl.DataFrame
    frames: Frames
    ordering: Ordering | None


class PreferenceTables(NamedTuple):
    """The rows of the three tables."""

    responses: pl.DataFrame
    ratings: pl.DataFrame
    listed_pairs: pl.DataFrame


def no_preferences() -> PreferenceTables:
    """No rows of any."""
    return PreferenceTables(empty(RESPONSES), empty(RATINGS), empty(LISTED_PAIRS))


def tabulate(source: str, prompt_ids: pl.Series, preferences: PreferenceSet) -> PreferenceTables:
    """The tables of a source's set; `prompt_ids` are those of its prompts.

    Equal texts of one prompt and generator are one response, with the least id of its rows. Ratings of it are repeats,
    numbered by what they say. Of a comparison without a better side, the chosen one is that with the lesser trace_id.
    Where an `ordering` says so, all pairs of one prompt that a rating orders are listed. Says on stderr how many
    responses and comparisons were the same.
    """
    table, _, frames, ordering = preferences
    ids = prompt_ids.gather(frames.rows["prompt"])
    of_row = frames.rows.select("row", ids.alias("prompt_id"), pl.col("row_id").alias("external_id"), "carried")
    rows = frames.responses.select("row").join(of_row, on="row", how="left", maintain_order="left")  # no text is copied
    # a response has its source for its generator where the row names none, and the id of an imported trace that says it
    given = frames.responses.hstack(rows.drop("row")).with_columns(pl.col("generator").fill_null(source))
    given = given.with_columns(trace_ids(given))
    distinct = _distinct_responses(table, given)
    slots = given.select("row", "slot", "trace_id")
    ratings = _number_ratings(frames.ratings.join(slots, on=["row", "slot"]))
    pairs = _list_comparisons(table, frames.comparisons, slots, of_row)
    if ordering is not None:
        pairs = pl.concat([pairs, _order(table, ordering, distinct, ratings)])
    one_a_row = given.height == given["row"].n_unique()
    responses = distinct if one_a_row else distinct.with_columns(pl.lit(None, pl.String).alias("external_id"))
    return PreferenceTables(
        *(
            rows.with_columns(pl.lit(source).alias("source")).select(empty(table).columns)
            for rows, table in ((responses, RESPONSES), (ratings, RATINGS), (_with_ids(pairs), LISTED_PAIRS))
        )
    )


def _distinct_responses(table: "UserTable", given: pl.DataFrame) -> pl.DataFrame:
    """A row each response, with the id and columns of the least of the rows that it stands in. Texts of one trace_id
    are the same, but that no reasoning may be null or empty."""
    told = ("finish_reason", "left_out_characters")
    several = pl.any_horizontal(pl.col(name).n_unique() > 1 for name in OF_ROW).alias("several")
    block = (pl.col("reasoning") == "").any().alias("empty_block")
    rows = given.select("trace_id", "reasoning", *told, *OF_ROW).with_row_index("at").sort(OF_ROW, nulls_last=True)
    least = rows.group_by("trace_id", maintain_order=True).agg(
        pl.col("at", *OF_ROW).first(), *(pl.col(name).min() for name in told), several, block
    )
    if again := given.height - least.height:
        ids = least["several"].sum()
        _say(
            f"{table.name}: {say_count(again, 'response has', 'responses have')} the texts of another to the prompt by "
            f"the generator, counted as one{f'; of {ids} with other ids or columns the least are kept' if ids else ''}"
        )
    texts = given.select("prompt_id", "generator", "reasoning", "completion")[least["at"]]
    distinct = pl.concat([texts, least.drop("at", "several")], how="horizontal")
    rank = pl.col("trace_id").rank("ordinal").over("prompt_id", "generator") - 1
    return distinct.with_columns(
        pl.when("empty_block").then(pl.lit("")).otherwise("reasoning").alias("reasoning"),
        rank.cast(pl.Int32).alias("sample_index"),
    ).drop("empty_block")


def _number_ratings(ratings: pl.DataFrame) -> pl.DataFrame:
    """The ratings, those of one response and dimension numbered."""
    of_one = ["trace_id", "dimension"]
    several = ratings.select(of_one).is_duplicated()
    once = ratings.filter(~several).with_columns(pl.lit(0, pl.Int32).alias("repeat"))
    numbered = number_repeats(ratings.filter(several), of_one, ["score", "rationale"])
    return pl.concat([once, numbered.select(once.columns)])


def _list_comparisons(
    table: "UserTable", comparisons: pl.DataFrame, slots: pl.DataFrame, of_row: pl.DataFrame
) -> pl.DataFrame:
    """The comparisons of rows, but for those of a response with itself."""
    sides = {
        side: slots.select("row", pl.col("slot").alias(side), pl.col("trace_id").alias(f"{side}_id"))
        for side in ("better", "worse")
    }
    rows = comparisons.join(sides["better"], on=["row", "better"]).join(sides["worse"], on=["row", "worse"])
    same = pl.col("better_id") == pl.col("worse_id")
    if count := rows.select(same.sum()).item():
        first = rows.filter(same)["row"].sort()[0]
        _say(
            f"{table.name}: left out: {say_count(count, 'comparison')} whose sides say the same; the first at "
            f"{table.words(first)}"
        )
    # the better side is chosen; where neither is, the one with the lesser id
    turned = (pl.col("verdict").ne_missing("chosen")) & (pl.col("better_id") > pl.col("worse_id"))
    chosen = pl.when(turned).then("worse").otherwise("better")
    return rows.filter(~same).join(of_row, on="row").select(
        "prompt_id",
        pl.when(turned).then("worse_id").otherwise("better_id").alias("chosen_trace_id"),
        pl.when(turned).then("better_id").otherwise("worse_id").alias("rejected_trace_id"),
        "verdict",
        pl.when(pl.col("first").is_null()).then(pl.lit(UNKNOWN))
        .when(pl.col("first") == chosen).then(pl.lit(ORDERS[0])).otherwise(pl.lit(ORDERS[1])).alias("order"),
        *OF_ROW,
    )  # fmt: skip


def _order(table: "UserTable", ordering: Ordering, responses: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    """All pairs of responses to one prompt that the mean of their ratings orders, with what both sides' rows say
    alike; of a prompt with more than MOST_COMPARED responses, of as many of them as `_choose_compared` says."""
    scored = ratings.filter(pl.col("dimension") == ordering.by, pl.col("score").is_not_null())
    means = scored.group_by("trace_id").agg(stable_mean(pl.col("score")).round(9))
    rated = responses.select("trace_id", "prompt_id", *OF_ROW).join(means, on="trace_id")
    sides = _choose_compared(rated)
    left_out = rated.height - sides.height
    if left_out:
        _say(
            f"{table.name}: {left_out} of {responses.height} responses are in no pair: more than {MOST_COMPARED:,} are "
            f"rated to one prompt, and of those so many are compared, as evenly of each rating as there are"
        )
    numbers = sides.select("prompt_id", "trace_id", "score").with_row_index("at")  # ids and columns are not joined
    pairs = numbers.join(numbers, on="prompt_id", suffix="_other").filter(
        (pl.col("score") > pl.col("score_other"))
        | ((pl.col("score") == pl.col("score_other")) & (pl.col("trace_id") < pl.col("trace_id_other")) & ordering.ties)
    )
    own = sides.select(OF_ROW)
    pairs = pairs.hstack(own[pairs["at"]]).hstack(own[pairs["at_other"]].select(pl.all().name.suffix("_other")))
    listed = pl.concat([pairs["trace_id"], pairs["trace_id_other"]]).unique()
    if alone := responses.height - left_out - len(listed):
        _say(
            f"{table.name}: {alone} of {responses.height} responses are in no pair: no other to their prompt differs "
            f"in {ordering.by}; unpaired of a selection can take them"
        )
    same_row = pl.when(pl.col("external_id") == pl.col("external_id_other")).then("external_id").alias("external_id")
    return pairs.select(
        "prompt_id", pl.col("trace_id").alias("chosen_trace_id"), pl.col("trace_id_other").alias("rejected_trace_id"),
        pl.when(pl.col("score") > pl.col("score_other")).then(pl.lit("chosen")).otherwise(pl.lit("tie"))
        .alias("verdict"),
        pl.lit(UNKNOWN).alias("order"), same_row, say_alike(pairs, ("carried", "carried_other")).alias("carried"),
    )  # fmt: skip


def _choose_compared(rated: pl.DataFrame) -> pl.DataFrame:
    """The responses of which pairs are made: all, but MOST_COMPARED of a prompt that has more. Those are as evenly of
    each score as there are, of one score those of the least ids, so that the order of rows decides none."""
    if (rated["prompt_id"].value_counts()["count"] <= MOST_COMPARED).all():
        return rated
    ordered = rated.sort("trace_id").with_columns(pl.int_range(pl.len()).over("prompt_id", "score").alias("turn"))
    ordered = ordered.sort("turn", "trace_id").with_columns(pl.int_range(pl.len()).over("prompt_id").alias("place"))
    return ordered.filter(pl.col("place") < MOST_COMPARED).drop("turn", "place")


def _with_ids(pairs: pl.DataFrame) -> pl.DataFrame:
    """The comparisons with an id of all that they say, and of how many say the same before them."""
    said = ["prompt_id", "chosen_trace_id", "rejected_trace_id", "verdict", "order", *OF_ROW]
    numbered = pairs.with_columns(pl.int_range(pl.len()).over(said).alias("repeat"))
    parts = numbered.select(
        pl.col(name).fill_null("") if name in ("verdict", *OF_ROW) else name for name in (*said, "repeat")
    )
    return numbered.with_columns(content_ids(parts).alias("listed_id"))


def _say(line: str) -> None:
    print(one_line(line), file=sys.stderr)
