"""Panels by hand, within_noise, and what a selection does with it."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from pydantic import ValidationError

from curation.pairs import delta, noise, panel
from curation.tables import contracts, parquet

PAIRS = world.frame(
    contracts.PAIRS,
    [
        (1, 1, 11, 12, "a", "b", False),
        (2, 1, 12, 13, "b", "c", False),
        (3, 2, 21, 22, "a", "b", False),
        (4, 2, 21, 23, "a", "c", False),
    ],
)
X = {11: 5.0, 12: 3.0, 13: 3.0, 21: 1.0, 22: 2.0, 23: 4.0}
Y = {11: 50.0, 12: 40.0, 13: 45.0, 21: 30.0, 22: 10.0}  # 23 has no score


def judged(name: str, scores: dict[int, float], apart: float = 0.0) -> pl.DataFrame:
    """Judgments in two repeats, one `apart` above the score and one as far below."""
    rows = [
        (trace, name, "x", repeat, score + sign * apart, None, "scored", None)
        for trace, score in scores.items()
        for repeat, sign in enumerate((1, -1))
    ]
    return world.frame(contracts.JUDGMENTS, rows)


def wide(name: str, scores: dict[int, float], apart: float = 0.0, **changes: Any) -> pl.DataFrame:
    return delta.deltas(delta.Params(**world.DELTA | changes), PAIRS, judged(name, scores, apart), ["x"])


def together(rule: str, *weights: float) -> pl.DataFrame:
    members = [
        {"judge": judge, "dimension": "x", "weight": weight} for judge, weight in zip("ab", weights, strict=True)
    ]
    settings = panel.Panel.model_validate({"dimension": "both", "rule": rule, "members": members})
    rows = panel.panel_deltas(settings, PAIRS, {"a": wide("a", X), "b": wide("b", Y)}, world.DELTA["noise"])
    parquet.check(contracts.deltas(["both"]), rows, "deltas")
    return rows


def z(scores: dict[int, float]) -> dict[int, float]:
    values = np.array(list(scores.values()))
    return {trace: (score - values.mean()) / values.std(ddof=1) for trace, score in scores.items()}


def test_a_mean_is_weighed_and_null_where_a_member_has_no_score() -> None:
    rows = together("mean", 3.0, 1.0)
    assert rows["delta_both"].to_list() == [
        pytest.approx((3 * 2 + 10) / 4),
        pytest.approx((3 * 0 - 5) / 4),
        pytest.approx((3 * -1 + 20) / 4),
        None,
    ]
    assert rows["n_both"].to_list() == [2, 2, 2, 0]
    assert rows["sd_both"].to_list()[:2] == [
        pytest.approx(8 / 2**0.5),
        pytest.approx(5 / 2**0.5),
    ]  # how far the two deltas are apart


@pytest.mark.parametrize("rule", ["mean_z", "median_z"])
def test_z_scores_put_members_on_one_scale(rule: str) -> None:
    """Of two members the median is the mean."""
    rows, x, y = together(rule, 1.0, 1.0), z(X), z(Y)
    wanted = [(x[c] + y[c]) / 2 - (x[r] + y[r]) / 2 for c, r in ((11, 12), (12, 13), (21, 22))]
    assert rows["delta_both"].to_list() == [*(pytest.approx(value) for value in wanted), None]
    assert rows["chosen_both"][0] == pytest.approx((x[11] + y[11]) / 2)


def test_a_median_does_not_weigh() -> None:
    with pytest.raises(ValidationError, match="median_z does not weigh"):
        together("median_z", 1.0, 2.0)


def test_a_delta_below_the_judges_noise_is_within_noise() -> None:
    """Two repeats one off either side: the variance of a trace's score is 2, of its mean 1, so that of a delta is 2."""
    rows = wide("a", X, apart=1.0)
    assert rows["delta_x"].to_list() == [2.0, 0.0, -1.0, -3.0]
    assert rows["within_noise_x"].to_list() == [False, True, True, False]
    assert wide("a", X, apart=1.0, noise=2.0)["within_noise_x"].to_list() == [True, True, True, False]
    assert wide("a", X, apart=1.0, noise=0.0)["within_noise_x"].to_list() == [False] * 4


def test_without_repeats_the_noise_is_unknown() -> None:
    once = judged("a", X).filter(pl.col("repeat") == 0)
    assert delta.deltas(delta.Params(**world.DELTA), PAIRS, once, ["x"])["within_noise_x"].null_count() == 4


@pytest.mark.parametrize(("times", "share"), [(1.0, 0.32), (1.96, 0.05)])
def test_delta_noise_says_how_many_equal_pairs_are_beyond_it(times: float, share: float) -> None:
    """The kind of fault: a threshold in standard errors that is taken for a sure one. Traces that a judge, asked twice,
    finds equal but for its own wavering."""
    source = np.random.default_rng(0)
    pairs = world.frame(contracts.PAIRS, [(n, n, 2 * n, 2 * n + 1, "a", "b", False) for n in range(3000)])
    rows = [
        {"trace_id": trace, "judge": "j", "dimension": "x", "repeat": repeat, "score": score, "status": "scored"}
        for trace, scores in enumerate(source.normal(size=(6000, 2)).tolist())
        for repeat, score in enumerate(scores)
    ]
    judged = world.rows_of(contracts.JUDGMENTS, rows)
    wide = delta.deltas(delta.Params(**world.DELTA | {"noise": times}), pairs, judged, ["x"])
    assert round(noise.share_beyond(times), 2) == share
    assert 1 - (wide["within_noise_x"].mean() or 0) == pytest.approx(share, abs=0.02)
