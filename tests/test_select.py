"""Selections: a verdict and a reason on every candidate, and the kept pairs as trainers read them."""

from typing import Any

import polars as pl
import pytest
import world
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import tables
from curation.select import counts, select, unpaired

# pair, prompt, chosen > rejected, delta on logic (- unscored), tie
CANDIDATES = """
 1  1  11>12   3.0
 2  1  12>11  -3.0
 3  1  13>14   2.5
 4  1  11>14   2.0
 5  2  21>22   2.9  tie
 6  2  23>24   -
 7  2  21>23   2.8
 8  3  31>32   1.5
 9  3  32>31   0.6
10  4  41>42   0.7
11  4  43>44   0.5
12  4  41>44   0.49
13  4  42>43   -    tie
"""
MODELS = {1: "a", 2: "b", 3: "c", 4: "a"}  # the generator of a trace, by its last digit
MEANS = {("a", "b"): 0.5, ("a", "c"): 0.1, ("b", "a"): -0.5, ("b", "c"): 0.1}  # all others have no generator delta
NONE = world.frame(tables.GENERATOR_DELTAS, [])


def candidates(text: str = CANDIDATES) -> tuple[pl.DataFrame, dict[str, pl.DataFrame], pl.DataFrame]:
    """The pairs of a listing, their deltas, and the generator deltas of MEANS on every dimension called logic."""
    pairs, wide = [], []
    for line in text.strip().splitlines():
        number, prompt, ends, margin, *tie = line.split()
        chosen, rejected = (int(end) for end in ends.split(">"))
        pairs.append((int(number), int(prompt), chosen, rejected, MODELS[chosen % 10], MODELS[rejected % 10], bool(tie)))
        wide.append((int(number), None, None, None, 0, None, None) if margin == "-" else (int(number), 4.0, 4.0 - float(margin), float(margin), 1, None, None))
    means = [(*models, "rubric", "logic", mean, None, None, 9, 9) for models, mean in MEANS.items()]
    return world.frame(tables.PAIRS, pairs), {"rubric": world.frame(tables.deltas(["logic"]), wide)}, world.frame(tables.GENERATOR_DELTAS, means)


def reasons(name: str, text: str = CANDIDATES, **changes: Any) -> dict[int, str]:
    """The reason of each candidate, by pair."""
    verdicts = select("s", world.selection(name, **changes), *candidates(text))
    tables.check(tables.SELECTIONS, verdicts.select(tables.SELECTIONS.schema.names), "selections")
    assert verdicts.height == len(text.strip().splitlines())
    return dict(verdicts.select("pair_id", "reason").sort("pair_id").rows())


def kept(name: str, text: str = CANDIDATES, **changes: Any) -> set[int]:
    """The kept pairs."""
    return {number for number, reason in reasons(name, text, **changes).items() if reason == "kept"}


def test_the_top_deltas() -> None:
    assert reasons("clear", min_margin=0.5, per_prompt=2, budget=4) == {
        1: "kept",
        2: "below_min_margin",
        3: "kept",
        4: "per_prompt",
        5: "tie",
        6: "unscored",
        7: "kept",
        8: "kept",
        9: "reversed",
        10: "over_budget",
        11: "over_budget",  # 0.5 is not below 0.5
        12: "below_min_margin",
        13: "tie",  # before unscored
    }


def test_the_bottom_deltas() -> None:
    assert reasons("clear", keep="bottom", min_margin=None, per_prompt=1, budget=3) == {
        1: "reversed",
        2: "kept",
        3: "per_prompt",
        4: "per_prompt",
        5: "tie",
        6: "unscored",
        7: "over_budget",
        8: "reversed",
        9: "kept",
        10: "per_prompt",
        11: "per_prompt",
        12: "kept",
        13: "tie",
    }


def test_without_limits_all_but_ties_unscored_and_reverses_are_kept() -> None:
    assert kept("clear", min_margin=None, per_prompt=None, budget=None) == {1, 3, 4, 7, 8, 10, 11, 12}


def test_a_budget_of_more_than_there_are_keeps_them_all() -> None:
    assert kept("clear", min_margin=None, per_prompt=None, budget=99) == {1, 3, 4, 7, 8, 10, 11, 12}


def test_nothing_keeps_nothing() -> None:
    assert set(reasons("nothing").values()) == {"nothing_kept"}


def test_generator_deltas_rank_by_the_two_generators() -> None:
    unscored = dict.fromkeys((3, 4, 6, 11, 12), "unscored")  # c over a, and a over a, have no generator delta
    assert reasons("capable", judge="rubric", dimension="logic", budget=3) == unscored | {
        1: "kept",
        2: "reversed",
        5: "tie",
        7: "over_budget",  # a over c
        8: "kept",
        9: "reversed",
        10: "kept",
        13: "tie",
    }


def test_generator_deltas_keep_the_pairs_own_ratings() -> None:
    pairs, wide, means = candidates()
    rows = select("s", world.selection("capable", judge="rubric", dimension="logic"), pairs, wide, means).filter(pl.col("pair_id").is_in([1, 7]))
    assert rows.sort("pair_id").select("margin", "chosen_rating", "rejected_rating").rows() == [(0.5, 4.0, 1.0), (0.1, 4.0, pytest.approx(1.2))]


def test_random_keeps_its_budget_whatever_the_deltas() -> None:
    found = reasons("all", budget=5)
    assert sorted(found.values()) == ["kept"] * 5 + ["over_budget"] * 4 + ["reversed"] * 2 + ["tie"] * 2
    assert kept("all", CANDIDATES.replace("3.0", "9.0").replace("0.49", "-"), budget=5) == kept("all", budget=5)


def test_random_draws_are_nested_and_differ_by_seed() -> None:
    assert kept("all", budget=2) < kept("all", budget=4) < kept("all", budget=6)
    assert len({frozenset(kept("all", budget=4, seed=seed)) for seed in range(8)}) > 4


def test_a_reverse_is_kept_where_the_better_way_round_is_barred() -> None:
    assert reasons("clear", "1 1 11>12 -\n2 1 12>11 1.0", per_prompt=None) == {1: "unscored", 2: "kept"}


EQUAL = "\n".join(f"{number} 1 {number}1>{number}2 1.0" for number in range(1, 41))


def test_equal_margins_are_ranked_by_a_hash_of_seed_and_pair() -> None:
    drawn = [kept("clear", EQUAL, per_prompt=None, budget=10, seed=seed) for seed in range(3)]
    for seed, numbers in enumerate(drawn):
        assert numbers == set(sorted(range(1, 41), key=lambda number, s=seed: tables.content_id(s, number))[:10])  # type: ignore[misc]
    assert drawn[0] != drawn[1] != drawn[2]


def test_margins_that_differ_beyond_nine_decimals_are_equal() -> None:
    noisy = "\n".join(f"{number} 1 {number}1>{number}2 {1 + number * 1e-13}" for number in range(1, 41))
    assert kept("clear", noisy, per_prompt=None, budget=10) == kept("clear", EQUAL, per_prompt=None, budget=10)


def test_no_candidates_no_verdicts() -> None:
    pairs, wide, means = candidates("1 1 11>12 1.0")
    for name in ("nothing", "all", "clear"):
        assert select("s", world.selection(name), pairs.clear(), {"rubric": wide["rubric"].clear()}, means).is_empty()


LINES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from(["-", "0.0", "0.5", "1.0", "2.0"]), st.booleans()).filter(
    lambda line: line[1] != line[2]
)
LIMIT = st.none() | st.integers(1, 4)


@given(
    st.lists(LINES, min_size=1, max_size=14, unique_by=lambda line: line[:3]), st.sampled_from(["all", "clear", "capable"]),
    st.sampled_from(["top", "bottom"]), LIMIT, LIMIT, st.randoms(use_true_random=False),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_what_every_selection_promises(lines: Any, name: str, keep: str, budget: int | None, per_prompt: int | None, draw: Any) -> None:
    text = "\n".join(f"{i} {prompt} {prompt}{c}>{prompt}{r} {margin} {'tie' * tie}" for i, (prompt, c, r, margin, tie) in enumerate(lines))
    pairs, wide, means = candidates(text)
    directed = {} if name == "all" else {"keep": keep, "min_margin": None, "judge": "rubric", "dimension": "logic"}
    chosen = world.selection(name, budget=budget, per_prompt=per_prompt, **directed)
    verdicts = select("s", chosen, pairs, wide, means).sort("pair_id")
    shuffled = [rows[draw.sample(range(len(rows)), len(rows))] for rows in (pairs, wide["rubric"], means)]
    assert select("s", chosen, shuffled[0], {"rubric": shuffled[1]}, shuffled[2]).sort("pair_id").equals(verdicts)
    rows = pairs.join(verdicts, on="pair_id", validate="1:1", maintain_order="left")
    taken = rows.filter("kept")
    ends = [frozenset(both) for both in taken.select("chosen_trace_id", "rejected_trace_id").rows()]
    assert rows.height == pairs.height and not taken["tie"].any() and not taken["margin"].null_count() and len(set(ends)) == len(ends)
    assert budget is None or taken.height <= budget
    assert per_prompt is None or all(count <= per_prompt for (count,) in taken.group_by("prompt_id").len().select("len").rows())
    for margin in rows.filter(reason="over_budget")["margin"]:
        assert taken.height == budget and all(other >= margin if keep == "top" or name == "all" else other <= margin for other in taken["margin"])


def message(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def test_a_subset_is_what_a_trainer_reads() -> None:
    made = world.world()
    rows = made.subsets["clear"].sort("margin", descending=True)
    tables.check(tables.SUBSETS, rows, "subsets")
    assert rows.head(2).select("prompt", "chosen", "rejected", "margin", "chosen_rating", "rejected_rating").rows() == [
        (message("user", "What is 2 + 3?"), message("assistant", "2 + 3 = 5"), message("assistant", "2 + 3 = 6, I think, or 7"), 2.5, 5.0, 2.5),
        (message("user", "What is 2 + 3?"), message("assistant", "2 + 3 is 5"), message("assistant", "2 + 3 = 6, I think, or 7"), 1.5, 4.0, 2.5),
    ]
    assert made.subsets["nothing"].is_empty() and made.unpaired["nothing"].is_empty()
    tables.check(tables.SUBSETS, made.subsets["nothing"], "subsets")
    tables.check(tables.UNPAIRED, made.unpaired["nothing"], "unpaired")


def rows_of(*ends: tuple[int, int]) -> pl.DataFrame:
    """A subset of pairs of traces whose texts are their ids."""
    return world.frame(tables.SUBSETS, [
        (number, 1, chosen, rejected, message("user", "?"), message("assistant", str(chosen)), message("assistant", str(rejected)), 1.0, None, None)
        for number, (chosen, rejected) in enumerate(ends)
    ])  # fmt: skip


def test_an_unpaired_trace_comes_once_with_its_label() -> None:
    rows = unpaired(rows_of((11, 12), (11, 13)))
    tables.check(tables.UNPAIRED, rows, "unpaired")
    assert rows.sort("trace_id").select("trace_id", "prompt", "completion", "label").rows() == [
        (11, message("user", "?"), message("assistant", "11"), True),
        (12, message("user", "?"), message("assistant", "12"), False),
        (13, message("user", "?"), message("assistant", "13"), False),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_trace_on_both_sides_is_in_no_unpaired_row(order: int) -> None:
    rows = unpaired(rows_of(*[(11, 12), (12, 13), (14, 12)][::order]))
    assert sorted(rows.select("trace_id", "label").rows()) == [(11, True), (13, False), (14, True)]
    assert unpaired(rows_of((11, 12), (12, 11))).is_empty()


def test_counts_say_what_became_of_the_candidates() -> None:
    verdicts = select("s", world.selection("clear", min_margin=0.5, per_prompt=2, budget=4), *candidates())
    kept_rows = rows_of((11, 12), (12, 13)).with_columns(margin=pl.Series([1.0, 2.0]))
    assert counts(verdicts, kept_rows, unpaired(kept_rows)) == {
        "candidates": 13, "kept": 2, "prompts": 1, "unpaired": 2, "mean_margin": 1.5,
        "reason": {"below_min_margin": 2, "kept": 4, "over_budget": 2, "per_prompt": 1, "reversed": 1, "tie": 2, "unscored": 1},
    }  # fmt: skip
