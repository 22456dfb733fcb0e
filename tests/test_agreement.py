"""Measures of agreement against scikit-learn, krippendorff, scipy and statsmodels on random data, and their intervals
against the truth."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from curation.core.metrics import Interval
from curation.reliability import agreement, confidence
from curation.reliability.measurement import clustered_share, measure_mean, share_interval
from curation.reliability.measures import measure_deltas
from curation.reliability.suspect import is_suspect

SEEDS = range(20)


def ratings(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two raters of one quality on 1-5, and the cluster of each thing rated."""
    source = np.random.default_rng(seed)
    cluster = source.integers(0, 40, n)
    quality = source.normal(size=40)[cluster] + source.normal(size=n)
    x, y = (np.clip(np.round(3 + quality + source.normal(size=n)), 1, 5) for _ in range(2))
    return x, y, cluster


def whole(sums: np.ndarray) -> np.ndarray:
    return sums.sum(axis=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_kappa_is_scikit_learns(seed: int) -> None:
    from sklearn.metrics import cohen_kappa_score

    x, y, cluster = ratings(seed)
    ours = agreement.kappa(whole(agreement.sum_moments(x, y, cluster)))
    assert ours == pytest.approx(cohen_kappa_score(x.astype(int), y.astype(int), weights="quadratic"), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_alpha_is_krippendorffs(seed: int) -> None:
    """Three raters, some of whom left things out; a thing rated once does not count."""
    import krippendorff

    source = np.random.default_rng(seed)
    values = np.stack([*ratings(seed)[:2], ratings(seed + 1000)[0]])
    values[source.random(values.shape) < 0.3] = np.nan
    unit = np.tile(np.arange(values.shape[1]), 3)
    known = ~np.isnan(values.ravel())
    sums = agreement.sum_disagreement(values.ravel()[known], unit[known], unit[known] % 40)
    assert agreement.alpha(whole(sums)) == pytest.approx(
        krippendorff.alpha(values, level_of_measurement="interval"), abs=1e-9
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_correlation_slope_and_intercept_are_scipys(seed: int) -> None:
    x, y, cluster = ratings(seed)
    sums, line = whole(agreement.sum_moments(x, y, cluster)), stats.linregress(x, y)
    for ours, theirs in (
        (agreement.correlation, line.rvalue),
        (agreement.slope, line.slope),
        (agreement.intercept, line.intercept),
    ):
        assert ours(sums) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_auroc_is_scikit_learns(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    x, y, cluster = ratings(seed)
    found = agreement.auroc(x, y > 3, cluster)
    assert found is not None and found.mean == pytest.approx(roc_auc_score(y > 3, x), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_jackknifed_mean_is_the_clustered_one(seed: int) -> None:
    """Clusters of one size, where leaving one out is exactly the cluster-robust error of statsmodels."""
    from statsmodels.regression.linear_model import OLS

    values, cluster = np.random.default_rng(seed).normal(size=200), np.repeat(np.arange(40), 5)
    found = agreement.jackknife(
        lambda sums: sums[..., 1] / sums[..., 0], agreement.sum_by_cluster(cluster, np.ones(200), values)
    )
    model = OLS(values, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False, "df_correction": True}, use_t=True
    )
    robust = model.bse[0] * np.sqrt(40 / 39)
    assert found is not None and found.mean == pytest.approx(values.mean(), abs=1e-9)
    assert found.high - found.mean == pytest.approx(robust * stats.t.ppf(0.975, 39), abs=1e-9)


def test_too_little_is_not_measured() -> None:
    one = np.zeros(4)
    assert (
        agreement.jackknife(agreement.correlation, agreement.sum_moments(np.arange(4.0), np.arange(4.0), one)) is None
    )
    assert agreement.jackknife(agreement.correlation, agreement.sum_moments(one, np.arange(4.0), np.arange(4))) is None
    assert agreement.auroc(np.arange(4.0), np.ones(4, dtype=bool), np.arange(4)) is None
    assert agreement.auroc(np.arange(4.0), np.array([True, True, False, False]), one) is None


@pytest.mark.filterwarnings("error")
def test_what_one_prompt_alone_decides_has_no_interval_and_no_warning_of_numpy() -> None:
    """A ratio whose divisor is 0 without that prompt, as a slope's over ratings that differ in it only."""
    assert agreement.jackknife(lambda sums: sums[..., 0] / sums[..., 1], np.array([[1.0, 0], [2, 0], [3, 1]])) is None


def test_order_of_rows_changes_nothing_but_rounding() -> None:
    x, y, cluster = ratings(1)
    order = np.random.default_rng(2).permutation(len(x))
    plain, shuffled = (agreement.auroc(x[i], y[i] > 3, cluster[i]) for i in (np.arange(len(x)), order))
    assert plain == pytest.approx(shuffled, abs=1e-12)


def clustered(source: np.random.Generator, prompts: int, pairs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two correlated normal columns (0.5 in all), half of each variance shared by a cluster."""
    cluster = np.repeat(np.arange(prompts), pairs)
    mixed = np.linalg.cholesky(np.array([[1.0, 0.5], [0.5, 1.0]]))
    both = (source.normal(size=(prompts, 2))[cluster] + source.normal(size=(prompts * pairs, 2))) @ mixed.T / np.sqrt(2)
    return both[:, 0], both[:, 1], cluster


PLANTED: dict[str, tuple[float, Callable[[np.ndarray, np.ndarray, np.ndarray], Interval | None]]] = {
    "correlation": (0.5, lambda x, y, c: agreement.jackknife(agreement.correlation, agreement.sum_moments(x, y, c))),
    "slope": (0.5, lambda x, y, c: agreement.jackknife(agreement.slope, agreement.sum_moments(x, y, c))),
    "intercept": (0.0, lambda x, y, c: agreement.jackknife(agreement.intercept, agreement.sum_moments(x, y, c))),
    "kappa": (0.5, lambda x, y, c: agreement.jackknife(agreement.kappa, agreement.sum_moments(x, y, c))),
    "alpha": (0.5, lambda x, y, c: agreement.jackknife(agreement.alpha, agreement.sum_disagreement(
        np.concatenate([x, y]), np.concatenate([np.arange(len(x))] * 2), np.concatenate([c, c])))),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_an_interval_covers_the_planted_value(name: str) -> None:
    """150 prompts of 6 pairs, 200 seeds."""
    truth, measured = PLANTED[name]
    found = [measured(*clustered(np.random.default_rng(seed), 150, 6)) for seed in range(200)]
    covered = sum(one is not None and one.low <= truth <= one.high for one in found)
    assert covered >= 186


def test_an_auroc_covers_the_planted_value() -> None:
    """Positives are one above negatives, so the truth is the chance that a normal of variance 2 is above -1; prompts
    share half of the variance."""
    truth, covered = float(stats.norm.cdf(1 / np.sqrt(2))), 0
    for seed in range(200):
        source = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(80), 6)
        positive = source.random(480) < 0.5
        score = (source.normal(size=80)[cluster] + source.normal(size=480)) / np.sqrt(2) + positive
        found = agreement.auroc(score, positive, cluster)
        covered += found is not None and found.low <= truth <= found.high
    assert covered >= 186


def on_a_ladder(source: np.random.Generator, rarer: int, truth: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """64 prompts of three pairs, in `rarer` of which one or two pairs have the rejected side right; scores of a judge
    that ranks them as often rightly as `truth` says, half of whose variance a prompt's pairs share."""
    prompt = np.repeat(np.arange(64), 3)
    right = np.arange(192) % 3 >= np.where(prompt < rarer, 1 + prompt % 2, 0)
    score = source.normal(size=64)[prompt] + source.normal(size=192) + 2 * stats.norm.ppf(truth) * right
    return score, right, prompt


@pytest.mark.parametrize(("rarer", "truth"), [(5, 0.6), (8, 0.95), (15, 0.7)])
def test_an_auroc_covers_where_one_side_is_nearly_always_right(rarer: int, truth: float) -> None:
    """The kind of fault: an interval as sure as all prompts make it, where few of them decide. Coverage was 0.87, 0.86
    and 0.93."""
    found = [agreement.auroc(*on_a_ladder(np.random.default_rng(seed), rarer, truth)) for seed in range(300)]
    covered = [one is not None and one.low <= truth <= one.high for one in found]
    assert 0.935 < np.mean(covered) < 1


def test_an_auroc_of_four_rare_prompts_has_no_interval() -> None:
    found = agreement.auroc(*on_a_ladder(np.random.default_rng(0), 4, 0.8))
    assert found is not None and 0 < found.mean < 1 and np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize(("prompts", "truth"), [(8, 0.8), (20, 0.95), (40, 0.5)])
def test_a_share_covers_in_few_prompts(prompts: int, truth: float) -> None:
    """Three pairs a prompt, which differ from prompt to prompt in how likely the judge is to be right. The kind of
    fault: an interval that is too sure of a share near 1, or does not end there. Coverage was 0.93, 1 and 0.95."""
    source = np.random.default_rng(1)
    chance = source.beta(truth * 7 / 3, (1 - truth) * 7 / 3, (600, prompts))
    covered = []
    for right in source.binomial(3, chance):
        share = right.sum() / (3 * prompts)
        squares = float((((right - 3 * share) / (3 * prompts)) ** 2).sum())
        found = share_interval(share, squares, prompts, prompts)
        covered.append(0 <= found.low <= truth <= found.high <= 1)
    assert 0.94 < np.mean(covered) < 0.992


def test_right_in_twelve_of_twelve_is_not_sure() -> None:
    """The kind of fault: an interval of no width at a ceiling."""
    found = clustered_share(pl.Series([1.0] * 12), pl.Series(range(12)))
    assert found is not None and found.high == pytest.approx(1) and 0.7 < found.low < 0.8


@pytest.mark.parametrize("prompts", [8, 15])
def test_a_near_perfect_agreement_covers_in_few_prompts(prompts: int) -> None:
    """Two raters of two verdicts, four pairs a prompt. The kind of fault: an interval of no width where the sample
    happens to agree throughout; kappa's covered 0.5 and 0.7."""
    found = []
    for seed in range(200):
        source = np.random.default_rng(seed)
        x = np.where(source.random(4 * prompts) < 0.7, 1.0, -1.0)
        y = np.where(source.random(4 * prompts) < 0.97, x, -x)
        sums = agreement.sum_moments(
            np.concatenate([x, -x]), np.concatenate([y, -y]), np.tile(np.arange(4 * prompts) // 4, 2)
        )
        found.append(agreement.jackknife(agreement.kappa, sums, -1, 1))
    assert all(one is not None and -1 <= one.low < one.high <= 1 for one in found)
    assert np.mean([one is not None and one.low <= 0.94 <= one.high for one in found]) > 0.94


@pytest.mark.parametrize(("stated", "truth"), [([0.6, 0.7, 0.9], 0.0), ([0.95], 0.0)])
def test_a_calibrated_judge_is_not_shown_to_err(stated: list[float], truth: float) -> None:
    """15 prompts of three pairs. The kind of fault: an error of calibration that chance alone makes, sure of itself;
    and a judge right in all of them whose confidence is sure to be too low."""
    covered = {"ece": 0, "overconfidence": 0}
    for seed in range(60):
        source = np.random.default_rng(seed)
        probability = source.choice(stated, 45)
        rows = pl.DataFrame({
            "prompt_id": np.arange(45) // 3, "probability": probability,
            "chosen_right": source.random(45) < probability,
        })  # fmt: skip
        for one in confidence.measure_confidence(rows, "", "truth"):
            if one.measure in covered:
                assert one.interval is not None and one.interval.low < one.interval.high
                covered[one.measure] += one.interval.low <= truth <= one.interval.high
    assert min(covered.values()) >= 54


def test_a_mean_that_does_not_vary_has_no_interval_and_is_suspect_where_it_is_off() -> None:
    """The kind of fault: a drift of -2 in 12 of 12 traces, with an interval of no width."""
    rows = pl.DataFrame({"drift": [-2.0] * 12, "none": [0.0] * 12, "prompt_id": range(12)})
    for column, off in (("drift", True), ("none", False)):
        found = measure_mean("drift", "repeats", rows, pl.col(column)).interval
        assert found is not None and np.isnan([found.low, found.high]).all()
        assert is_suspect("drift", found) == off


@pytest.mark.parametrize(
    ("told", "rejected_right", "suspect"),
    [
        (0.0, 12, True),  # says "chosen", nearly always
        (0.0, 3, True),  # too few for an AUROC that has an interval
        (2.0, 12, False),  # tells, and is right less often than who says "chosen"
        (0.0, 0, False),  # chosen is right by definition, as in a preference set
    ],
)
def test_an_accuracy_is_held_to_what_saying_chosen_is_right_in(told: float, rejected_right: int, suspect: bool) -> None:
    """The kind of fault: 0.9 looks well above 0.5, where whoever always says "chosen" is right in 0.95."""
    draw = np.random.default_rng(0)
    right = np.arange(240) >= rejected_right
    delta = draw.normal(1.5, 1, 240) + told * np.where(right, 0, -1)
    rows = pl.DataFrame({"delta": delta, "chosen_right": right, "prompt_id": np.arange(240), "log_ratio": 0.1})
    found = {one.measure: one for one in measure_deltas(rows.with_columns(equally_right=False), "delta", "truth")}
    accuracy = found["pairwise_accuracy"]
    assert accuracy.interval is not None and 0.8 < accuracy.interval.low < accuracy.interval.mean < 0.97
    assert is_suspect("pairwise_accuracy", accuracy.interval, accuracy.chance) == suspect
