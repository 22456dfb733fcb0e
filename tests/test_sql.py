"""Pairs, deltas and verdicts against slow oracles, on small worlds that hypothesis makes, and against golden tables."""

from typing import Any

import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st

import curation.pairs
from curation.core.errors import CurationError
from curation.pairs import delta, pair
from curation.tables import contracts, db, measurements, parquet
from curation.tables.ids import content_id

GENERATORS = ["a", "b", "c", "d"]
SCALES = {"a": 7.0, "b": None, "c": 0.5, "d": 7.0}
TEXTS = st.sampled_from([None, "", "4", " 4", "4\n", "\t4 \r\n", "5", "4 5", "4  5"])
SLOTS = st.tuples(st.integers(1, 2), st.sampled_from(GENERATORS), st.integers(0, 2))
WRITTEN = st.dictionaries(SLOTS, TEXTS, min_size=1, max_size=12)
STATUS = st.sampled_from(["scored", "scored", "scored", "unparsable", "error"])


def traces(written: dict[tuple[int, str, int], str | None]) -> pl.DataFrame:
    """Traces from (prompt, generator, sample): completion."""
    rows = []
    for slot, text in written.items():
        end = "error" if text is None else "stop"
        rows.append((content_id(*slot), *slot, None, SCALES[slot[1]], text, end, None))
    return world.traced(rows)


def pairs_oracle(rows: pl.DataFrame, order: str, ladder: list[str], within: bool, samples: str) -> pl.DataFrame:
    """What `pair` does, slowly: cross the traces of a prompt, then filter."""
    kept = rows.filter(pl.col("completion").str.strip_chars() != "").with_columns(
        pl.col("completion").str.strip_chars(" \t\r\n"),
        pl.col("generator")
        .replace_strict({name: i for i, name in enumerate(ladder)}, default=None, return_dtype=pl.Int64)
        .alias("rung"),
    )
    crossed = kept.join(kept, on="prompt_id", suffix="_r").filter(pl.col("trace_id") != pl.col("trace_id_r"))
    own = pl.col("generator") == pl.col("generator_r")
    ahead = {
        "ladder": pl.col("rung") < pl.col("rung_r"),
        "scale": pl.col("scale_b") > pl.col("scale_b_r"),
        "both": pl.lit(True),
    }[order].fill_null(False)
    matched = (pl.col("sample_index") == pl.col("sample_index_r")) | (samples == "all")
    found = crossed.filter((own & within) | (~own & ahead & matched))
    ids = [content_id(*both) for both in found.select("trace_id", "trace_id_r").rows()]
    rows = found.select(
        pl.Series("pair_id", ids, dtype=pl.Int64),
        "prompt_id",
        pl.col("trace_id").alias("chosen_trace_id"),
        pl.col("trace_id_r").alias("rejected_trace_id"),
        pl.col("generator").alias("chosen_model"),
        pl.col("generator_r").alias("rejected_model"),
        (pl.col("completion") == pl.col("completion_r")).alias("identical"),
    )
    return rows.sort("pair_id")


@pytest.mark.slow
@given(
    WRITTEN,
    st.sampled_from(["ladder", "scale", "both"]),
    st.permutations(GENERATORS),
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from(["matched", "all"]),
    st.randoms(use_true_random=False),
)
def test_pairs_are_those_of_the_oracle(
    written: Any, order: str, ladder: list[str], rungs: int, within: bool, samples: str, draw: Any
) -> None:
    rows = traces(written)
    rungs_named = [name for name in ladder[:rungs] if name in set(rows["generator"])]
    how = world.pairing(order=order, ladder=rungs_named, within_generator=within, samples=samples)
    found = pair.pair(how, rows)
    without = found.drop("same_texts_as")  # tests/test_texts.py has it
    assert without.rows() == pairs_oracle(rows, order, rungs_named, within, samples).rows()
    assert pair.pair(how, rows[draw.sample(range(rows.height), rows.height)]).rows() == found.rows()
    unequal = (
        pair.pair(how.model_copy(update={"identical": "drop", "chosen": ["a"], "rejected": ["b", "c"]}), rows)
        if {*"abc"} <= set(rows["generator"])
        else None
    )
    if unequal is not None:
        assert unequal.drop("same_texts_as").equals(
            without.filter(~pl.col("identical"), chosen_model="a").filter(pl.col("rejected_model").is_in(["b", "c"]))
        )


def deltas_oracle(pairs: pl.DataFrame, judgments: pl.DataFrame, dimension: str, expected: bool) -> pl.DataFrame:
    """What `deltas` does, slowly: rate each trace, then join both sides."""
    score = pl.coalesce("expected_score", "score") if expected else pl.col("score")
    scored = judgments.filter((pl.col("dimension") == dimension) & (pl.col("status") == "scored"))
    rated = scored.group_by("trace_id").agg(
        score.mean().alias("score"), pl.len().cast(pl.Int32).alias("n"), score.var().alias("variance")
    )
    both = pairs.join(rated, left_on="chosen_trace_id", right_on="trace_id", how="left")
    both = both.join(rated, left_on="rejected_trace_id", right_on="trace_id", how="left", suffix="_r")
    return both.sort("pair_id").select(
        "pair_id",
        pl.col("score").alias("chosen"),
        pl.col("score_r").alias("rejected"),
        (pl.col("score") - pl.col("score_r")).alias("delta"),
        pl.min_horizontal(pl.col("n", "n_r").fill_null(0)).alias("n"),
        (pl.col("variance") + pl.col("variance_r")).sqrt().alias("sd"),
    )


@st.composite
def judged(draw: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of six traces, and judgments of some of them on two dimensions in up to three repeats."""
    ends = draw(
        st.lists(
            st.tuples(st.integers(1, 6), st.integers(1, 6)).filter(lambda both: both[0] != both[1]),
            unique=True,
            max_size=10,
        )
    )
    pairs = world.frame(contracts.PAIRS, [(content_id(*both), 1, *both, "a", "b", False) for both in ends])
    slots = draw(
        st.lists(st.tuples(st.integers(1, 6), st.sampled_from("xy"), st.integers(0, 2)), unique=True, max_size=30)
    )
    rows = []
    for trace, dimension, repeat in slots:
        status, score, expected = draw(st.tuples(STATUS, st.integers(1, 5), st.none() | st.floats(1, 5)))
        values = (float(score), expected) if status == "scored" else (None, None)
        rows.append((trace, "rubric", dimension, repeat, *values, status, None))
    return pairs, world.frame(contracts.JUDGMENTS, rows)


@given(judged(), st.booleans(), st.randoms(use_true_random=False))
def test_deltas_are_those_of_the_oracle(case: tuple[pl.DataFrame, pl.DataFrame], expected: bool, draw: Any) -> None:
    pairs, judgments = case
    how = delta.Params(**world.DELTA | {"score": "expected" if expected else "sampled"})
    wide = delta.deltas(how, pairs, judgments, ["x"])
    found = wide.select(
        "pair_id", pl.col("^(chosen|rejected|delta|n|sd)_x$").name.map(lambda name: name.removesuffix("_x"))
    )
    oracle = deltas_oracle(pairs, judgments, "x", expected)
    assert found.columns == oracle.columns and found["n"].dtype == pl.Int32
    for row, wanted in zip(found.rows(), oracle.rows(), strict=True):
        assert (
            row == pytest.approx(wanted, abs=1e-6)
            if None not in row
            else [v and round(v, 6) for v in row] == [v and round(v, 6) for v in wanted]
        )
    shuffled = [table[draw.sample(range(len(table)), len(table))] for table in (pairs, judgments)]
    assert delta.deltas(how, *shuffled, ["x"]).equals(wide)


GOLDEN_TRACES = {
    (1, "a", 0): "It is 4",
    (1, "a", 1): "4",
    (1, "b", 0): " It is 4\n",  # identical with a's
    (1, "c", 0): "It is 5",
    (2, "a", 0): None,  # a failed: no pair
    (2, "b", 0): "9",
    (2, "c", 0): "8",
}
GOLDEN_PAIRS = {  # (order, within_generator, samples): chosen > rejected, = where identical
    ("ladder", False, "matched"): ["1 a0=b0", "1 a0>c0", "1 b0>c0", "2 b0>c0"],
    ("ladder", True, "matched"): ["1 a0=b0", "1 a0>a1", "1 a0>c0", "1 a1>a0", "1 b0>c0", "2 b0>c0"],
    ("ladder", False, "all"): ["1 a0=b0", "1 a0>c0", "1 a1>b0", "1 a1>c0", "1 b0>c0", "2 b0>c0"],
    ("scale", False, "matched"): ["1 a0>c0"],  # the scale of b is unknown
    ("both", False, "matched"): [
        "1 a0=b0",
        "1 a0>c0",
        "1 b0=a0",
        "1 b0>c0",
        "1 c0>a0",
        "1 c0>b0",
        "2 b0>c0",
        "2 c0>b0",
    ],
}


@pytest.mark.parametrize("options", GOLDEN_PAIRS)
def test_golden_pairs(options: tuple[Any, bool, Any]) -> None:
    rows, names = traces(GOLDEN_TRACES), {content_id(*slot): f"{slot[1]}{slot[2]}" for slot in GOLDEN_TRACES}
    order, within, samples = options
    found = pair.pair(world.pairing(order=order, ladder=GENERATORS[:3], within_generator=within, samples=samples), rows)
    parquet.check(contracts.PAIRS, found, "pairs")
    shown = [f"{p} {names[c]}{'=' if identical else '>'}{names[r]}" for _, p, c, r, _, _, identical, _ in found.rows()]
    assert sorted(shown) == GOLDEN_PAIRS[options]


def test_a_generator_on_the_ladder_that_wrote_nothing_is_named() -> None:
    settings = world.pairing(order="ladder", ladder=["a", "d"], within_generator=False, samples="matched")
    with pytest.raises(CurationError, match=r"pair\.ladder: 'd' wrote no trace; generators are a, b, c"):
        pair.pair(settings, traces(GOLDEN_TRACES))


# chosen, rejected, delta, n, sd on logic with expected scores, and delta with the sampled ones
GOLDEN_DELTAS = {
    ("plus", "large", 0, "small", 0): (5.0, 2.5, 2.5, 2, 0.5**0.5, 2.5),
    ("plus", "medium", 0, "small", 0): (4.0, 2.5, 1.5, 2, 0.5**0.5, 1.5),
    ("times", "large", 0, "medium", 0): (4.7, 5.0, -0.3, 2, 0.02**0.5, -0.5),
    ("minus", "large", 0, "medium", 0): (3.0, 3.0, 0.0, 1, None, 0.0),
    ("minus", "large", 0, "small", 0): (3.0, 2.0, 1.0, 2, 0.0, 1.0),
}


@pytest.mark.parametrize("slots", GOLDEN_DELTAS)
def test_golden_deltas(slots: tuple[str, str, int, str, int]) -> None:
    prompt, chosen, i, rejected, j = slots
    *wanted, sampled = GOLDEN_DELTAS[slots]
    both = (world.trace_id(prompt, chosen, i), world.trace_id(prompt, rejected, j))
    pairs = world.frame(contracts.PAIRS, [(1, world.prompt_id(prompt), *both, chosen, rejected, False)])
    found = {
        score: delta.deltas(
            delta.Params(**world.DELTA | {"score": score}), pairs, world.judgments(), ["brevity", "logic"]
        )
        for score in ("expected", "sampled")
    }
    columns = ("chosen_logic", "rejected_logic", "delta_logic", "n_logic", "sd_logic")
    assert [value and round(value, 12) for value in found["expected"].select(columns).row(0)] == [
        value and round(value, 12) for value in wanted
    ]
    assert found["sampled"]["delta_logic"].to_list() == [sampled]


def test_deltas_are_the_rooms_way_in_for_a_notebook() -> None:
    """With the settings of a params file, as docs/judging.md shows it."""
    pairs, settings = world.sound().pairs, delta.Params.model_validate(world.settings()["delta"])
    judgments = world.judgments().filter(judge="rubric")
    rows = curation.pairs.deltas(settings, pairs, judgments, ["logic", "brevity"])
    parquet.check(contracts.deltas(["logic", "brevity"]), rows, "deltas")
    assert rows.equals(world.sound().deltas["rubric"])
    with pytest.raises(AttributeError, match=r"module 'curation\.pairs' has no attribute 'nothing'"):
        curation.pairs.nothing  # noqa: B018


def test_a_pair_with_an_unscored_side_has_no_delta_and_the_other_sides_score() -> None:
    found = world.sound().deltas["rubric"].filter(pair_id=world.pair_id(("minus", "large", 0), ("minus", "small", 0)))
    assert found.select("chosen_brevity", "rejected_brevity", "delta_brevity", "n_brevity", "sd_brevity").rows() == [
        (4.0, None, None, 0, None)
    ]


def test_generator_deltas_count_what_has_a_delta() -> None:
    rows = (
        world.sound()
        .generator_deltas.filter(judge="rubric", chosen_model="large", rejected_model="small")
        .sort("dimension")
    )
    assert rows.select("dimension", "mean", "n", "prompts").rows() == [("brevity", 3.0, 1, 1), ("logic", 1.75, 2, 2)]
    unscored = world.judgments().with_columns(
        pl.lit(None, pl.Float64).alias("score"),
        pl.lit(None, pl.Float64).alias("expected_score"),
        status=pl.lit("error"),
    )
    pairs = world.sound().pairs
    none = world.generator_deltas(
        pairs, {"rubric": delta.deltas(delta.Params(**world.DELTA), pairs, unscored, ["logic"])}, {"rubric": ["logic"]}
    )
    parquet.check(measurements.GENERATOR_DELTAS, none, "generator_deltas")
    assert (
        set(none.select("mean", "ci_low", "ci_high", "n", "prompts").rows()) == {(None, None, None, 0, 0)}
        and none.height == 4
    )


@st.composite
def said(draw: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs of five traces, and verdicts on some of them in either order, some with probabilities."""
    ends = draw(
        st.lists(
            st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda both: both[0] != both[1]),
            unique=True,
            min_size=1,
            max_size=8,
        )
    )
    pairs = world.frame(contracts.PAIRS, [(content_id(*both), 1, *both, "a", "b", False) for both in ends])
    slots = draw(
        st.lists(
            st.tuples(
                st.sampled_from(ends),
                st.sampled_from("ab"),
                st.sampled_from([*contracts.ORDERS, contracts.UNKNOWN]),
                st.integers(0, 1),
            ),
            unique=True,
            max_size=20,
        )
    )
    rows = []
    for both, dimension, order, repeat in slots:
        status, verdict, tie, lean = draw(
            st.tuples(STATUS, st.sampled_from(contracts.VERDICTS), st.floats(0, 1), st.none() | st.floats(-1, 1))
        )
        strength = None if lean is None or status != "scored" else lean * (1 - tie)
        given = (verdict, strength, None if strength is None else tie) if status == "scored" else (None, None, None)
        rows.append((content_id(*both), "v", dimension, order, repeat, *given, status, None))
    return pairs, world.frame(contracts.PREFERENCES, rows)


@given(said(), st.booleans())
def test_verdicts_are_those_of_the_oracle(case: tuple[pl.DataFrame, pl.DataFrame], expected: bool) -> None:
    """Row by row in Python: who was better by how much, on the two traces whichever is called chosen."""
    pairs, preferences = case
    found = db.query("verdicts", {"pairs": pairs, "preferences": preferences.drop("rationale")}, expected=expected)
    ends = {
        pair_id: (chosen, rejected)
        for pair_id, chosen, rejected in pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows()
    }
    slot = ["dimension", "pair_id", "order", "repeat"]
    scored = preferences.filter(status="scored").sort(slot)
    assert found.select(slot).rows() == scored.select(slot).rows()
    for row, (pair_id, order, verdict, strength, p_tie) in zip(
        found.rows(named=True), scored.select("pair_id", "order", "verdict", "strength", "p_tie").rows(), strict=True
    ):
        chosen, rejected = ends[pair_id]
        plain = {"chosen": (1.0, 0.0), "rejected": (0.0, 1.0), "tie": (0.0, 0.0)}[verdict]
        won, lost = (
            ((1 - p_tie + strength) / 2, (1 - p_tie - strength) / 2) if expected and strength is not None else plain
        )
        better = {chosen: won, rejected: lost}
        assert (row["low"], row["high"], row["shown_first"]) == (
            min(better),
            max(better),
            {"chosen_first": chosen, "rejected_first": rejected}.get(order),
        )
        assert (row["low_better"], row["high_better"]) == (
            pytest.approx(better[row["low"]], abs=1e-9),
            pytest.approx(better[row["high"]], abs=1e-9),
        )
        assert row["low_better"] + row["high_better"] + row["tie"] == pytest.approx(1, abs=1e-9)
        assert row["value"] == pytest.approx(won - lost, abs=1e-9)
