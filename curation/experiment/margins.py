"""Tests against a margin, and of all members of a family at once."""

from collections.abc import Sequence
from typing import NamedTuple

from curation.experiment.declarations import Margin

LEVEL = 0.05  # that a verdict is held to
WITHIN = "within"  # how a margin to either side begins
EQUIVALENT, NOT_INFERIOR, ALL_GAIN, NOT_SHOWN = "equivalent", "not inferior", "all gain", "not shown"


class Tested(NamedTuple):
    """An estimate with its standard error, its degrees of freedom, and its two-sided p that it is 0; no p where it says
    nothing of other seeds."""

    value: float
    standard_error: float
    df: float
    p: float | None


def margin_p(tested: Tested, margin: Margin) -> float | None:
    """The p of the margin: of equivalence the larger one of two one-sided tests (TOST, Schuirmann 1987), so that a p
    below 0.05 is a 90 % interval within the margin; of non-inferiority that of the lower one."""
    if tested.p is None:
        return None
    if margin.non_inferiority is not None:
        return _one_sided(tested.value + margin.non_inferiority, tested)
    assert margin.equivalence is not None
    return equivalence_p(tested, margin.equivalence)


def equivalence_p(tested: Tested, margin: float) -> float | None:
    """That of TOST; None where the estimate has no p."""
    if tested.p is None:
        return None
    return max(_one_sided(tested.value + margin, tested), _one_sided(margin - tested.value, tested))


def _one_sided(above: float, tested: Tested) -> float:
    """The p that what is estimated `above` 0 is not above 0."""
    from scipy import stats

    if tested.standard_error == 0:
        return 0.0 if above > 0 else 1.0
    return float(stats.t.sf(above / tested.standard_error, tested.df))


def all_gain_p(members: Sequence[Tested]) -> float | None:
    """The p that not every member is above 0: the largest of theirs, 1 where one is not above 0 (the intersection-union
    test, Berger 1982), so that it needs no correction for their number."""
    if any(member.p is None for member in members):
        return None
    return max(float(member.p or 0.0) if member.value > 0 else 1.0 for member in members)


def verdict_of(p: float | None, shown: str) -> str | None:
    """`shown` where the corrected p is at most 0.05; None where there is no p."""
    return None if p is None else shown if p <= LEVEL else NOT_SHOWN
