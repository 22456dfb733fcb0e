"""How often a margin is shown to hold where there is no difference at all, and what is asked of several contrasts
together where each has the same gain."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from curation.experiment.declarations import Margin
from curation.experiment.margins import LEVEL
from curation.experiment.power import POWER, Design, critical, estimated_errors, half_width, standard_error

DRAWS = 20_000  # of what several contrasts turn out to be
MOST_DRAWN = 4_000_000  # numbers
FARTHEST = 40.0  # standard errors, at which everything is found


def margin_power(design: Design, margin: Margin) -> float:
    """How often `margins.margin_p` shows the margin at 5 %."""
    error, df = standard_error(design)
    return _kept_within(size_of(margin) / error, df, margin) if error else 1.0


def size_of(margin: Margin) -> float:
    """How large it is, to whichever side."""
    return margin.equivalence or margin.non_inferiority or 0.0


def smallest_margin(design: Design, margin: Margin, wanted: float = POWER) -> float:
    """The smallest margin of that kind that is shown so often."""
    error, df = standard_error(design)
    return error * _solve(lambda room: _kept_within(room, df, margin), wanted)


def _kept_within(room: float, df: float, margin: Margin) -> float:
    """How often the statistic of no difference is far enough within a margin of so many standard errors."""
    from scipy.special import ndtr

    left = room - one_sided(df) * estimated_errors(df)
    shown = ndtr(left) if margin.equivalence is None else 2 * ndtr(np.maximum(left, 0.0)) - 1
    return float(shown.mean())


def one_sided(df: float) -> float:
    """The quantile of Student's t that a one-sided test at 5 % asks for."""
    from scipy import stats

    return float(stats.t.ppf(1 - LEVEL, max(df, 1.0)))


class Together(NamedTuple):
    """Contrasts of which something is asked at once, and how they correlate."""

    designs: tuple[Design, ...]
    correlations: np.ndarray

    def power_of_all(self, gain: float) -> float:
        """How often each is found to gain, where each gains so much."""
        errors, drawn, thresholds = self._draw(critical)
        return float((drawn + gain / errors > thresholds).all(axis=1).mean())

    def power_of_margin(self, margin: Margin) -> float:
        """How often each is shown to hold the margin, where all are 0."""
        errors, drawn, thresholds = self._draw(one_sided)
        apart = -drawn if margin.equivalence is None else np.abs(drawn)
        return float((apart < size_of(margin) / errors - thresholds).all(axis=1).mean())

    def detectable(self, wanted: float = POWER) -> float:
        """The smallest gain of each that is found of all so often."""
        return _solve(self.power_of_all, wanted, self._largest_error)

    def smallest_margin(self, margin: Margin, wanted: float = POWER) -> float:
        """The smallest margin of that kind that is shown of all so often."""
        (kind,) = margin.model_dump(exclude_none=True)

        def power(size: float) -> float:
            return self.power_of_margin(margin.model_copy(update={kind: size}))

        return _solve(power, wanted, self._largest_error)

    @property
    def widest(self) -> Design:
        """The one whose interval is widest."""
        return max(self.designs, key=half_width)

    @property
    def of_best(self) -> bool:
        """Whether one is of pass@k."""
        return any(design.of_best for design in self.designs)

    @property
    def methods(self) -> list[str]:
        """Those of all."""
        return list(dict.fromkeys(method for design in self.designs for method in design.methods))

    @property
    def fewest_prompts(self) -> int:
        """That each could be measured on."""
        return max(design.fewest_prompts for design in self.designs)

    def with_prompts(self, total: int) -> Self:
        """The same with so many prompts of each."""
        return self._replace(designs=tuple(design.with_prompts(total) for design in self.designs))

    def with_samples(self, samples: int) -> Self:
        """The same with so many samples of each prompt."""
        return self._replace(designs=tuple(design.with_samples(samples) for design in self.designs))

    def with_seeds(self, seeds: int) -> Self:
        """The same with so many seeds of each arm that is trained."""
        return self._replace(designs=tuple(design.with_seeds(seeds) for design in self.designs))

    @property
    def _largest_error(self) -> float:
        return max(standard_error(design)[0] for design in self.designs)

    def _draw(self, quantile: Callable[[float], float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each design its standard error; draws of what they turn out to be, in standard errors; and what each draw
        is held to, with the error that is estimated along with it. The same draws each time."""
        errors, dfs = map(np.array, zip(*map(standard_error, self.designs), strict=True))
        values, vectors = np.linalg.eigh(self.correlations)
        rng, draws = np.random.default_rng(0), max(min(DRAWS, MOST_DRAWN // len(errors)), 200)
        drawn = rng.standard_normal((draws, len(errors))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        estimated = np.array([rng.permutation(np.resize(estimated_errors(df), draws)) for df in dfs]).T
        return np.maximum(errors, 1e-12), drawn, estimated * np.array([quantile(df) for df in dfs])


def _solve(power: Callable[[float], float], wanted: float, scale: float = 1.0) -> float:
    """The smallest number, to a thousandth of the scale, whose power is so much."""
    least, most = 0.0, FARTHEST * scale
    while most - least > 1e-3 * scale:
        middle = (least + most) / 2
        least, most = (least, middle) if power(middle) >= wanted else (middle, most)
    return most
