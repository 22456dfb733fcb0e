"""What a study can see: against simulated studies, against the intervals of a study that was run, and by the laws that
it must follow. The kind of fault: a number of prompts, samples or seeds that is paid for and does not suffice."""

import re

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ROOT

from bench.gpu_study import ARMS
from bench.power import predicted_half_widths
from curation.experiment import compare
from curation.experiment.contrast_rows import Fixed, LeastSquares, Row
from curation.experiment.detection import find_weights, list_gains
from curation.experiment.estimate import estimate
from curation.experiment.pilot import Assumed, Assumption, Pilot, assumption, pilot
from curation.experiment.power import (
    Design,
    Side,
    Variation,
    detectable,
    find_needs,
    half_width,
    power,
    standard_error,
)
from curation.experiment.values import BASELINE_ARM, ArmKey, ArmValues, BenchmarkValues, DeclaredRuns

AGREES = 0.25  # predicted and observed half-widths
OVER_BASELINE = (Side(1.0, 1, 1, "dpo"), Side(-1.0, 1, 1, None))


def over_control(seeds: int, arms: int, samples: int = 1, prompts: int = 200, seed_sd: float = 0.01) -> Design:
    """A gain over a control, in a study of so many arms."""
    variation = Assumption(accuracy=0.4).variation(prompts, samples)
    sides = (Side(1.0, seeds, 1, "dpo"), Side(-1.0, seeds, 1, "dpo"))
    return Design(sides, ((1.0, variation),), seed_sd, {"dpo": (seeds,) * arms})


def test_with_one_seed_it_is_students_over_prompts() -> None:
    """By hand: two runs whose difference has variance 2 w over n prompts."""
    variation = Variation(101, 4, 0.03, 0.2, "")
    design = Design(OVER_BASELINE, ((1.0, variation),), 0.01, {"dpo": (1, 1)})
    error, df = standard_error(design)
    assert error == pytest.approx((2 * (0.03 + 0.2 / 4) / 101) ** 0.5) and df == pytest.approx(100)
    assert half_width(design) == pytest.approx(1.98397 * error, rel=1e-4)
    assert detectable(design) == pytest.approx((1.98397 + 0.845) * error, rel=0.01)
    assert power(design, detectable(design)) == pytest.approx(0.8, abs=1e-4)
    assert power(design, 0.0) == pytest.approx(0.05, abs=1e-4)


def test_the_variance_between_seeds_counts_of_each_trained_arm() -> None:
    variation = Variation(10**6, 1, 0.1, 0.1, "")
    both, one = (Side(1.0, 3, 1, "dpo"), Side(-1.0, 3, 1, "dpo")), (Side(1.0, 3, 1, "dpo"), Side(-1.0, 1, 1, None))
    errors = [standard_error(Design(sides, ((1.0, variation),), 0.01, {"dpo": (3, 3, 3)})) for sides in (both, one)]
    assert errors[0][0] == pytest.approx(0.01 * (2 / 3) ** 0.5, rel=0.01) and errors[0][1] == pytest.approx(6, rel=0.02)
    assert errors[1][0] == pytest.approx(0.01 * (1 / 3) ** 0.5, rel=0.01)


def test_what_a_gain_takes_is_enough_and_one_less_is_not() -> None:
    design = over_control(3, 4)
    needs = find_needs(design, 0.08)
    changes = ((design.with_prompts, 2), (design.with_samples, 1), (design.with_seeds, 2))
    for number, (change, least) in zip(needs, changes, strict=True):
        assert number is not None and power(change(number), 0.08) >= 0.8
        assert number == least or power(change(number - 1), 0.08) < 0.8
    hopeless = find_needs(over_control(3, 4, seed_sd=0.05), 0.05)
    assert hopeless.prompts is None and hopeless.samples is None and hopeless.seeds is not None


def test_a_mean_over_benchmarks_and_an_interaction() -> None:
    """Whether a lucky seed is lucky everywhere is not known: the worse is taken."""
    variation = Variation(10**7, 1, 0.1, 0.1, "")

    def error(*weights: float) -> float:
        sides = (Side(1.0, 2, 1, "dpo"), Side(-1.0, 2, 1, "dpo"))
        return standard_error(Design(sides, tuple((weight, variation) for weight in weights), 0.01, {"dpo": (2, 2)}))[0]

    assert error(0.5, 0.5) == pytest.approx(error(1.0), rel=0.01)
    assert error(1.0, -1.0) == pytest.approx(2**0.5 * error(1.0), rel=0.01)


def answers(rng: np.random.Generator, gain: float, seeds: int, samples: int, prompts: int, sd: float) -> np.ndarray:
    """2 arms x seeds x prompts: a run's mean of the samples of each prompt, whose correlations are what `Assumption`
    says; a run is moved by its seed."""
    taken, variance = Assumption(accuracy=0.4), 0.4 * 0.6
    shared = rng.normal(0, (variance * taken.other_run) ** 0.5, prompts)
    own = rng.normal(0, (variance * (taken.same_run - taken.other_run)) ** 0.5, (2, seeds, prompts))
    moved = rng.normal(0, sd, (2, seeds, 1)) + np.array([gain, 0.0])[:, None, None]
    noise = rng.normal(0, (variance * (1 - taken.same_run) / samples) ** 0.5, own.shape)
    return np.asarray(0.4 + shared + own + moved + noise)


@pytest.mark.parametrize(
    ("studies", "seeds", "samples", "prompts", "sd"),
    [(300, 3, 4, 400, 0.01), pytest.param(1_000, 5, 1, 200, 0.02, marks=pytest.mark.slow)],
)
def test_predicted_power_is_that_of_simulated_studies(
    studies: int, seeds: int, samples: int, prompts: int, sd: float
) -> None:
    """Of studies with the smallest gain that 80 % are said to find, `estimate` finds it in 75 to 85 %."""
    design, rng = over_control(seeds, 2, samples, prompts, sd), np.random.default_rng(7)
    gain, found, itself, random = detectable(design), 0, ("dpo", "itself"), ("dpo", "random")
    for _ in range(studies):
        own, other = answers(rng, gain, seeds, samples, prompts, sd)
        arms = {
            arm: ArmValues(((),) * seeds, tuple(range(seeds)), True, values)
            for arm, values in ((itself, own), (random, other))
        }
        study = {"b": BenchmarkValues(np.arange(prompts), samples, arms)}
        p = estimate({itself: 1.0, random: -1.0}, {"b": 1.0}, study).p
        found += p is not None and p < 0.05
    assert 0.75 <= found / studies <= 0.85


def test_a_pilot_tells_what_samples_take_away() -> None:
    """Planted: the variance of an answer about its run's value, and of a run beside another, are found again."""
    rng = np.random.default_rng(3)
    values = answers(rng, 0.0, 4, 1, 4_000, 0.0).reshape(8, -1)
    rows = [
        (f"dpo-a-any-own-itself-{run}", "b", prompt, sample, float(values[run, prompt] + rng.normal(0, 0.3)), "scored")
        for run in range(4)
        for prompt in range(2_000)
        for sample in range(2)
    ]
    names = ("run", "benchmark", "prompt_id", "sample_index", "score", "status")
    results = pl.DataFrame(rows, schema=names, orient="row")
    arm: ArmKey = ("dpo", "a", "any", "own", "itself")
    runs = {f"dpo-a-any-own-itself-{seed}": seed for seed in range(4)}
    seen = pilot(DeclaredRuns(dict.fromkeys(runs, arm), runs, frozenset({"itself"})), results, Assumption())
    found = seen.variation("b", [arm], 100, 2)
    taken = 0.24 * (1 - Assumption().other_run)  # of a run beside another, which the samples share
    assert found.of_samples == pytest.approx(0.09, rel=0.1) and found.of_runs == pytest.approx(taken, rel=0.1)
    assert found._replace(samples=8).of_a_run == pytest.approx(taken + 0.09 / 8, rel=0.1)


def test_predicted_half_widths_are_those_of_a_study_that_was_run() -> None:
    """Of the eleven runs on a GPU: from the untrained student's answers alone, and from its and one run's."""
    for name, rows in predicted_half_widths().items():
        ratios = [predicted / observed for *_, predicted, observed in rows]
        assert len(rows) == 2 * len(ARMS), name
        assert min(ratios) >= 1 - AGREES and max(ratios) <= 1 + AGREES, (name, min(ratios), max(ratios))


def test_what_is_said_is_assumed_and_the_rest_stays() -> None:
    assert assumption(None) == Assumption()
    assert assumption(Assumed(accuracy=0.3, seed_sd=0.0)) == Assumption(accuracy=0.3, seed_sd=0.0)
    nothing = Pilot({}, {}, Assumption())
    assert nothing.variation("b", [], 50, 2) == Assumption().variation(50, 2)
    assert nothing.seed_sd(["dpo"]) == (Assumption().seed_sd, "assumed")


def test_the_gains_are_those_of_comparisons() -> None:
    """Of a drawn control, its selection, and weights from elsewhere."""
    arms = {
        "a": ("dpo", "s", "any", "own", "itself"),
        "b": ("dpo", "s", "any", "own", "random"),
        "c": ("given", "theirs", "", "", ""),
    }
    declared = DeclaredRuns(arms, dict.fromkeys(arms, 0), frozenset({"itself"}))
    assert [(one.name, one.arms) for one in list_gains(declared, ["x"])] == [
        ("dpo-s-any-own-itself over random", {arms["a"]: 1.0, arms["b"]: -1.0}),
        ("dpo-s-any-own-itself over baseline", {arms["a"]: 1.0, BASELINE_ARM: -1.0}),
        ("dpo-s-any-own-random over baseline", {arms["b"]: 1.0, BASELINE_ARM: -1.0}),
        ("given-theirs over baseline", {arms["c"]: 1.0, BASELINE_ARM: -1.0}),
    ]


def test_the_settings_of_the_page_are_sound() -> None:
    """The kind of fault: an example that is refused where it is pasted."""
    (fragment,) = re.findall(r"```yaml\n(compare:.*?)```", (ROOT / "docs/plan.md").read_text(), re.DOTALL)
    settings = compare.Params.model_validate(YAML(typ="safe", pure=True).load(fragment)["compare"])
    assert settings.detect == 0.03 and assumption(settings.assume) == Assumption(accuracy=0.3, seed_sd=0.005)


def test_a_trend_has_the_weights_of_its_least_squares() -> None:
    """Four rungs one apart: -0.3, -0.1, 0.1, 0.3; where pairs decide the weights, nothing is said."""
    arms = [("dpo", name, "any", "own", "itself") for name in "abcd"]
    row = Row(
        "h1", "", tuple((arm,) for arm in arms), LeastSquares(((0.0, 1.0, 2.0, 3.0),), 0), {"x": 1.0}, "x", "avg", None
    )
    weights = find_weights(row)
    assert weights is not None and [weights[arm] for arm in arms] == pytest.approx([-0.3, -0.1, 0.1, 0.3])
    assert find_weights(row._replace(weighing=LeastSquares(("answer.delta",), 0))) is None
    both = find_weights(row._replace(terms=((arms[0], arms[1]), (arms[2],)), weighing=Fixed((1.0, -1.0))))
    assert both == {arms[0]: 0.5, arms[1]: 0.5, arms[2]: -1.0}
