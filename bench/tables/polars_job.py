"""The same work in bare lazy Polars: python -m bench.tables.polars_job FOLDER PAIRS

The tables of pairs and deltas are both in the order of their ids, so that they stand side by side without a join.
Polars knows no MD5: the ids are DuckDB's, as ours are.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import duckdb
import polars as pl

from bench.tables.cases import BAND, DIMENSIONS, JUDGES, LADDER, NEAR, budget, quotas
from bench.tables.steps import enter, run

OUT = {"compression": "zstd", "compression_level": 1}
DRAW = pl.col("pair_id").hash()


def pair() -> None:
    """The pairs of each two traces of a prompt, the one higher on the ladder chosen."""
    rung = pl.col("generator").replace_strict(list(LADDER), range(len(LADDER)), return_dtype=pl.Int8)
    traces = pl.scan_parquet("data/traces/*.parquet").select("trace_id", "prompt_id", "generator", "text_id", rung=rung)
    crossed = traces.join(traces, on="prompt_id", suffix="_r").filter(pl.col("rung") < pl.col("rung_r"))
    joined = crossed.select(
        "prompt_id",
        chosen_trace_id="trace_id",
        rejected_trace_id="trace_id_r",
        chosen_model="generator",
        rejected_model="generator_r",
        identical=pl.col("text_id") == pl.col("text_id_r"),
        chosen_text="text_id",
        rejected_text="text_id_r",
    ).collect(engine="streaming")
    joined = joined.with_columns(pair_id=pair_ids(joined))
    texts = ["prompt_id", "chosen_text", "rejected_text"]
    first = pl.col("pair_id").sort_by("chosen_trace_id", "rejected_trace_id").first().alias("same_texts_as")
    same = joined.lazy().group_by(texts).agg(first, pl.len()).filter(pl.col("len") > 1).drop("len").collect()
    pairs = joined.join(same, on=texts, how="left").drop("chosen_text", "rejected_text")
    pairs.sort("pair_id").write_parquet("polars/pairs.parquet", **OUT)


def pair_ids(pairs: pl.DataFrame) -> pl.Series:
    """The first 63 bits of the MD5 of both traces' ids."""
    with duckdb.connect() as connection:
        connection.register("pairs", pairs.select("chosen_trace_id", "rejected_trace_id").to_arrow())
        digest = "left(md5(concat(chosen_trace_id, chr(31), rejected_trace_id)), 16)"
        query = f"select (concat('0x', {digest})::ubigint >> 1)::bigint as id from pairs"
        ids: pl.Series = connection.sql(query).pl()["id"]
    return ids


def delta(judge: str) -> None:
    """The wide deltas of a judge."""
    value, scored = pl.coalesce("expected_score", "score"), pl.col("status") == "scored"
    each = [value.filter(scored & (pl.col("dimension") == name)) for name in JUDGES[judge]]
    statistics = [
        statistic
        for name, ratings in zip(JUDGES[judge], each, strict=True)
        for statistic in (
            ratings.mean().alias(f"s_{name}"),
            ratings.len().cast(pl.Int32).alias(f"n_{name}"),
            ratings.var().alias(f"v_{name}"),
        )
    ]
    rated = pl.scan_parquet(f"data/judgments/{judge}.parquet").group_by("trace_id").agg(statistics)
    pairs = pl.scan_parquet("polars/pairs.parquet").select("pair_id", "chosen_trace_id", "rejected_trace_id")
    for side in ("chosen", "rejected"):
        sided = rated.select(pl.all().name.prefix(f"{side}_"))
        pairs = pairs.join(sided, on=f"{side}_trace_id", how="left", maintain_order="left")
    sides = [
        column for name in JUDGES[judge] for column in (
            pl.col(f"chosen_s_{name}").alias(f"chosen_{name}"), pl.col(f"rejected_s_{name}").alias(f"rejected_{name}"),
            (pl.col(f"chosen_s_{name}") - pl.col(f"rejected_s_{name}")).alias(f"delta_{name}"),
            pl.min_horizontal(f"chosen_n_{name}", f"rejected_n_{name}").alias(f"n_{name}"),
            (pl.col(f"chosen_v_{name}") + pl.col(f"rejected_v_{name}")).sqrt().alias(f"sd_{name}"),
        )
    ]  # fmt: skip
    pairs.select("pair_id", *sides).sink_parquet(f"polars/deltas/{judge}.parquet", engine="streaming", **OUT)


class Case(NamedTuple):
    """One selection: a pair's margin, the judges whose deltas it takes, what else rejects a pair and under which
    reason, and which of the others are kept."""

    margin: pl.Expr = pl.col("a.delta_d0")
    judges: str = "a"
    rejection: tuple[str, pl.Expr] | None = None
    kept: Callable[[pl.DataFrame, int], "Kept"] = lambda rows, pairs: Kept(rows.top_k(budget(pairs), by="margin"))


class Kept(NamedTuple):
    """The rows that are kept, and which of the others may not be, for another reason than the budget."""

    rows: pl.DataFrame
    late: tuple[str, pl.Expr] | None = None


def drawn(rows: pl.DataFrame, pairs: int) -> Kept:
    return Kept(rows.bottom_k(budget(pairs), by=DRAW))


def middle(rows: pl.DataFrame, pairs: int) -> Kept:
    low, high = (rows["margin"].quantile(share, "lower") for share in (0.25, 0.75))
    inside = (pl.col("margin") > low) & (pl.col("margin") <= high)
    return Kept(drawn(rows.filter(inside), pairs).rows, ("outside_band", ~inside))


def one_a_prompt(rows: pl.DataFrame, pairs: int) -> Kept:
    first = rows.group_by("prompt_id").agg(pl.col("pair_id").get(pl.col("margin").arg_max()), pl.col("margin").max())
    return Kept(
        first.top_k(budget(pairs), by="margin"), ("per_prompt", ~pl.col("pair_id").is_in(first["pair_id"].implode()))
    )


def by_stratum(rows: pl.DataFrame, pairs: int) -> Kept:
    parts = [
        rows.filter(chosen_model=chosen, rejected_model=rejected) for chosen, rejected in map(str.split, quotas(pairs))
    ]
    return Kept(
        pl.concat(part.top_k(count, by="margin") for part, count in zip(parts, quotas(pairs).values(), strict=True))
    )


CASES = {
    "random": Case(pl.lit(None, pl.Float64), "", kept=drawn),
    "top": Case(),
    "bottom": Case(kept=lambda rows, pairs: Kept(rows.bottom_k(budget(pairs), by="margin"))),
    "band": Case(pl.col("b.delta_d1"), "b", ("outside_band", ~pl.col("margin").is_between(*BAND)), drawn),
    "middle_half": Case(pl.col("a.delta_d2"), kept=middle),
    "top_mean": Case(sum((pl.col(f"a.delta_{name}") for name in DIMENSIONS[1:]), pl.col("a.delta_d0")) / 5),
    "consensus": Case(pl.min_horizontal("a.delta_d0", "b.delta_d0"), "ab"),
    "per_prompt": Case(kept=one_a_prompt),
    "strata": Case(kept=by_stratum),
    "near_length": Case(rejection=("near_length", (pl.col("characters") - pl.col("characters_r")).abs() > NEAR)),
}
NEEDED = {
    "per_prompt": ["prompt_id"],
    "strata": ["chosen_model", "rejected_model"],
    "near_length": ["characters", "characters_r"],
}


def mark_repeated(rows: pl.DataFrame) -> pl.Series:
    """`rejection`, which is repeated for all but the first pair of the same two texts."""
    open_rows = rows.filter(
        pl.col("same_texts_as").is_not_null() & pl.col("rejection").fill_null("outside_band").eq("outside_band")
    )
    ranked = open_rows.sort("same_texts_as", "chosen_trace_id", "rejected_trace_id")
    repeated = ranked.filter(pl.col("same_texts_as") == pl.col("same_texts_as").shift())["pair_id"]
    is_repeated = pl.col("pair_id").is_in(repeated.implode())
    return rows.select(pl.when(is_repeated).then(pl.lit("repeated")).otherwise("rejection")).to_series()


def select(name: str, pairs: int) -> None:
    """A selection's verdict on every pair."""
    case = CASES[name]
    wide = [
        pl.scan_parquet(f"polars/deltas/{judge}.parquet").drop("pair_id").select(pl.all().name.prefix(f"{judge}."))
        for judge in case.judges
    ]
    rows = pl.concat([pl.scan_parquet("polars/pairs.parquet"), *wide], how="horizontal")
    if name == "near_length":
        lengths = pl.scan_parquet("data/traces/*.parquet").select("trace_id", "characters")
        rows = rows.join(lengths, left_on="chosen_trace_id", right_on="trace_id", how="left", maintain_order="left")
        rows = rows.join(
            lengths, left_on="rejected_trace_id", right_on="trace_id", how="left", maintain_order="left", suffix="_r"
        )
    rejection = pl.when("identical").then(pl.lit("identical"))
    if case.rejection and name == "near_length":  # a requirement comes first
        rejection = rejection.when(case.rejection[1]).then(pl.lit(case.rejection[0]))
    if name != "random":
        rejection = rejection.when(pl.col("margin").is_null()).then(pl.lit("unscored"))
    if case.rejection:
        rejection = rejection.when(case.rejection[1]).then(pl.lit(case.rejection[0]))
    same = ["same_texts_as", "chosen_trace_id", "rejected_trace_id"]
    every = (
        rows.with_columns(margin=case.margin)
        .select("pair_id", "margin", *same, *NEEDED.get(name, []), rejection=rejection)
        .collect(engine="streaming")
    )
    pairs_by_margin = every.with_columns(rejection=mark_repeated(every)).drop(same)
    kept = case.kept(pairs_by_margin.filter(pl.col("rejection").is_null()), pairs)
    reason = (
        pl.when(pl.col("rejection").is_not_null())
        .then("rejection")
        .when(pl.col("pair_id").is_in(kept.rows["pair_id"].implode()))
        .then(pl.lit("kept"))
    )
    if kept.late:
        reason = reason.when(kept.late[1]).then(pl.lit(kept.late[0]))
    verdicts = pairs_by_margin.lazy().select("pair_id", reason=reason.otherwise(pl.lit("over_budget")), margin="margin")
    verdicts.select("pair_id", (pl.col("reason") == "kept").alias("kept"), "reason", "margin").sink_parquet(
        f"polars/selections/{name}.parquet", engine="streaming", **OUT
    )


def subset(name: str) -> None:
    """The kept pairs with their texts."""
    kept = pl.scan_parquet(f"polars/selections/{name}.parquet").filter("kept").select("pair_id", "margin")
    rows = (
        pl.scan_parquet("polars/pairs.parquet")
        .join(kept, on="pair_id")
        .join(pl.scan_parquet("data/prompts.parquet"), on="prompt_id")
    )
    for side in ("chosen", "rejected"):
        texts = pl.scan_parquet("data/traces/*.parquet").select("trace_id", pl.col("completion").alias(side))
        rows = rows.join(texts, left_on=f"{side}_trace_id", right_on="trace_id")
    columns = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "prompt", "chosen", "rejected", "margin")
    rows.select(columns).sort("pair_id").sink_parquet(f"polars/subsets/{name}.parquet", engine="streaming", **OUT)


def main(folder: str, pairs: str) -> None:
    enter(folder, "polars")
    run(pair, delta, select, subset, pairs)


if __name__ == "__main__":
    main(*sys.argv[1:])
