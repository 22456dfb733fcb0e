"""Why a pair has its verdict: the numbers that are said decide the very verdict that the selection gave, for every
pair and every rule.

Kinds of fault: a rank counted among other rows than the selection counted; a cut that is not the last that is kept; a
reason without numbers."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from test_select import BUDGETS, KEEPS, LINES, SHARES, candidates, per_prompt

from curation.selection.candidates import from_frames
from curation.selection.reasons import Reasons, Why
from curation.selection.restored import divide_again, restore
from curation.selection.rules import REASONS, Params
from curation.selection.select import Selection, select

TOP = world.PLAIN | {"value": "rubric.delta_logic", "keep": {"kind": "top"}}


def explained(text: str | None = None, **changes: Any) -> dict[int, Why]:
    """Why each candidate of a listing has its verdict, by pair; each of the verdict that it has, and the same of the
    selection restored from its table."""
    pairs, settings = candidates(*([] if text is None else [text])), Params.model_validate(TOP | changes)
    selection = select("s", settings, pairs)
    table = selection.verdicts.select("pair_id", pl.col("reason").cast(pl.String), "margin")
    reasons, restored = Reasons(selection), Reasons(restore("s", settings, pairs, table))
    told = {pair: reasons.explain(row) for row, pair in enumerate(reasons.ids.tolist())}
    assert {pair: why.reason for pair, why in told.items()} == dict(
        selection.verdicts.select("pair_id", "reason").rows()
    )
    assert {pair: restored.explain(row) for row, pair in enumerate(reasons.ids.tolist())} == told
    assert not any(map(restored.contradicts, told.values()))
    check_another_budget(settings, selection)
    return told


def check_another_budget(settings: Params, selection: Selection) -> None:
    """A selection with another budget is what dividing that anew makes of it."""
    if not settings.has_token_budget:
        other = settings.model_copy(update={"budget": {"pairs": 2.0}})
        whole, divided = select("s", other, selection.pairs), divide_again(selection, other)
        assert_frame_equal(whole.verdicts, divided.verdicts)


def decide(why: Why, settings: Params) -> str:
    """The verdict that the numbers of `why` decide, where they alone do."""
    said, keep = why.numbers, settings.keep.kind
    if "room" in said and settings.limits.generator_share is None:
        if settings.has_token_budget:
            return "kept" if said["tokens_so_far"] <= said["budget_tokens"] else "over_budget"
        return "kept" if said["rank"] <= said["room"] else "over_budget"
    if "limit" in said:
        return "per_prompt" if said["rank"] > said["limit"] else "wrong"
    if "low" in said:
        low, high = (
            float(f"{sign}inf") if end is None else end
            for sign, end in zip("-+", (said["low"], said["high"]), strict=True)
        )
        return "outside_band" if not low <= said["margin"] <= high else "wrong"
    if keep == "quantiles" and "first" in said:
        return "outside_band" if not said["first"] <= said["rank"] <= said["last"] else "wrong"
    if "reverse_margin" in said and keep in ("top", "bottom"):
        higher = said["reverse_margin"] - said["margin"]
        return "reversed" if (higher if keep == "top" else -higher) >= 0 else "wrong"
    return why.reason


@given(
    st.lists(LINES, min_size=1, max_size=24, unique_by=lambda line: line[:3]), KEEPS,
    BUDGETS | st.builds(lambda n: {"tokens": float(n)}, st.integers(0, 60)), st.none() | st.integers(1, 3), SHARES,
    st.sampled_from([None, "equal", "proportional"]), st.integers(0, 3),
)  # fmt: skip
def test_the_numbers_decide_the_verdict_of_every_pair(
    lines: Any, keep: Any, budget: Any, most: Any, share: Any, shares: Any, seed: int
) -> None:
    text = "\n".join(
        f"{n} {p} {10 * p + c}>{10 * p + r} {'-' if value is None else value} {'identical' if identical else ''}"
        for n, (p, c, r, value, identical) in enumerate(lines, 1)
    )
    share = None if budget and "tokens" in budget else share
    changes = {
        "keep": keep, "budget": budget, "seed": seed, "limits": {"per_prompt": most, "generator_share": share},
        "require": {"near": "abs(chosen.characters - rejected.characters) <= 10"},
        "strata": {"by": "prompt.source", "shares": shares} if shares and budget and "tokens" not in budget else None,
    }  # fmt: skip
    settings, ranks = Params.model_validate(TOP | changes), defaultdict[Any, list[int]](list)
    for why in explained(text, **changes).values():
        assert decide(why, settings) == why.reason and why.words
        if "room" in why.numbers:
            ranks[why.numbers.get("stratum")].append(why.numbers["rank"])
            if why.numbers.get("cut") is not None and share is None and keep["kind"] in ("top", "bottom"):
                over = why.numbers["margin"] - why.numbers["cut"]
                assert (over if keep["kind"] == "top" else -over) * (1 if why.reason == "kept" else -1) >= 0
        if "generator" in why.numbers:
            of = why.numbers["generator"]
            assert of["kept"] <= of["at_most"] * why.numbers["kept"] + 1e-9
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in ranks.values())


def test_what_is_said_of_each_reason() -> None:
    told = explained(
        require={"clear": "rubric.delta_logic >= 0.5 or rubric.delta_logic is null"},
        limits=per_prompt(2),
        budget={"pairs": 4},
    )
    said = {why.reason: why.words for why in reversed(told.values())}
    assert said == {
        "identical": "both sides are the same text",
        "clear": "not true: rubric.delta_logic >= 0.5 or rubric.delta_logic is null, where rubric.delta_logic is -3",
        "unscored": "rubric.delta_logic gives no number, where rubric.delta_logic is unknown",
        "reversed": "pair 8, the same traces the other way round, ranks higher: margin 1.5, here 0.6",
        "per_prompt": "rank 3 of 3 of its prompt, limits.per_prompt 2",
        "kept": "rank 1 of 6, budget 4; margin 3, the cut is 1.5",
        "over_budget": "rank 5 of 6, budget 4; margin 0.7, the cut was 1.5",
    }
    band = explained(keep={"kind": "band", "low": 2.6, "high": None})
    assert band[3].words == "margin 2.5, the band is from 2.6 to any"
    quantiles = explained(keep={"kind": "quantiles", "low": 0.5, "high": 1.0})
    assert quantiles[12].words == "margin 0.49, number 2 of 10 from the lowest; kept are 6 to 10"
    nearest = explained(keep={"kind": "nearest", "target": 2.6}, budget={"pairs": 1})
    assert nearest[4].words == "rank 4 of 8, budget 1; margin 2, the cut was 2.5 (distances 0.6 and 0.1)"
    random = explained(value=None, keep={"kind": "random"}, budget={"pairs": 1})
    assert {why.words.partition(", ")[2] for why in random.values() if "rank" in why.numbers} == {
        "budget 1; the order is drawn by the seed"
    }
    assert {reason for every in (told, band) for reason in (why.reason for why in every.values())} <= {
        *REASONS,
        "clear",
    }


def test_a_pair_of_the_same_texts_names_the_one_that_stays() -> None:
    text = "1 1 11>12 1.0 as 1\n2 1 13>14 2.0 as 1\n3 1 12>13 0.5"
    assert explained(text)[2].words == "pair 1 has the same two texts, and stays"


def test_a_pair_whose_double_then_has_no_number_says_so() -> None:
    several = "case when count(*) over (partition by prompt_id) > 1 then rubric.delta_logic end"
    told = explained("1 2 21>22 1.0 as 1\n2 2 24>22 1.0 as 1", value=several)
    assert told[1].reason == "unscored" and told[2].numbers == {"stays": None}
    assert told[2].words == "another pair has the same two texts, and without this one it gets no number"


def test_a_share_and_a_budget_of_tokens_are_counted_together() -> None:
    """Kind of fault: tokens of pairs that the share had left out before; a share of what the tokens left."""
    half = {"per_prompt": None, "generator_share": {"side": "chosen", "at_most": 0.5}}
    told = explained(limits=half, budget={"tokens": 20.0})  # let in are 1, 3, 7 and 11, of 14, 6, 12 and 6 tokens
    spent = {pair: why.numbers["tokens_so_far"] for pair, why in told.items() if "tokens" in why.numbers}
    assert [(pair, spent[pair], told[pair].reason) for pair in (1, 7, 3, 11)] == [
        (1, 14, "kept"), (7, 26, "over_budget"), (3, 32, "over_budget"), (11, 38, "over_budget")
    ]  # fmt: skip
    assert spent[4] == 32 + 10 and told[4].reason == "generator_share"
    assert told[3].words.startswith(
        "rank 3 of 8, 6 tokens, with those before it 32, budget 20, chosen c wrote 2 of the 4 that the share lets in"
    )


def test_the_numbers_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[1] / "docs/why.md").read_text().partition("| reason | numbers |\n|---|---|\n")[2]
    documented = dict[str, set[str]]()
    for reasons, names in re.findall(r"^\| (.+?) \| (.+?) \|$", page, re.MULTILINE):
        documented[reasons.partition(", ")[0]] = set(re.split("[,;] ", names))  # the three of the budget are alike
    seen = defaultdict[str, set[str]](set)
    half = {"per_prompt": 1, "generator_share": {"side": "chosen", "at_most": 0.5}}
    for told in (
        explained(require={"clear": "chosen.characters > 20"}, limits=half, budget={"pairs": 3}),
        explained(limits={**half, "per_prompt": None}, budget={"tokens": 20.0}),
        explained(budget={"pairs": 4}, strata={"by": "prompt.source", "shares": "equal"}),
        explained(keep={"kind": "nearest", "target": 0.6}, limits={**half, "per_prompt": None}),
        explained(keep={"kind": "band", "low": 0.5, "high": None}),
        explained(keep={"kind": "quantiles", "low": 0.3, "high": 0.6}),
        explained("1 1 11>12 1.0 as 1\n2 1 13>14 2.0 as 1\n3 1 12>13 0.5"),
    ):
        for why in told.values():
            same = {"clear": "a requirement's name", "over_budget": "kept", "generator_share": "kept"}
            seen[same.get(why.reason, why.reason)].update(why.numbers)
            if "generator" in why.numbers:
                assert set(why.numbers["generator"]) == {"name", "side", "kept", "of", "at_most"}
    assert seen.pop("identical") == set() and seen == documented


@pytest.mark.parametrize(
    ("text", "fewer"),
    [
        ("chosen_model", True), ("chosen_model || ' ' || rejected_model", True), ("upper(prompt.source)", True),
        ("nullif(chosen_model, 'large')", True), ("'all'", True), ("(pair_id % 3)::text", False),
        ("chosen_model || identical", False), ("chosen_model || count(*) over ()", False),
    ],
)  # fmt: skip
def test_a_name_is_made_once_for_each_kind_of_row(text: str, fewer: bool) -> None:
    """Kinds of fault: a row with the name of another; a name made of other rows than a window sees."""
    body = world.sound()
    pairs = from_frames(pl.concat([body.pairs] * 8), traces=body.traces, prompts=body.prompts)
    count = len(pairs.column("pair_id"))
    for rows in (np.arange(count), np.arange(0, count, 2), np.arange(1), np.arange(0)):
        values, kind = pairs.kinds("name", text, "", rows)
        assert values.gather(kind).equals(pairs.values({"name": text}, "", rows).to_series(), null_equal=True)
    whole, _ = pairs.kinds("name", text, "", np.arange(count))
    assert (len(whole) < count) is fewer
