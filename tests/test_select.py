"""Selections: a verdict and a reason on every candidate, against a slow reference, and the kept pairs as trainers
read them."""

import itertools
import json
from collections import Counter, defaultdict
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import CurationError
from curation.core.params import read
from curation.pairs import pair
from curation.selection import column_names, ranking
from curation.selection.candidates import Candidates, from_files, from_frames
from curation.selection.filters import FILTERS
from curation.selection.noise import noise_message
from curation.selection.rules import (
    GENERATOR_PAIRS,
    GENERATOR_SHARE,
    IDENTICAL,
    KEPT,
    OVER_BUDGET,
    REASONS,
    REPEATED,
    UNSCORED,
    Params,
)
from curation.selection.select import select
from curation.selection.subset import add_messages, curriculum_positions, kept_rows, subset_metrics, unpair
from curation.selection.subset import from_frames as from_texts
from curation.tables import contracts, db, measurements, parquet
from curation.traces import generate

# pair, prompt, chosen > rejected, delta on logic (- unscored), identical, and `as 3`: of the same texts as pair 3
CANDIDATES = """
 1  1  11>12   3.0
 2  1  12>11  -3.0
 3  1  13>14   2.5
 4  1  11>14   2.0
 5  2  21>22   2.9  identical
 6  2  23>24   -
 7  2  21>23   2.8
 8  3  31>32   1.5
 9  3  32>31   0.6
10  4  41>42   0.7
11  4  43>44   0.5
12  4  41>44   0.49
13  4  42>43   -    identical
"""
MODELS = {1: "a", 2: "b", 3: "c", 4: "a"}  # the generator of a trace, by its last digit
MEANS = {("a", "b"): 0.5, ("a", "c"): 0.1, ("b", "a"): -0.5, ("b", "c"): 0.1}  # all others have no generator delta
CHARACTERS = {1: 40, 2: 30, 3: 20, 4: 10}
RATED = {"rubric": ["logic"]}


def pair_row(
    number: int, prompt: int, chosen: int, rejected: int, identical: bool = False, same_texts_as: int | None = None
) -> dict[str, Any]:
    """One row of `pairs`, of the generators of MODELS."""
    return {
        "pair_id": number,
        "prompt_id": prompt,
        "chosen_trace_id": chosen,
        "rejected_trace_id": rejected,
        "chosen_model": MODELS[chosen % 10],
        "rejected_model": MODELS[rejected % 10],
        "identical": identical,
        "same_texts_as": same_texts_as,
    }


def delta_row(number: int, delta: float | None) -> dict[str, Any]:
    """One row of `deltas`, of a chosen trace with a score of 4."""
    if delta is None:
        return {"pair_id": number, "n_logic": 0}
    return {
        "pair_id": number,
        "chosen_logic": 4.0,
        "rejected_logic": 4.0 - delta,
        "delta_logic": delta,
        "n_logic": 1,
    }


def trace_row(trace: int, prompt: int) -> dict[str, Any]:
    """One row of `traces`, but for the columns that are made of its text."""
    return {
        "trace_id": trace,
        "prompt_id": prompt,
        "generator": MODELS[trace % 10],
        "sample_index": 0,
        "completion": "x" * CHARACTERS[trace % 10],
        "finish_reason": "stop",
    }


def tables(text: str = CANDIDATES) -> dict[str, pl.DataFrame]:
    """The tables of a listing, the generator deltas of MEANS, traces as long as CHARACTERS says and of a fifth as many
    tokens."""
    pairs, deltas, traces = [], [], {}
    for line in text.strip().splitlines():
        number, prompt, ends, delta, *more = line.split()
        chosen, rejected = (int(end) for end in ends.split(">"))
        same = int(more[-1]) if "as" in more else None
        pairs.append(pair_row(int(number), int(prompt), chosen, rejected, "identical" in more, same))
        deltas.append(delta_row(int(number), None if delta == "-" else float(delta)))
        traces |= {trace: trace_row(trace, int(prompt)) for trace in (chosen, rejected)}
    means = [
        {"chosen_model": chosen, "rejected_model": rejected, "judge": "rubric", "dimension": "logic", "mean": mean}
        for (chosen, rejected), mean in MEANS.items()
    ]
    prompts = [
        {"prompt_id": prompt, "source": "odd" if prompt % 2 else "even"} for prompt in {p["prompt_id"] for p in pairs}
    ]
    written = generate.add_text_columns(world.rows_of(contracts.TRACES, list(traces.values())))
    return {
        "pairs": world.rows_of(contracts.PAIRS, pairs),
        "rubric": world.rows_of(contracts.deltas(["logic"]), deltas),
        "generator_deltas": world.rows_of(measurements.GENERATOR_DELTAS, means),
        "traces": written,
        "renderings": written.select("trace_id", (pl.col("characters") // 5).alias("tokens")),
        "prompts": world.rows_of(contracts.PROMPTS, prompts),
    }


def candidates(text: str = CANDIDATES, shuffle: int | None = None) -> Candidates:
    """The candidates of a listing."""
    made = tables(text)
    if shuffle is not None:
        made = {name: rows.sample(fraction=1.0, shuffle=True, seed=shuffle) for name, rows in made.items()}
    return from_frames(deltas={"rubric": made.pop("rubric")}, **made)


def verdicts(text: str = CANDIDATES, shuffle: int | None = None, **changes: Any) -> pl.DataFrame:
    """The verdicts of a selection of top deltas with some of its settings changed."""
    plain = world.PLAIN | {"value": "rubric.delta_logic", "keep": {"kind": "top"}}
    rows = select("s", Params.model_validate(plain | changes), candidates(text, shuffle)).verdicts
    parquet.check(contracts.SELECTIONS, rows, "selections")
    assert rows.height == len(text.strip().splitlines())
    return rows


def reasons(text: str = CANDIDATES, **changes: Any) -> dict[int, str]:
    """The reason of each candidate, by pair."""
    return dict(verdicts(text, **changes).select("pair_id", "reason").rows())


def kept(text: str = CANDIDATES, **changes: Any) -> set[int]:
    """The kept pairs."""
    return {number for number, reason in reasons(text, **changes).items() if reason == "kept"}


def per_prompt(most: int) -> dict[str, Any]:
    return world.LIMITS | {"per_prompt": most}


def test_the_top_deltas() -> None:
    assert reasons(require={"clear": "rubric.delta_logic >= 0.5"}, limits=per_prompt(2), budget={"pairs": 4}) == {
        1: "kept",
        2: "clear",
        3: "kept",
        4: "per_prompt",
        5: "identical",
        6: "clear",  # unknown is not met
        7: "kept",
        8: "kept",
        9: "reversed",
        10: "over_budget",
        11: "over_budget",
        12: "clear",
        13: "identical",  # before unscored
    }


def test_the_bottom_deltas() -> None:
    assert reasons(keep={"kind": "bottom"}, limits=per_prompt(1), budget={"pairs": 3}) == {
        1: "reversed",
        2: "kept",
        3: "per_prompt",
        4: "per_prompt",
        5: "identical",
        6: "unscored",
        7: "over_budget",
        8: "reversed",
        9: "kept",
        10: "per_prompt",
        11: "per_prompt",
        12: "kept",
        13: "identical",
    }


def test_without_limits_all_but_ties_unscored_and_reverses_are_kept() -> None:
    assert kept() == kept(budget={"pairs": 99}) == {1, 3, 4, 7, 8, 10, 11, 12}


@pytest.mark.parametrize(
    ("order", "within", "looked_for"),
    [("ladder", False, False), ("scale", False, False), ("both", False, True), ("listed", False, True),
     ("scale", True, True)],
)  # fmt: skip
def test_a_reverse_is_looked_for_wherever_a_pair_may_have_one(
    order: Any, within: bool, looked_for: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind of fault: both of two pairs kept that say the opposite, as where preference sets list one both ways."""
    study = read(world.write(world.sound(), tmp_path))
    monkeypatch.chdir(tmp_path)
    study.pair = study.pair.model_copy(update={"order": order, "within_generator": within})
    found = set(select("s", Params.model_validate(world.PLAIN), from_files(study)).verdicts["reason"].unique())
    assert ("reversed" in found) is looked_for  # the table has pairs of both orders


def test_a_band_and_quantiles_by_value() -> None:
    banded = reasons(keep={"kind": "band", "low": 0.5, "high": 2.0})
    assert {number for number, reason in banded.items() if reason == "kept"} in (
        {4, 8, 10, 11},
        {4, 9, 10, 11},
    )  # of 8 and its reverse either, by draw
    assert {number for number, reason in banded.items() if reason == "outside_band"} == {1, 2, 3, 7, 12}
    # 10 scored ones: -3 .49 .5 .6 .7 1.5 2 2.5 2.8 3
    middle = reasons(keep={"kind": "quantiles", "low": 0.2, "high": 0.7})
    assert {number for number, reason in middle.items() if reason == "outside_band"} == {1, 2, 3, 7, 12}


def test_the_nearest_to_a_number_and_to_an_expression() -> None:
    assert kept(keep={"kind": "nearest", "target": 0.65}, budget={"pairs": 2}) == {9, 10}
    assert kept(keep={"kind": "nearest", "target": "avg(rubric.delta_logic) over () + 1.5"}, budget={"pairs": 1}) == {
        3
    }  # the mean of the 10 that are not identical is 1.109


def test_a_pair_without_a_target_is_unscored() -> None:
    found = reasons(keep={"kind": "nearest", "target": "case when prompt_id = 3 then 1.0 end"})
    assert found == dict.fromkeys(range(1, 14), "unscored") | {
        5: "identical",
        13: "identical",
        8: "reversed",
        9: "kept",
    }  # 0.6 is nearer to 1 than 1.5 is


def test_the_smallest_share_and_tokens() -> None:
    assert kept(budget={"share": 0.5}) == {1, 3, 4, 7}  # of 8
    # tokens of both sides: 1 8+6, 7 8+4, 3 4+2, 4 8+2
    assert [kept(budget={"tokens": count}) for count in (13, 14, 25, 26, 31, 32, 42)] == [
        set(),
        {1},
        {1},
        {1, 7},
        {1, 7},
        {1, 3, 7},
        {1, 3, 4, 7},
    ]


def test_strata_share_the_budget() -> None:
    by = {"by": "prompt.source", "shares": "equal"}
    assert kept(strata=by, budget={"pairs": 4}) == {1, 3, 7, 10}  # two of each
    assert kept(strata=by, budget={"pairs": 7}) == {
        1,
        3,
        4,
        7,
        10,
        11,
        12,
    }  # what is left over goes to `even`, the first
    assert kept(strata={**by, "shares": "proportional"}, budget={"share": 0.5}) == {1, 3, 7, 10}  # 4 of each are open


def test_no_generator_writes_more_than_its_share() -> None:
    half = world.LIMITS | {"generator_share": {"side": "chosen", "at_most": 0.5}}
    found = reasons(limits=half)  # 13>14 and 43>44 are c's, all others a's
    assert {number for number, reason in found.items() if reason == "kept"} == {1, 3, 7, 11}
    assert {number for number, reason in found.items() if reason == "generator_share"} == {4, 8, 10, 12}
    few = reasons(
        limits=half, budget={"pairs": 2}
    )  # of the two best the share leaves one, and the best of c's comes up
    assert [few[number] for number in (8, 10, 12)] == ["over_budget"] * 3 and sorted(few.values()).count(
        "generator_share"
    ) == 1
    third = world.LIMITS | {"generator_share": {"side": "chosen", "at_most": 0.3}}
    assert kept(limits=third) == set()  # of two generators one writes at least half


def test_a_requirement_that_is_unknown_is_not_met() -> None:
    assert set(reasons(require={"loud": "not rubric.within_noise_logic"}).values()) == {"identical", "loud"}


def test_a_limit_on_the_difference_of_lengths() -> None:
    assert kept(require={"length": "abs(chosen.characters - rejected.characters) <= 10"}) == {1, 3, 8, 10, 11}


def test_generator_deltas_rank_by_the_two_generators() -> None:
    unscored = dict.fromkeys((3, 4, 6, 11, 12), "unscored")  # c over a, and a over a, have no generator delta
    assert reasons(value="rubric.generator_delta_logic", budget={"pairs": 3}) == unscored | {
        1: "kept",
        2: "reversed",
        5: "identical",
        7: "over_budget",  # a over c
        8: "kept",
        9: "reversed",
        10: "kept",
        13: "identical",
    }


@pytest.mark.parametrize(("value", "ratings"), [
    ("rubric.generator_delta_logic", (4.0, 1.0)), ("rubric.delta_logic", (4.0, 1.0)),
    ('"rubric".chosen_logic', (4.0, 1.0)), ("2 * rubric.delta_logic", (None, None)), (None, (None, None)),
])  # fmt: skip
def test_ratings_are_those_of_the_one_dimension_a_value_is_of(
    value: str | None, ratings: tuple[float | None, float | None]
) -> None:
    how = Params.model_validate(world.PLAIN | {"value": value, "keep": {"kind": "top" if value else "random"}})
    found = candidates()
    rows = kept_rows(select("s", how, found), RATED)
    assert rows.filter(pl.col("chosen_trace_id").is_in([11, 12]) & pl.col("rejected_trace_id").is_in([11, 12])).select(
        "chosen_rating", "rejected_rating").row(0) in (ratings, ratings[::-1])  # fmt: skip


def test_the_prompts_mean_and_deviation_count_each_trace_once() -> None:
    found = candidates("1 1 11>12 1.0\n2 1 11>13 3.0\n3 2 21>22 -").values(
        {"mean": "rubric.prompt_mean_logic", "sd": "rubric.prompt_sd_logic"}
    )
    assert found["mean"].to_list() == [pytest.approx(8 / 3), pytest.approx(8 / 3), None]  # of 4, 3 and 1
    assert found["sd"].to_list() == [
        pytest.approx(np.std([4, 3, 1], ddof=1)),
        pytest.approx(np.std([4, 3, 1], ddof=1)),
        None,
    ]


def test_windows_over_parts_leave_the_rows_in_their_order() -> None:
    named = {
        "pair": "pair_id",
        "most": "max(rubric.delta_logic) over (partition by prompt_id)",
        "rank": "rank() over (order by rubric.delta_logic desc)",
    }
    found = candidates().values(named)
    assert found["pair"].to_list() == list(range(1, 14))
    assert found["most"].to_list() == [3.0, 3.0, 3.0, 3.0, 2.9, 2.9, 2.9, 1.5, 1.5, 0.7, 0.7, 0.7, 0.7]
    best = {"best": "rubric.delta_logic = max(rubric.delta_logic) over (partition by prompt_id)"}
    assert kept(require=best) == {1, 8, 10}  # 5 is identical


def test_random_keeps_its_budget_whatever_the_deltas() -> None:
    free: dict[str, Any] = {"value": None, "keep": {"kind": "random"}, "budget": {"pairs": 5}}
    assert sorted(reasons(**free).values()) == ["identical"] * 2 + ["kept"] * 5 + ["over_budget"] * 4 + ["reversed"] * 2
    assert kept(CANDIDATES.replace("3.0", "9.0").replace("0.49", "-"), **free) == kept(**free)


def test_random_draws_are_nested_and_differ_by_seed() -> None:
    def drawn(count: int, seed: int = 0) -> set[int]:
        return kept(value=None, keep={"kind": "random"}, budget={"pairs": count}, seed=seed)

    assert drawn(2) < drawn(4) < drawn(6)
    assert len({frozenset(drawn(4, seed)) for seed in range(8)}) > 4


def test_a_reverse_is_kept_where_the_better_way_round_is_rejected() -> None:
    assert reasons("1 1 11>12 -\n2 1 12>11 1.0") == {1: "unscored", 2: "kept"}


EQUAL = "\n".join(f"{number} 1 {number}1>{number}2 1.0" for number in range(1, 41))


def test_equal_margins_are_ranked_by_a_draw_of_seed_and_pair() -> None:
    drawn = [kept(EQUAL, budget={"pairs": 10}, seed=seed) for seed in range(3)]
    for seed, numbers in enumerate(drawn):
        assert numbers == set(sorted(range(1, 41), key=lambda number, s=seed: draw(number, s))[:10])  # type: ignore[misc]
    assert len({frozenset(numbers) for numbers in drawn}) == 3


def test_margins_that_differ_beyond_nine_decimals_are_equal() -> None:
    noisy = "\n".join(f"{number} 1 {number}1>{number}2 {1 + number * 1e-13}" for number in range(1, 41))
    assert kept(noisy, budget={"pairs": 10}) == kept(EQUAL, budget={"pairs": 10})


def test_a_margin_of_rounding_noise_is_none() -> None:
    made = verdicts(value="0.1::double + 0.2::double - 0.3::double + 0 * rubric.delta_logic")
    assert set(made.drop_nulls()["margin"]) == {0.0}


def test_all_ties_keep_no_pair() -> None:
    assert reasons("1 1 11>12 1.0 identical\n2 1 12>11 -1.0 identical", budget={"share": 0.5}) == {
        1: "identical",
        2: "identical",
    }


def test_an_expression_of_a_table_that_was_not_given_names_the_table() -> None:
    pairs = from_frames(world.rows_of(contracts.PAIRS, [pair_row(1, 1, 11, 12)]))
    assert pairs.values({"value": "chosen_model || rejected_model"})["value"].to_list() == ["ab"]
    with pytest.raises(CurationError, match=r"^from_frames: 'characters' is a column of traces; give it, traces=…$"):
        pairs.values({"value": "chosen.characters"})


def test_an_expression_that_fails_on_a_value_is_named() -> None:
    with pytest.raises(
        CurationError,
        match=r"^params\.yaml: selections\.s\.value: 'chosen\.generator::int': "
        r"Conversion Error: Could not convert string 'a' to INT32",
    ):
        verdicts(value="chosen.generator::int")
    with pytest.raises(CurationError, match=r"Division by zero in expression \(1 // 0\)\.$"):
        verdicts(value="1 // 0")


def test_the_expression_that_fails_is_the_one_that_is_named() -> None:
    """Beside one that is a column, which nothing evaluates."""
    with pytest.raises(
        CurationError,
        match=r"^params\.yaml: selections\.s\.require\.odd: 'chosen\.generator::int > 3': Conversion Error",
    ):
        verdicts(value="rubric.delta_logic", require={"odd": "chosen.generator::int > 3"})


def test_a_curriculum_has_places_and_unknown_values_come_last() -> None:
    rows = np.array([0, 2, 5, 6])  # 3.0, 2.5, unscored, 2.8
    for first, positions in (("lowest", [2, 0, 3, 1]), ("highest", [0, 2, 3, 1])):
        order = {"by": "rubric.delta_logic", "first": first}
        made = select("s", Params.model_validate(world.PLAIN | {"order": order}), candidates())
        assert curriculum_positions(made, rows).to_list() == positions
        assert made.notes == ["order.by is no finite number for 1 of the pairs that it keeps: they come last"]


def mixed(x: int) -> int:
    """SplitMix64's next output from the state x, in Python's own integers."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return x ^ (x >> 31)


def draw(number: int, seed: int) -> int:
    return mixed(number ^ mixed(seed % 2**64))


def test_draws_are_splitmix64() -> None:
    ids = np.array([0, 1, 2**62, 2**63 - 1])
    assert ranking.draws(ids, -3).tolist() == [draw(int(one), -3) for one in ids]
    assert mixed(0) == 0xE220A8397B1DCDAF  # the published generator's first output from 0


Row = tuple[int, int, int, int, float | None, bool, str]  # pair, prompt, chosen, rejected, value, identical, stratum


def said(row: Row, alike: bool) -> tuple[int, int]:
    """The two texts of a row: where traces are `alike`, 4 says what 1 says."""
    chosen, rejected = (end - 3 if alike and end % 10 == 4 else end for end in row[2:4])
    return chosen, rejected


def reference(how: Params, rows: list[Row], alike: bool) -> dict[int, str]:
    """What the settings mean, one pair at a time."""
    found: dict[int, str] = {}
    left = []
    for row in rows:
        number, _, chosen, rejected, value, identical, _ = row
        near = abs(CHARACTERS[chosen % 10] - CHARACTERS[rejected % 10]) <= 10
        if identical:
            found[number] = "identical"
        elif how.require and not near:
            found[number] = "near"
        elif value is None and how.value:
            found[number] = "unscored"
        else:
            left.append(row)
    for row in [*left]:
        if any(said(row, alike) == said(other, alike) and row[2:4] > other[2:4] for other in left):
            found[row[0]] = "repeated"
    left = [row for row in left if row[0] not in found]
    if how.keep.kind == "band":
        inside = [
            row
            for row in left
            if (how.keep.low is None or row[4] >= how.keep.low) and (how.keep.high is None or row[4] <= how.keep.high)
        ]  # type: ignore[operator]
    elif how.keep.kind == "quantiles":
        ranked = sorted(left, key=lambda row: (row[4], draw(row[0], how.seed)))
        inside = ranked[int(Fraction(str(how.keep.low)) * len(left)) : int(Fraction(str(how.keep.high)) * len(left))]
    else:
        inside = left
    found |= {row[0]: "outside_band" for row in left if row not in inside}

    def rank(row: Row) -> tuple[float, int]:
        by = {"top": lambda v: -v, "bottom": lambda v: v, "nearest": lambda v: abs(v - how.keep.target)}.get(
            how.keep.kind, lambda v: 0.0
        )  # type: ignore[union-attr]
        return by(row[4]), draw(row[0], how.seed)

    ends = {(row[2], row[3]): row for row in inside}
    lost = [row for row in inside if (row[3], row[2]) in ends and rank(ends[row[3], row[2]]) < rank(row)]
    found |= {row[0]: "reversed" for row in lost}
    left = sorted((row for row in inside if row not in lost), key=rank)
    if how.limits.per_prompt:
        seen: Counter[int] = Counter()
        for row in left:
            seen[row[1]] += 1
            if seen[row[1]] > how.limits.per_prompt:
                found[row[0]] = "per_prompt"
        left = [row for row in left if row[0] not in found]
    total = len(left)
    if how.budget:
        total = (
            int(how.budget["pairs"]) if "pairs" in how.budget else int(Fraction(str(how.budget["share"])) * len(left))
        )
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in left:
        groups[row[6] if how.strata else ""].append(row)
    sizes = {name: len(groups[name]) for name in sorted(groups)}
    for name, room in shared(sizes, total, how.strata.shares if how.strata else "equal").items():
        chosen_rows = capped(groups[name], room, how)
        found |= chosen_rows
    return found


def shared(sizes: dict[str, int], total: int, shares: str) -> dict[str, int]:
    total = min(total, sum(sizes.values()))
    if shares == "equal":  # one at a time to each that has one left
        given = dict.fromkeys(sizes, 0)
        for name in itertools.cycle(sizes):
            if sum(given.values()) == total:
                return given
            given[name] += given[name] < sizes[name]
        return given
    exact = {name: Fraction(size * total, max(sum(sizes.values()), 1)) for name, size in sizes.items()}
    given = {name: int(part) for name, part in exact.items()}
    for name in sorted(sizes, key=lambda one: given[one] - exact[one])[: total - sum(given.values())]:
        given[name] += 1
    return given


def capped(ranked: list[Row], room: int, how: Params) -> dict[int, str]:
    """The verdicts of one stratum: of all numbers of pairs that the share allows the largest."""
    limit = how.limits.generator_share
    sides: dict[str, list[Row]] = defaultdict(list)
    for row in ranked:
        sides[MODELS[row[2 if limit is None or limit.side == "chosen" else 3] % 10]].append(row)
    for count in range(min(room, len(ranked)), -1, -1):
        most = count if limit is None else int(Fraction(str(limit.at_most)) * count)
        within = [
            row
            for row in ranked
            if sides[MODELS[row[2 if limit is None or limit.side == "chosen" else 3] % 10]].index(row) < most
            or limit is None
        ]
        if len(within) >= count:
            chosen_rows = within[:count]
            reach = room if count == min(room, len(ranked)) else len(ranked)
            return {
                row[0]: "kept" if row in chosen_rows else "generator_share" if place < reach else "over_budget"
                for place, row in enumerate(ranked)
            }
    raise AssertionError


VALUES = st.sampled_from([None, -1.0, 0.0, 0.5, 1.0, 2.0])
LINES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), VALUES, st.booleans()).filter(
    lambda line: line[1] != line[2]
)
KEEPS = st.one_of(
    st.sampled_from([{"kind": kind} for kind in ("top", "bottom", "random")]),
    st.sampled_from([{"kind": "nearest", "target": 0.6}, {"kind": "nearest", "target": -1.0}]),
    st.builds(
        lambda low, high: {"kind": "band", "low": low, "high": high},
        st.none() | st.sampled_from([-1.0, 0.5]),
        st.none() | st.sampled_from([0.5, 1.0]),
    ),
    st.sampled_from(
        [
            {"kind": "quantiles", "low": low, "high": high}
            for low, high in ((0.0, 0.5), (0.25, 0.75), (0.9, 1.0), (0.0, 1.0))
        ]
    ),
)
BUDGETS = (
    st.none()
    | st.builds(lambda n: {"pairs": float(n)}, st.integers(0, 12))
    | st.builds(lambda n: {"share": n / 10}, st.integers(1, 10))
)
SIDES = st.sampled_from(["chosen", "rejected"])
SHARES = st.none() | st.builds(
    lambda side, most: {"side": side, "at_most": most}, SIDES, st.sampled_from([0.3, 0.5, 0.6, 1.0])
)


@pytest.mark.slow
@given(
    st.lists(LINES, max_size=24, unique_by=lambda line: line[:3]), KEEPS, BUDGETS, st.none() | st.integers(1, 3),
    SHARES, st.booleans(), st.sampled_from([None, "equal", "proportional"]), st.integers(0, 3), st.booleans(),
)  # fmt: skip
@settings(max_examples=3 * settings().max_examples)
def test_every_rule_is_what_the_reference_says(
    lines: Any, keep: Any, budget: Any, most: Any, share: Any, near: bool, shares: Any, seed: int, alike: bool
) -> None:
    rows = [
        (n, p, 10 * p + c, 10 * p + r, value, identical, "odd" if p % 2 else "even")
        for n, (p, c, r, value, identical) in enumerate(lines, 1)
    ]
    groups = [[other for other in rows if said(other, alike) == said(row, alike)] for row in rows]
    firsts = [min(group, key=lambda one: one[2:4])[0] if len(group) > 1 else None for group in groups]
    same = {row[0]: "" if first is None else f" as {first}" for row, first in zip(rows, firsts, strict=True)}
    text = "\n".join(
        f"{n} {p} {c}>{r} {'-' if value is None else value} {'identical' if identical else ''}{same[n]}"
        for n, p, c, r, value, identical, _ in rows
    )
    changes = {
        "keep": keep, "budget": budget, "seed": seed, "limits": {"per_prompt": most, "generator_share": share},
        "require": {"near": "abs(chosen.characters - rejected.characters) <= 10"} if near else {},
        "strata": {"by": "prompt.source", "shares": shares} if shares and budget else None,
    }  # fmt: skip
    if not rows:
        return
    found = verdicts(text, **changes)
    how = Params.model_validate(world.PLAIN | {"value": "rubric.delta_logic"} | changes)
    assert dict(found.select("pair_id", "reason").rows()) == reference(how, rows, alike)
    assert verdicts(text, shuffle=seed, **changes).equals(found)


@cache
def many(prompts: range) -> Candidates:
    """Ten pairs of each prompt, of uniform deltas that depend on the prompt alone."""
    pairs = [
        pair_row(prompt * 100 + i, prompt, 1000 * prompt + 20 * i + 1, 1000 * prompt + 20 * i + 2)
        for prompt in prompts
        for i in range(10)
    ]
    deltas = [delta_row(row["pair_id"], draw(row["pair_id"], 99) / 2**64) for row in pairs]
    wide = world.rows_of(contracts.deltas(["logic"]), deltas)
    return from_frames(world.rows_of(contracts.PAIRS, pairs), {"rubric": wide})


@pytest.mark.parametrize("keep", [{"kind": "quantiles", "low": 0.4, "high": 0.6}, {"kind": "top"}, {"kind": "random"}])
def test_one_more_prompt_in_a_hundred_changes_little(keep: dict[str, Any]) -> None:
    """A selection of a share moves by its edge only, and no draw moves."""
    how = Params.model_validate(
        world.PLAIN
        | {
            "value": "rubric.delta_logic",
            "keep": keep,
            "budget": None if keep["kind"] == "quantiles" else {"share": 0.2},
        }
    )
    before, after = (
        set(made.verdicts.filter("kept")["pair_id"])
        for made in (select("s", how, many(range(size))) for size in (3000, 3030))
    )
    old = {one for one in after if one < 300_000}
    assert len(before ^ old) < 0.02 * len(before)


def message(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def test_a_subset_is_what_a_trainer_reads() -> None:
    made = world.sound()
    rows = made.subsets["clear"].sort("margin", descending=True)
    parquet.check(contracts.SUBSETS, rows, "subsets")
    assert rows.head(2).select("prompt", "chosen", "rejected", "margin", "chosen_rating", "rejected_rating").rows() == [
        (
            message("user", "What is 2 + 3?"),
            message("assistant", "2 + 3 = 5"),
            message("assistant", "2 + 3 = 6, I think, or 7"),
            2.5,
            5.0,
            2.5,
        ),
        (
            message("user", "What is 2 + 3?"),
            message("assistant", "2 + 3 is 5"),
            message("assistant", "2 + 3 = 6, I think, or 7"),
            1.5,
            4.0,
            2.5,
        ),
    ]
    assert made.subsets["nothing"].is_empty() and made.unpaired["nothing"].is_empty()
    parquet.check(contracts.SUBSETS, made.subsets["nothing"], "subsets")
    parquet.check(contracts.UNPAIRED, made.unpaired["nothing"], "unpaired")


def test_a_subset_holds_reasoning_beside_the_answer_and_the_whole_prompt() -> None:
    """The kind of fault: a text that a trace has and a subset lacks, or a pair that differs in its reasoning alone,
    taken for a pair of one text."""
    asked = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 3?"}]
    whole = [*asked[:1], {"role": "user", "content": "2 + 3?", "name": "ada"}]
    row = {"prompt_id": 1, "source": "sums", "task": "add", "split": "train", "prompt": asked}
    prompts = world.rows_of(contracts.PROMPTS, [row | {"messages": json.dumps(whole), "tools": "[]"}])
    reasoning = {"large": "2 and 3", "medium": "", "small": None}
    traces = generate.add_text_columns(world.rows_of(contracts.TRACES, [
        {"trace_id": number, "prompt_id": 1, "generator": name, "sample_index": 0, "completion": "5", "reasoning": text,
         "finish_reason": "stop"}
        for number, (name, text) in enumerate(reasoning.items())
    ]))  # fmt: skip
    pairs = pair.pair(world.pairing(order="ladder", ladder=list(reasoning)), traces)
    made = select("all", Params.model_validate(world.PLAIN), from_frames(pairs, traces=traces))
    reasons = made.verdicts.join(pairs, on="pair_id").select("chosen_trace_id", "rejected_trace_id", "reason").rows()
    assert sorted(reasons) == [(0, 1, "kept"), (0, 2, "repeated"), (1, 2, "identical")]
    rows = add_messages(kept_rows(made, {}), from_texts(traces, prompts))
    parquet.check(contracts.SUBSETS, rows, "subsets")
    columns = ("chosen", "chosen_reasoning", "rejected", "rejected_reasoning", "prompt", "prompt_messages", "tools")
    answer = message("assistant", "5")
    assert rows.select(columns).rows() == [(answer, "2 and 3", answer, "", asked, json.dumps(whole), "[]")]
    alone = unpair(rows)
    parquet.check(contracts.UNPAIRED, alone, "unpaired")
    assert alone.select("trace_id", "completion", "reasoning", "prompt_messages", "tools", "label").rows() == [
        (number, answer, text, json.dumps(whole), "[]", number == 0) for number, text in ((0, "2 and 3"), (1, ""))
    ]


def subset_of(*ends: tuple[int, int]) -> pl.DataFrame:
    """A subset of pairs of traces whose texts are their ids."""
    return world.rows_of(contracts.SUBSETS, [
        {
            "pair_id": number, "prompt_id": 1, "chosen_trace_id": chosen, "rejected_trace_id": rejected,
            "prompt": message("user", "?"), "chosen": message("assistant", str(chosen)),
            "rejected": message("assistant", str(rejected)), "margin": 1.0,
            "chosen_truncated": False, "rejected_truncated": False,
        }
        for number, (chosen, rejected) in enumerate(ends)
    ])  # fmt: skip


def test_an_unpaired_trace_comes_once_with_its_label() -> None:
    rows = unpair(subset_of((11, 12), (11, 13)))
    parquet.check(contracts.UNPAIRED, rows, "unpaired")
    assert rows.sort("trace_id").select("trace_id", "prompt", "completion", "label").rows() == [
        (11, message("user", "?"), message("assistant", "11"), True),
        (12, message("user", "?"), message("assistant", "12"), False),
        (13, message("user", "?"), message("assistant", "13"), False),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_trace_on_both_sides_is_in_no_unpaired_row(order: int) -> None:
    rows = unpair(subset_of(*[(11, 12), (12, 13), (14, 12)][::order]))
    assert sorted(rows.select("trace_id", "label").rows()) == [(11, True), (13, False), (14, True)]
    assert unpair(subset_of((11, 12), (12, 11))).is_empty()


def test_counts_say_what_became_of_the_candidates() -> None:
    found = verdicts(require={"clear": "rubric.delta_logic >= 0.5"}, limits=per_prompt(2), budget={"pairs": 4})
    rows = subset_of((11, 12), (12, 13)).with_columns(margin=pl.Series([1.0, 2.0]))
    assert subset_metrics(found, rows, unpair(rows)) == {
        "candidates": 13, "kept": 2, "prompts": 1, "unpaired": 2, "mean_margin": 1.5,
        "reason": {
            "clear": 3, "kept": 4, "over_budget": 2, "per_prompt": 1, "reversed": 1, "identical": 2,
        },
    }  # fmt: skip


def test_the_view_candidates_has_what_expressions_name(tmp_path: Path) -> None:
    """Every one of them but the means over a prompt, the generator deltas and the calibrated probabilities, and what is
    made of several."""
    sound = world.sound()
    thought = pl.when(pl.col("completion").is_not_null() & (pl.col("generator") != "small")).then(pl.lit("5, so"))
    traces = generate.add_text_columns(sound.traces.with_columns(reasoning=thought))
    counted = sound.renderings.with_columns(reasoning_tokens=pl.when("completion_kept").then(2).cast(pl.Int32))
    counted = counted.with_columns(tokens=pl.col("completion_tokens") + pl.col("reasoning_tokens"))
    made = replace(sound, traces=traces, renderings=counted)
    view = from_frames(
        made.pairs,
        made.deltas,
        made.generator_deltas,
        made.traces,
        made.renderings,
        made.prompts,
        {"held_out": made.pair_scores},
    )
    texts = [
        "rubric.delta_logic",
        "versus.chosen_preference",
        "chosen.characters - rejected.characters",
        "prompt.source || chosen_model",
        "identical",
        "held_out.implicit_margin",
        "answer.delta_correct",
        "chosen.tokens + rejected.tokens",
    ]
    params = world.write(made, tmp_path)
    aggregated = (*column_names.OF_PROMPT, column_names.OF_GENERATORS, column_names.SOFT)
    texts += [".".join(name) for name in column_names.schema(read(params)) if not name[-1].startswith(aggregated)]
    assert {"chosen.reasoning_tokens", "rejected.completion_characters", "chosen.status"} <= set(texts)
    with db.connect(params) as connection:
        listed = ", ".join(f"({text}) as c{number}" for number, text in enumerate(texts))
        rows = connection.sql(f"select {listed} from candidates order by pair_id").pl()
    reasoned = rows[f"c{texts.index('chosen.reasoning_characters')}"]
    assert reasoned.drop_nulls().unique().to_list() == [5] and reasoned.null_count()
    assert rows.equals(
        view.values({f"c{number}": text for number, text in enumerate(texts)}).with_columns(pl.col(pl.Float64).round(9))
    )


def test_the_filters_run_in_the_order_of_the_reasons() -> None:
    """The kind of fault: a reason that is listed and never given, or given out of its turn."""
    before, after = [IDENTICAL, GENERATOR_PAIRS, UNSCORED, REPEATED], [GENERATOR_SHARE, OVER_BUDGET, KEPT]
    assert [*before, *FILTERS, *after] == list(REASONS)


FAILS_ON_1 = "if(rubric.delta_logic > 2.9, 'x', '1')::int"
REQUIRED = {  # an expression that fails on, or is moved by, pair 1, which `require` drops, and the same without it
    "value": {"value": "1 / (rubric.delta_logic - 3)::int + ln(4 - rubric.delta_logic)"},
    "cast": {"value": FAILS_ON_1},
    "window": {"value": "rubric.delta_logic - max(rubric.delta_logic) over ()"},
    "rank": {"value": "rank() over (order by rubric.delta_logic desc)", "keep": {"kind": "bottom"}},
    "quantiles": {"keep": {"kind": "quantiles", "low": 0.3, "high": 0.8}},
    "target": {"keep": {"kind": "nearest", "target": "max(rubric.delta_logic) over ()"}, "budget": {"pairs": 2}},
    "target_cast": {"keep": {"kind": "nearest", "target": FAILS_ON_1}},
    "strata": {"strata": {"by": FAILS_ON_1, "shares": "equal"}, "budget": {"pairs": 3}},
    "strata_window": {
        "strata": {"by": "ntile(2) over (order by rubric.delta_logic)", "shares": "equal"}, "budget": {"pairs": 4},
    },
    "order": {"order": {"by": FAILS_ON_1, "first": "lowest"}},
    "require": {"require": {"far": "rubric.delta_logic < 2.95", "cast": f"{FAILS_ON_1} = 1"}},
}  # fmt: skip


@pytest.mark.parametrize("name", REQUIRED)
def test_what_a_requirement_drops_neither_fails_nor_moves_anything(name: str) -> None:
    """The kind of fault: a pair that the settings exclude, on which an expression fails, or which shifts the quantiles,
    ranks and windows of those that may be kept."""
    changes = {"require": {"far": "rubric.delta_logic < 2.95"}} | REQUIRED[name]
    without = CANDIDATES.replace(" 1  1  11>12   3.0\n", "")
    assert "11>12   3.0" not in without
    made, other = verdicts(**changes), verdicts(without, **changes)
    assert made.filter(pair_id=1)["reason"].to_list() == ["far"]
    ranked = [
        rows.filter(pl.col("pair_id") != 1, ~pl.col("reason").is_in(["identical", "far"])) for rows in (made, other)
    ]
    assert ranked[0].equals(ranked[1])


def test_a_control_ranks_what_a_requirement_drops_as_far_as_it_can_be() -> None:
    settings = world.PLAIN | {"value": "if(rubric.delta_logic > 2.9, 'x', '1')::int", "keep": {"kind": "top"}}
    made = select("s", Params.model_validate(settings | {"require": {"low": "rubric.delta_logic < 1"}}), candidates())
    margin = dict(zip(range(1, 14), made.worth.margin.tolist(), strict=True))
    assert np.isnan(margin[1]) and margin[3] == margin[4] == margin[5] == 1.0


SAME_TEXTS = """
 1  1  11>12   1.0  as 1
 2  1  13>12   3.0  as 1
 3  1  14>12   2.0
 4  1  12>11   0.5  as 4
 5  1  12>13  -3.0  as 4
 6  2  21>22   0.1
"""


def test_the_same_two_texts_are_one_pair() -> None:
    """Carried by the smallest ids of those that meet the requirements and have a value. The kind of fault: one
    preference that counts, is trained, and weighs in a quantile as often as traces happen to repeat it."""
    assert reasons(SAME_TEXTS) == {1: "kept", 2: "repeated", 3: "kept", 4: "reversed", 5: "repeated", 6: "kept"}
    alone = {"require": {"clear": "rubric.delta_logic > 1.5"}}
    assert reasons(SAME_TEXTS, **alone) == dict.fromkeys((1, 4, 5, 6), "clear") | {2: "kept", 3: "kept"}
    assert reasons(SAME_TEXTS.replace("1.0", "-"), budget={"share": 1.0})[2] == "kept"
    ranked = verdicts(SAME_TEXTS, value="rank() over (order by rubric.delta_logic desc)", keep={"kind": "bottom"})
    assert dict(ranked.drop_nulls().filter(pl.col("reason") != "repeated").select("pair_id", "margin").rows()) == {
        1: 2.0, 3: 1.0, 4: 3.0, 6: 4.0,
    }  # fmt: skip


NOTED = {
    "value": ({"value": "1 / (rubric.delta_logic - 3)"}, "value is NaN or infinite for 1 of 11 candidates: unscored"),
    "log": ({"value": "ln(rubric.delta_logic - 3)"}, "value is NaN or infinite for 1 of 11 candidates: unscored"),
    "target": (
        {"keep": {"kind": "nearest", "target": "1 / (rubric.delta_logic - 3)"}},
        "keep.target is NaN or infinite for 1 of 11 candidates: unscored",
    ),
    "strata": (
        {"strata": {"by": "nullif(prompt.source, 'odd')", "shares": "equal"}, "budget": {"pairs": 2}},
        "strata.by is null for 6 of 10 candidates: a stratum of their own",
    ),
    "order": (
        {"order": {"by": "1 / (rubric.delta_logic - 3)", "first": "highest"}},
        "order.by is no finite number for 1 of the pairs that it keeps: they come last",
    ),
}


@pytest.mark.parametrize("name", NOTED)
def test_a_value_that_is_no_number_is_said(name: str) -> None:
    changes, note = NOTED[name]
    if name == "log":
        changes = {"value": "if(rubric.delta_logic = 3, 'nan'::double, rubric.delta_logic)"}
    plain = world.PLAIN | {"value": "rubric.delta_logic", "keep": {"kind": "top"}}
    assert select("s", Params.model_validate(plain | changes), candidates()).notes == [note]
    assert select("s", Params.model_validate(plain), candidates()).notes == []


def test_a_budget_of_tokens_does_not_take_a_pair_without_a_count() -> None:
    made = candidates()
    counted = made.readers.renderings(["trace_id", "tokens"]).filter(pl.col("trace_id") != 11)
    made.readers = made.readers._replace(renderings=counted.select)
    how = Params.model_validate(world.PLAIN | {"budget": {"tokens": 500}})
    with pytest.raises(CurationError, match=r"^params\.yaml: selections\.s\.budget\.tokens: 2 pairs have a side"):
        select("s", how, made)


def test_what_asks_for_noise_is_told_how_often_chance_passes_for_more() -> None:
    plain = Params.model_validate(world.settings()["selections"]["clear"])
    asks = plain.model_copy(update={"require": {"loud": "not rubric.within_noise_logic"}})
    assert noise_message(asks, 1.0) == "delta.noise is 1: of pairs that are equal to a judge 32% are beyond its noise"
    assert noise_message(plain, 1.0) is None
