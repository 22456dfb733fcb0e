"""Which measurements are suspect: somebody should look."""

from collections.abc import Callable
from math import isnan

from curation.core.metrics import Interval
from curation.core.stats import ROUNDING
from curation.reliability.measurement import CHANCE

LOWEST_COVERAGE, HIGHEST_ZERO_DELTA_RATE = 0.95, 0.5
LOWEST_REPEAT_ALPHA = 0.667  # Krippendorff's own lowest limit
HIGHEST_POSITION_INCONSISTENCY = 0.35  # GPT-4's own on MT-Bench (arXiv 2306.05685)
# 2.81 / 1.96: so many half-widths of a 95 % interval from the null is a two-sided p < 0.005. A judge is measured in
# many ways, and p < 0.05 would make one measure in twenty suspect without a fault.
FAR = 1.43


def _far_from(null: float) -> Callable[[Interval], bool]:
    def is_far(interval: Interval) -> bool:
        half = 0.0 if isnan(interval.low) else (interval.high - interval.low) / 2  # what does not vary has no ends
        return abs(interval.mean - null) > FAR * half + ROUNDING

    return is_far


def _far_above_zero(interval: Interval) -> bool:
    return interval.mean > FAR * (interval.mean - interval.low)


SUSPECT: dict[str, Callable[[Interval], bool]] = {
    "coverage": lambda interval: interval.mean < LOWEST_COVERAGE,
    "zero_delta_rate": lambda interval: interval.mean > HIGHEST_ZERO_DELTA_RATE,
    "repeat_alpha": lambda interval: interval.mean < LOWEST_REPEAT_ALPHA,
    "position_inconsistency": lambda interval: interval.mean > HIGHEST_POSITION_INCONSISTENCY,
    "first_position_rate": _far_from(0.5),
    "length_correlation_equally_right": _far_from(0.0),
    "reasoning_length_correlation_equally_right": _far_from(0.0),
    "answer_length_correlation_equally_right": _far_from(0.0),
    "self_preference": _far_from(0.0),
    "drift": _far_from(0.0),
    "overconfidence": _far_above_zero,
    "calibrated_overconfidence": _far_above_zero,
}
OF_CHANCE = ("auroc", "pairwise_accuracy")  # suspect where the interval includes what chance reaches, or lies below


def is_suspect(measure: str, interval: Interval | None, chance: float = CHANCE) -> bool:
    """Whether the interval of `measure` asks for a look; never where there is none, or no limit for the measure.
    `chance` is what a judge that tells nothing reaches."""
    if interval is None:
        return False
    if measure in OF_CHANCE:
        return interval.low <= chance
    return measure in SUSPECT and SUSPECT[measure](interval)
