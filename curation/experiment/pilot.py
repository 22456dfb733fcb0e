"""How much answers vary: as the results that a study has show, or as it is assumed where it has none."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, NamedTuple, Self

import numpy as np
import polars as pl
from pydantic import Field

from curation.core.params import Strict
from curation.core.stats import stable_mean
from curation.core.text import say_count
from curation.experiment.power import Variation
from curation.experiment.values import AVERAGE, BEST, ArmKey, BenchmarkValues, DeclaredRuns, counted_score, study_values

FEWEST_PROMPTS, FEWEST_DFS = 20, 4  # of results that say more than an assumption
PROMPTS_TAKEN = 400  # of those that differ in how often they are answered rightly
FARTHEST = 0.02  # that an accuracy is from 0 and 1, which a few prompts may show by chance

Probability = Annotated[float, Field(ge=0.001, le=0.999, description="at 0 and 1 nothing varies")]
Correlation = Annotated[float, Field(ge=0, le=0.99, description="at 1 nothing varies")]
Deviation = Annotated[float, Field(ge=0, le=0.5, description="of shares of right answers")]


class Assumed(Strict):
    """`compare.assume`: what `curation plan` takes where there are no results yet; null, or left out, is what it says
    there itself.

    accuracy: the share of right answers.
    same_run: the correlation of two answers that one run gives to a prompt.
    other_run: that of answers that two runs give to it, be they of two arms or of two seeds; at most `same_run`.
    seed_sd: the standard deviation between runs that differ in the seed of training alone, 0.01 is a point.
    """

    accuracy: Probability | None = None
    same_run: Correlation | None = None
    other_run: Correlation | None = None
    seed_sd: Deviation | None = None


class Assumption(NamedTuple):
    """The same, with what is taken where nothing is said: the accuracy at which answers vary most, correlations as
    between the runs of a 0.5B student (docs/plan.md), and a standard deviation of a point."""

    accuracy: float = 0.5
    same_run: float = 0.5
    other_run: float = 0.4
    seed_sd: float = 0.01

    def at(self, accuracy: float) -> Self:
        """The same where so many answers are right, of which some are seen."""
        return self._replace(accuracy=min(max(accuracy, FARTHEST), 1 - FARTHEST))

    def find_faults(self) -> Iterator[str]:
        """What does not go together."""
        if self.other_run > self.same_run:
            yield (
                f"other_run: {self.other_run:g} is more than same_run: {self.same_run:g}; two runs agree on a prompt "
                "no more than one does with itself"
            )

    @property
    def of_runs_share(self) -> float:
        """Of what two runs with a sample each differ by, the share that more samples do not take away."""
        return (self.same_run - self.other_run) / (1 - self.other_run)

    def variation(self, prompts: int, samples: int, measure: str = AVERAGE) -> Variation:
        """That of a benchmark nobody has answered."""
        basis = f"assumed, {self.accuracy:.0%} right"
        if measure == BEST:
            return Variation(prompts, samples, self._best_varies(samples), 0.0, basis)
        answer = self.accuracy * (1 - self.accuracy)
        of_runs, of_samples = answer * (self.same_run - self.other_run), answer * (1 - self.same_run)
        return Variation(prompts, samples, of_runs, of_samples, basis)

    def _best_varies(self, samples: int) -> float:
        """The variance over prompts of a run's pass@k beside another's: how often a run is right on a prompt is a beta
        number about the prompt's own, and that about the accuracy, with the correlations that are assumed."""
        from scipy import special

        prompts: np.ndarray | float = self.accuracy
        if self.other_run > 0:
            total = 1 / self.other_run - 1
            ends = self.accuracy * total, (1 - self.accuracy) * total
            prompts = special.betaincinv(*ends, (np.arange(PROMPTS_TAKEN) + 0.5) / PROMPTS_TAKEN)
        if self.same_run - self.other_run < 1e-9:
            none = (1 - prompts) ** samples
        else:
            of_run = (1 - self.other_run) / (self.same_run - self.other_run) - 1
            answers = np.arange(samples)[:, None]
            none = (((1 - prompts) * of_run + answers) / (of_run + answers)).prod(axis=0)
        return float(np.mean(none * (1 - none)))


def assumption(given: Assumed | None) -> Assumption:
    """What is assumed."""
    said = {} if given is None else given.model_dump(exclude_none=True)
    return Assumption()._replace(**said)


class Pilot(NamedTuple):
    """What the results of a study say of how much answers vary, by benchmark and measure. `of_samples` is by benchmark
    the variance of an answer about its run's value of the prompt, where prompts were answered more than once."""

    values: Mapping[tuple[str, str], BenchmarkValues]
    of_samples: Mapping[str, float]
    assumed: Assumption

    def variation(
        self, benchmark: str, arms: Collection[ArmKey], prompts: int, samples: int, measure: str = AVERAGE
    ) -> Variation:
        """That of a benchmark with so many prompts and samples for a contrast of these arms: by their results if two of
        them have some, else by those of all arms, else as assumed. Of pass@k, results of another k say how many answers
        are right, and no more."""
        runs = self._runs(benchmark, arms, measure)
        if runs.shape[1] < FEWEST_PROMPTS:
            return self.assumed.variation(prompts, samples, measure)
        seen, of_a_run = self.values[benchmark, measure].samples, residual_variance(runs)
        if of_a_run <= 0 or (measure == BEST and seen != samples):  # one run, or runs that answer alike
            right = float(self._runs(benchmark, arms, AVERAGE).mean())
            return self.assumed.at(right).variation(prompts, samples, measure)
        basis = f"{len(runs)} runs, {runs.shape[1]} prompts"
        if measure == BEST:
            return Variation(prompts, samples, of_a_run, 0.0, basis)
        if benchmark in self.of_samples:
            noise = min(self.of_samples[benchmark], of_a_run * seen)
        else:  # a sample each does not tell what more of them would take away
            noise = of_a_run * (1 - self.assumed.of_runs_share)
        return Variation(prompts, samples, of_a_run - noise / seen, noise, basis)

    @property
    def passed_over(self) -> dict[str, int]:
        """The benchmarks with results of too few prompts to say more than an assumption, and of how many."""
        there = {name: self._runs(name, (), AVERAGE).shape[1] for name, one in self.values if one == AVERAGE}
        return {name: prompts for name, prompts in there.items() if prompts < FEWEST_PROMPTS}

    def _runs(self, benchmark: str, arms: Collection[ArmKey], measure: str) -> np.ndarray:
        """Runs x prompts, of the prompts that each has a value of."""
        if (values := self.values.get((benchmark, measure))) is None or not values.arms:
            return np.empty((0, 0))
        own = [arm for arm in arms if arm in values.arms]
        runs = np.concatenate([values.arms[arm].values for arm in (own if len(own) > 1 else values.arms)])
        return np.asarray(runs[:, ~np.isnan(runs).any(axis=0)])

    def seed_sd(self, methods: Collection[str], measure: str = AVERAGE) -> tuple[float, str]:
        """The standard deviation between seeds of arms of these methods, pooled over arms and benchmarks, and what it
        rests on."""
        squares, dfs = 0.0, 0  # of arms that were answered on enough prompts
        for (_, one_measure), values in self.values.items():
            for arm, one in values.arms.items():
                if one_measure == measure and one.trained and arm[0] in methods and len(one.seeds) > 1:
                    runs = one.values[:, ~np.isnan(one.values).any(axis=0)]
                    if runs.shape[1] < FEWEST_PROMPTS:
                        continue
                    of_prompts = residual_variance(runs) / runs.shape[1]
                    df = len(runs) - 1
                    squares += df * (float(runs.mean(axis=1).var(ddof=1)) - of_prompts)
                    dfs += df
        if dfs < FEWEST_DFS:
            few = f", as {say_count(dfs, 'degree')} of freedom are fewer than {FEWEST_DFS}" if dfs else ""
            return self.assumed.seed_sd, f"assumed{few}"
        return float(np.sqrt(max(squares / dfs, 0.0))), f"{dfs} degrees of freedom"


def pilot(declared: DeclaredRuns, results: pl.DataFrame, assumed: Assumption) -> Pilot:
    """What `results` say, which may have no rows."""
    within = (
        results.select("run", "benchmark", "prompt_id", counted_score().alias("score"))
        .drop_nulls()
        .group_by("run", "benchmark", "prompt_id")
        .agg(pl.col("score").var(), pl.len())
        .filter(pl.col("len") > 1)
        .group_by("benchmark")
        .agg(stable_mean(pl.col("score")))
    )
    return Pilot(study_values(declared, results), dict(within.rows()), assumed)


def residual_variance(runs: np.ndarray) -> float:
    """Of runs x prompts, the variance that is neither a run's nor a prompt's own; 0 with fewer than two of either."""
    if min(runs.shape) < 2:
        return 0.0
    rest = runs - runs.mean(axis=0) - runs.mean(axis=1, keepdims=True) + runs.mean()
    return float((rest**2).sum() / ((runs.shape[0] - 1) * (runs.shape[1] - 1)))
