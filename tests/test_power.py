"""What a study can see: against simulated studies, against the intervals of a study that was run, and by the laws that
it must follow. The kind of fault: a number of prompts, samples or seeds that is paid for and does not suffice."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from ruamel.yaml import YAML
from served import ROOT

from bench.gpu_study import ARMS
from bench.power import predicted_half_widths
from curation.experiment import compare, margins
from curation.experiment.declarations import Margin
from curation.experiment.estimate import Estimate, estimate
from curation.experiment.margin_power import Together, margin_power, smallest_margin
from curation.experiment.margins import all_gain_p, margin_p
from curation.experiment.pilot import Assumed, Assumption, Pilot, assumption, pilot
from curation.experiment.planned import list_gains
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
from curation.experiment.values import BASELINE_ARM, BEST, ArmKey, ArmValues, BenchmarkValues, DeclaredRuns

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
    assert errors[0][0] == pytest.approx(0.01 * (2 / 3) ** 0.5, rel=0.01)
    assert errors[1][0] == pytest.approx(0.01 * (1 / 3) ** 0.5, rel=0.01)
    # of one arm its two degrees and the 6 / 7 that two others lend; of two arms more, but less than twice these
    assert errors[1][1] == pytest.approx(2 + 6 / 7, rel=0.02) and errors[0][1] == pytest.approx(4.29, rel=0.02)


def test_what_a_gain_takes_is_enough_and_one_less_is_not() -> None:
    design = over_control(3, 4)
    needs = find_needs(design, lambda changed: power(changed, 0.08) >= 0.8)
    changes = ((design.with_prompts, 2), (design.with_samples, 1), (design.with_seeds, 2))
    for number, (change, least) in zip(needs, changes, strict=True):
        assert number is not None and power(change(number), 0.08) >= 0.8
        assert number == least or power(change(number - 1), 0.08) < 0.8
    hopeless = find_needs(over_control(3, 4, seed_sd=0.05), lambda changed: power(changed, 0.05) >= 0.8)
    assert hopeless.prompts is None and hopeless.samples is None and hopeless.seeds is not None


def test_a_mean_over_benchmarks_and_an_interaction() -> None:
    """Whether a lucky seed is lucky everywhere is not known: the worse is taken."""
    variation = Variation(10**7, 1, 0.1, 0.1, "")

    def error(*weights: float) -> float:
        sides = (Side(1.0, 2, 1, "dpo"), Side(-1.0, 2, 1, "dpo"))
        return standard_error(Design(sides, tuple((weight, variation) for weight in weights), 0.01, {"dpo": (2, 2)}))[0]

    assert error(0.5, 0.5) == pytest.approx(error(1.0), rel=0.01)
    assert error(1.0, -1.0) == pytest.approx(2**0.5 * error(1.0), rel=0.01)


def answers(
    rng: np.random.Generator, gains: Sequence[float], seeds: int, samples: int, prompts: int, sd: float
) -> np.ndarray:
    """Arms x seeds x prompts: a run's mean of the samples of each prompt, whose correlations are what `Assumption`
    says; a run is moved by its seed."""
    taken, variance = Assumption(accuracy=0.4), 0.4 * 0.6
    shared = rng.normal(0, (variance * taken.other_run) ** 0.5, prompts)
    own = rng.normal(0, (variance * (taken.same_run - taken.other_run)) ** 0.5, (len(gains), seeds, prompts))
    moved = rng.normal(0, sd, (len(gains), seeds, 1)) + np.array(gains)[:, None, None]
    noise = rng.normal(0, (variance * (1 - taken.same_run) / samples) ** 0.5, own.shape)
    return np.asarray(0.4 + shared + own + moved + noise)


def estimated(values: np.ndarray, samples: int = 1) -> list[Estimate]:
    """Of arms x seeds x prompts, the gain of each arm but the last over the last."""
    of_arms: dict[ArmKey, np.ndarray] = {("dpo", str(number)): of_arm for number, of_arm in enumerate(values)}
    arms = {arm: ArmValues(((),) * len(of), tuple(range(len(of))), True, of) for arm, of in of_arms.items()}
    study = {"b": BenchmarkValues(np.arange(values.shape[2]), samples, arms)}
    *own, last = arms
    return [estimate({arm: 1.0, last: -1.0}, {"b": 1.0}, study) for arm in own]


FEW = pytest.param(300, 0.05, marks=pytest.mark.slow)
MANY = pytest.param(4_000, 0.03, marks=pytest.mark.long)


@pytest.mark.parametrize(
    ("seeds", "samples", "prompts", "sd"),
    [(3, 4, 400, 0.01), pytest.param(5, 1, 200, 0.02, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(("studies", "within"), [FEW, MANY])
def test_predicted_power_is_that_of_simulated_studies(
    seeds: int, samples: int, prompts: int, sd: float, studies: int, within: float
) -> None:
    """Of studies with the smallest gain that 80 % are said to find, so many find it by `estimate`."""
    design, rng = over_control(seeds, 2, samples, prompts, sd), np.random.default_rng(7)
    gain, found = detectable(design), 0
    for _ in range(studies):
        (one,) = estimated(answers(rng, [gain, 0.0], seeds, samples, prompts, sd), samples)
        found += one.p is not None and one.p < 0.05
    assert abs(found / studies - 0.8) <= within


@pytest.mark.parametrize("kind", ["equivalence", "non_inferiority"])
@pytest.mark.parametrize(("studies", "within"), [FEW, MANY])
def test_the_smallest_margin_is_that_of_simulated_studies(kind: str, studies: int, within: float) -> None:
    """Of studies without any difference, so many show it by `margin_p`."""
    design, rng = over_control(3, 2, 2, 200, 0.01), np.random.default_rng(8)
    size = smallest_margin(design, Margin.model_validate({kind: 0.5}))
    margin, shown = Margin.model_validate({kind: size}), 0
    for _ in range(studies):
        (one,) = estimated(answers(rng, [0.0, 0.0], 3, 2, 200, 0.01), 2)
        p = margin_p(margins.Tested(one.value, one.standard_error, one.df, one.p), margin)
        shown += p is not None and p <= 0.05
    assert margin_power(design, margin) == pytest.approx(0.8, abs=0.005)
    assert abs(shown / studies - 0.8) <= within


@pytest.mark.parametrize(("studies", "within"), [FEW, MANY])
def test_what_is_asked_of_all_is_found_as_often_in_simulated_studies(studies: int, within: float) -> None:
    """Three arms over one control, which they share."""
    design, rng = over_control(3, 4, 2, 200, 0.01), np.random.default_rng(9)
    together = Together((design,) * 3, np.full((3, 3), 0.5) + 0.5 * np.eye(3))
    gain, found = together.detectable(), 0
    for _ in range(studies):
        each = estimated(answers(rng, [gain, gain, gain, 0.0], 3, 2, 200, 0.01), 2)
        p = all_gain_p([margins.Tested(one.value, one.standard_error, one.df, one.p) for one in each])
        found += p is not None and p <= 0.05
    assert gain > detectable(design)
    assert abs(found / studies - 0.8) <= within


def test_of_all_and_of_a_spread_by_laws() -> None:
    """One contrast is itself; what is the same thrice is as one; what is asked of more is found less often."""
    design = over_control(3, 4)
    one, same = Together((design,), np.eye(1)), Together((design,) * 3, np.ones((3, 3)))
    apart, gain, margin = Together((design,) * 3, np.eye(3)), detectable(design), Margin(equivalence=0.1)
    assert one.power_of_all(gain) == pytest.approx(0.8, abs=0.01)
    assert one.power_of_margin(margin) == pytest.approx(margin_power(design, margin), abs=0.01)
    assert apart.power_of_all(gain) == pytest.approx(0.8**3, abs=0.02)
    assert apart.power_of_all(gain) + 0.1 < same.power_of_all(gain) < 0.81
    for asked in (margin, Margin(non_inferiority=0.1)):
        alone = one.smallest_margin(asked)
        assert apart.smallest_margin(asked) > alone == pytest.approx(smallest_margin(design, asked), rel=0.02)


@pytest.mark.parametrize(("same_run", "other_run"), [(0.5, 0.4), (0.3, 0.0), (0.4, 0.4)])
def test_pass_at_k_varies_as_in_simulated_answers(same_run: float, other_run: float) -> None:
    """How often a run answers a prompt rightly is a beta number about the prompt's. Of one sample it is the mean."""
    taken, rng = Assumption(accuracy=0.3, same_run=same_run, other_run=other_run), np.random.default_rng(1)
    right = np.full((40_000, 2), 0.3)
    if other_run:
        total = 1 / other_run - 1
        right[:] = rng.beta(0.3 * total, 0.7 * total, (40_000, 1))
    if same_run > other_run:
        of_run = (1 - other_run) / (same_run - other_run) - 1
        right = rng.beta(np.maximum(right * of_run, 1e-9), np.maximum((1 - right) * of_run, 1e-9))
    best = (rng.random((4, *right.shape)) < right).max(axis=0)
    found = taken.variation(100, 4, BEST)
    assert found.of_a_run == pytest.approx((best[:, 0] - best[:, 1].astype(float)).var() / 2, rel=0.05)
    assert taken.variation(100, 1, BEST).of_a_run == pytest.approx(taken.variation(100, 1).of_a_run, rel=0.01)
    design = over_control(3, 2)._replace(benchmarks=((1.0, found),), of_best=True)
    assert find_needs(design, lambda changed: power(changed, 0.08) >= 0.8).samples is None


def test_a_pilot_tells_what_samples_take_away() -> None:
    """Planted: the variance of an answer about its run's value, and of a run beside another, are found again."""
    rng = np.random.default_rng(3)
    values = answers(rng, [0.0, 0.0], 4, 1, 4_000, 0.0).reshape(8, -1)
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
    """Of the eleven runs on a GPU, their gains and what else was asked of them: from the untrained student's answers
    alone, and from its and one run's."""
    for name, rows in predicted_half_widths().items():
        ratios = [predicted / observed for *_, predicted, observed in rows]
        assert len(rows) == 2 * len(ARMS) + 4, name
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
    assert [(one.name, one.arms) for one in list_gains(declared, {"x": {"baseline", *arms}})] == [
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
