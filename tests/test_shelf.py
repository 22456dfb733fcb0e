"""The shelf: every entry on a few pairs whose numbers are worked out by hand from its paper's formula.
tests/test_shelf_printed.py has the rest."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from curation.selection import shelf
from curation.selection.candidates import Candidates, ColumnReaders
from curation.selection.rules import Params
from curation.selection.select import select
from curation.selection.subset import curriculum_positions
from curation.tables.expressions.syntax import ColumnName


class Listed(Candidates):
    """The candidates of a listing, whose first line names the columns of an entry's expressions. Deltas are worked out
    from the scores of both sides."""

    def __init__(self, listing: str) -> None:
        head, *rows = (line.split() for line in listing.strip().splitlines())
        listed = pl.DataFrame({name: [value(row[i]) for row in rows] for i, name in enumerate(head)}, strict=False)
        deltas = [
            (pl.col(name) - pl.col(other)).alias(name.replace(".chosen_", ".delta_"))
            for name in head
            if ".chosen_" in name and (other := name.replace(".chosen_", ".rejected_")) in head
        ]
        self.listed = listed.rename({"pair": "pair_id", "prompt": "prompt_id"}).with_columns(
            *deltas, identical=False, same_texts_as=pl.lit(None, pl.Int64)
        )
        read = self.listed.select

        def nothing(_: pl.Series, columns: list[str]) -> pl.DataFrame:
            return read(columns)

        super().__init__(
            ColumnReaders(read, {}, read, read, read, read, {}, nothing, read, read), has_reversed_pairs=False
        )

    def _read_column(self, name: ColumnName) -> pl.Series:
        return self.listed[".".join(name)]


def value(text: str) -> Any:
    """What a word of a listing stands for; '-' is null."""
    try:
        return None if text == "-" else int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text


class Example(NamedTuple):
    """What is given in place of placeholders, some pairs, those that are kept, and the values of all where a formula
    makes them."""

    given: dict[str, str]
    listing: str
    kept: set[int]
    values: list[float | None] | None = None


JUDGE = {"judge": "j", "dimension": "d"}
BOUNDS = {"external_low": "-2", "external_high": "2", "implicit_low": "-2", "implicit_high": "2"}
EXAMPLES = {
    # 2604.08723, abstract: sample-level delta = score(chosen) - score(rejected): 4, 1, -3, 1.5; the larger half
    "sample_delta": Example(JUDGE | {"share": "0.5"}, """
        pair prompt j.chosen_d j.rejected_d
        1 1 5 1
        2 1 4 3
        3 2 2 5
        4 2 5 3.5""", {1, 4}, [4, 1, -3, 1.5]),
    # 2604.08723, abstract and S1: the largest generator-level delta against a fixed rejected generator; large over
    # medium is larger, but not against small
    "generator_delta": Example(JUDGE | {"rejected": "small", "pairs": "2"}, """
        pair prompt chosen_model rejected_model j.generator_delta_d
        1 1 large  small  0.7
        2 1 medium small  0.4
        3 2 large  small  0.7
        4 2 large  medium 0.9""", {1, 3}),
    # 2604.08723, S1: one rung of the ladder is one chosen generator over the fixed rejected one
    "generator_rung": Example(JUDGE | {"chosen": "medium", "rejected": "small", "pairs": "2"}, """
        pair prompt chosen_model rejected_model j.generator_delta_d
        1 1 large  small  0.7
        2 1 medium small  0.4
        3 2 medium small  0.4
        4 2 medium large -0.3""", {2, 3}),
    # 2512.13961, Table 32: chosen = argmax, rejected = argmin. Prompt 1 has responses of 5, 4 and 2, so 5 over 2;
    # prompt 2 of 3 and 3.5, in both orders; of prompt 3 there is only the wrong order
    "min_score_rejected": Example(JUDGE, """
        pair prompt j.chosen_d j.rejected_d
        1 1 5   4
        2 1 5   2
        3 1 4   2
        4 2 3   3.5
        5 2 3.5 3
        6 3 2   3""", {2, 5}),
    # 2502.14560, equation 3, L = -2 and U = 2, so p = (m + 2) / 4 within them: 1  .75, .75    .5625 / (.5625 + .0625) =
    # .9              2  .975, .325  .316875 / (.316875 + .025 * .675) = .949438, though its margins add up to less 3
    # .5, .8      .4 / (.4 + .1) = .8                       4  -3 is clipped to -2: p = 0, so P = 0 5  no implicit
    # margin, no P                              6  p = 1 and p = 0 contradict each other, 0 / 0: no P
    "bees": Example(JUDGE | BOUNDS | {"scorer": "s", "share": "0.5"}, """
        pair prompt j.delta_d s.implicit_margin
        1 1  1   1
        2 2  1.9 -0.7
        3 3  0   1.2
        4 4 -3   0.5
        5 5  1   -
        6 6  2.5 -2""", {1, 2}, [0.9, 0.949438202, 0.8, 0, None, None]),
    # 2502.09650: VL = -log sigma(x), x the scaled log-ratio: x = 0, 1, -1, 2 give .6931, .3133, 1.3133, .1269; the
    # easier half, easiest first
    "selective_dpo": Example({"scorer": "s", "share": "0.5"}, """
        pair prompt s.held_out_loss
        1 1 0.6931
        2 2 0.3133
        3 3 1.3133
        4 4 0.1269""", {2, 4}),
    # 2501.18578, section 3.3.1, all at the median: rejected scores 1 1 2 4 4 4 4.5, at least 4; lengths 10 10 100 100
    # 100 100 120, at least 100; gaps .5 .5 .5 1 1.5 4 4, at most 1. So 2 has a bad rejected trace, 3 a short one, 4 a
    # wide gap; of prompt 5 the widest pair counts, which is wide and bad
    "rip": Example(JUDGE | {"score_above": "0.5", "length_above": "0.5", "gap_below": "0.5"}, """
        pair prompt j.chosen_d j.rejected_d rejected.characters
        1 1 5   4   100
        2 2 2.5 2   100
        3 3 4.5 4   10
        4 4 5.5 4   120
        5 5 5   1   100
        6 5 5   4.5 100
        7 6 5   1   10""", {1}),
    # 2508.04149, select_difficult_examples: argsort of the signed gap, the first half of four
    "small_implicit_gap": Example({"scorer": "s", "share": "0.5"}, """
        pair prompt s.implicit_margin
        1 1 -0.2
        2 2  0.05
        3 3  0.4
        4 4  0.01""", {1, 4}),
    # 2406.17312, abstract: small margins of unlabelled pairs, so of either sign: .2 .05 .4 .01
    "uncertain_pairs": Example({"scorer": "s", "share": "0.5"}, """
        pair prompt s.implicit_margin
        1 1 -0.2
        2 2  0.05
        3 3  0.4
        4 4  0.01""", {2, 4}),
    # 2504.03612, on its own scale: a margin of 2 or 3, a score of 8 or more. 2 has a margin of 4, 3 a score of 7, 5 a
    # margin of 1
    "air": Example(JUDGE | {"low": "2", "high": "3", "level": "8"}, """
        pair prompt j.chosen_d j.rejected_d
        1 1 9 6
        2 2 8 4
        3 3 7 5
        4 4 8 6
        5 5 9 8""", {1, 4}),
    # 2502.16825, abstract: 17 responses of 6 x 12, 3 x 11, 6 x 10, 4 and 1: mu = 170 / 17 = 10, sigma^2 = (6 * 4 + 3 *
    # 1 + 36 + 81) / 16 = 9, so mu - 2 sigma = 4 and not the minimum 1; chosen is the best, 12. Prompt 2 has the same
    # scores, but 12 is only beside 10
    "sweet_spot": Example(JUDGE, """
        pair prompt j.chosen_d j.rejected_d j.prompt_mean_d j.prompt_sd_d
        1 1 12 4  10 3
        2 1 12 1  10 3
        3 1 12 10 10 3
        4 2 12 10 10 3
        5 2 11 4  10 3""", {1, 4}),
    # 2508.18312: the level of the chosen response, 5, 4, 4.8, whatever the gap
    "chosen_quality": Example(JUDGE | {"pairs": "2"}, """
        pair prompt j.chosen_d j.rejected_d
        1 1 5   4.9
        2 2 4   1
        3 3 4.8 1""", {1, 3}),
    # 2508.07638 as we read it, k labels: PD = -(a + b) = -3, -1, -1.5, and 3 is labelled the other way; two thirds of
    # three
    "consensus": Example({"judge": "j", "dimension": "k", "others": "a,b", "share": "0.67"}, """
        pair prompt j.delta_k j.delta_a j.delta_b
        1 1  1   2    1
        2 2  1   3   -2
        3 3 -1   4    4
        4 4  0.5 0.5  1""", {1, 4}, [-3, -1, -8, -1.5]),
    # Lin et al., AAAI 2025: PD = abs(R(y1) - R(y2)) = 1, 3, .5, 2
    "preference_difference": Example(JUDGE | {"share": "0.5"}, """
        pair prompt j.delta_d
        1 1  1
        2 2 -3
        3 3  0.5
        4 4  2""", {2, 4}, [1, 3, 0.5, 2]),
    # 2410.18451, data card: 0, 0.05 and 0.1 off by generator, the top of each task apart. Half of math, by .17 .15 .11
    # .10, and half of chat, by .03 .06; uncorrected it would be 3 and 2, and 5
    "skywork_priority": Example(JUDGE | {"penalty": "0.05", "share": "0.5"}, """
        pair prompt j.chosen_d chosen.scale_b prompt.task
        1 1 0.17 70 math
        2 2 0.20 8  math
        3 3 0.21 1  math
        4 4 0.10 70 math
        5 5 0.08 8  chat
        6 6 0.06 70 chat""", {1, 2, 6}, [0.17, 0.15, 0.11, 0.10, 0.03, 0.06]),
    # huang25al, metric_selection.py: z(reward margin) - z(abs(mean log-prob margin)). Reward margins 1 3 1 3: mean 2,
    # sd 1, z = -1 1 -1 1. Log-prob margins -.5 + .6, -.6 + .7, -.9 + .4, -1 + 1.5, absolutely .1 .1 .5 .5: mean .3, sd
    # .2, z = -1 -1 1 1. So M_AP = 0 2 -2 0, and ours, without means, .5 more
    "alignment_potential": Example(JUDGE | {"scorer": "s", "share": "0.25"}, """
        pair prompt j.delta_d s.chosen_logp s.chosen_tokens s.rejected_logp s.rejected_tokens
        1 1 1 -10 20 -12 20
        2 2 3 -30 50 -35 50
        3 3 1 -9  10 -4  10
        4 4 3 -10 10 -30 20""", {2}, [0.5, 2.5, -1.5, 0.5]),
    # 2411.15124, binarize_pref: chosen = argmax of the mean of the aspects. Prompt 1 has (4, 4) = 4, (5, 2) = 3.5 and
    # (3, 3) = 3; prompt 2 (2, 5) and (5, 1); the best of prompt 3 is on no chosen side
    "ultrafeedback": Example({"judge": "j", "dimensions": "a,b"}, """
        pair prompt j.chosen_a j.chosen_b j.rejected_a j.rejected_b
        1 1 4 4 5 2
        2 1 5 2 4 4
        3 1 5 2 3 3
        4 2 2 5 5 1
        5 2 5 1 2 5
        6 3 2 2 5 5""", {1, 4}, [0.5, -0.5, 0.5, 0.5, -0.5, -3]),
    # lengths within 10 % of the longer: 5 of 100, 20 of 100 (not), 19 of 200, 5 of 55; then the two larger of 1, 2 and
    # .5
    "length_matched": Example(JUDGE | {"ratio": "0.1", "pairs": "2"}, """
        pair prompt j.delta_d chosen.characters rejected.characters
        1 1 1   100 95
        2 2 3   100 80
        3 3 2   200 181
        4 4 0.5 50  55""", {1, 3}),
    # 2512.13961, section 5: at most 100 tokens apart: 50, 150, 100, 101
    "length_cap": Example({"tokens": "100"}, """
        pair prompt chosen.tokens rejected.tokens
        1 1 300 250
        2 2 300 150
        3 3 100 200
        4 4 100 201""", {1, 3}),
}  # fmt: skip


def verdicts(name: str, **changes: Any) -> pl.DataFrame:
    """The verdicts of an entry on its example."""
    example = EXAMPLES[name]
    return select(
        name, Params.model_validate(shelf.selection(name, example.given) | changes), Listed(example.listing)
    ).verdicts


@pytest.mark.parametrize("name", shelf.entries())
def test_an_entry_keeps_what_its_papers_formula_says(name: str) -> None:
    found = verdicts(name)
    assert set(found.filter("kept")["pair_id"]) == EXAMPLES[name].kept
    if (values := EXAMPLES[name].values) is not None:
        assert found["margin"].to_list() == [
            None if value is None else pytest.approx(value, abs=1e-8) for value in values
        ]


def test_no_entry_is_without_an_example() -> None:
    assert list(EXAMPLES) == list(shelf.entries())


def test_selective_dpo_goes_from_easy_to_hard() -> None:
    how = Params.model_validate(shelf.selection("selective_dpo", EXAMPLES["selective_dpo"].given))
    made = select("s", how, Listed(EXAMPLES["selective_dpo"].listing))
    assert curriculum_positions(made, np.array([1, 3])).to_list() == [1, 0]


def test_ultrafeedback_rejects_any_of_the_others() -> None:
    listing = EXAMPLES["ultrafeedback"].listing + "\n7 1 4 4 3 3"
    how = Params.model_validate(shelf.selection("ultrafeedback", EXAMPLES["ultrafeedback"].given))
    drawn = [
        select("u", how.model_copy(update={"seed": seed}), Listed(listing)).verdicts.filter("kept")["pair_id"].to_list()
        for seed in range(20)
    ]
    assert {tuple(kept) for kept in drawn} == {(1, 4), (4, 7)}
