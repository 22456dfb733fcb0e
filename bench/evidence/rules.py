"""Rules by which arms tell each other their variance between seeds: ours, and those it was chosen among."""

import numpy as np
from scipy import special

from curation.experiment.seed_variance import HALF_LENT, MOST_LENT, TINY, alike, lend

LENT, UNTESTED, POOLED, OWN, THIRD, LARGER, APART = "lent", "untested", "pooled", "own", "third", "larger", "apart"
RULES = {
    POOLED: "pooled where the test passes, else own",
    OWN: "each arm's own",
    UNTESTED: "lent, without a test",
    THIRD: "lent, a third as much",
    LARGER: "lent, never less than its own",
    APART: "lent, but to no arm whose own is above the median",
    LENT: "lent where the test passes, else own",
}
MEDIAN = 0.5  # of the p that an arm's variance is no larger than the others'


def between_seeds(
    rule: str, own: list[int], counts: np.ndarray, between: np.ndarray, sampling: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a contrast of the arms `own`, what the seeds say of its variance, the sampling part, the degrees of freedom.

    counts: the seeds of each arm. between, sampling: draws x arms, the variance between an arm's runs and the part of
    it that answers make. Where an arm has one seed, the rule is ours.
    """
    several = counts > 1
    shares = np.zeros(len(counts))
    shares[own] = 1 / counts[own]
    total, shares, df = float(shares.sum()), shares[several] / shares.sum(), (counts - 1.0)[several]
    between, sampling = between[:, several], sampling[:, several]
    each = shares * between
    each_df = each.sum(axis=1) ** 2 / np.maximum((each**2 / df).sum(axis=1), TINY)
    same = alike(between, sampling, np.broadcast_to(df, between.shape)) | bool(shares.sum() < 1 - 1e-9)
    together = np.ones_like(same) if rule == UNTESTED else same & (rule != OWN)
    if rule in (THIRD, LARGER, APART):
        means, of_answers, dfs = _moderate(rule, shares, df, between, sampling)
    else:
        weights, lent_df = (df / df.sum(), float(df.sum())) if rule == POOLED else lend(shares, df)
        means, of_answers, dfs = between @ weights, sampling @ weights, np.full(len(between), lent_df)
    means, of_answers = (
        total * np.where(together, one, alone @ shares) for one, alone in ((means, between), (of_answers, sampling))
    )
    return means, of_answers, np.where(together, dfs, each_df)


def _moderate(
    rule: str, shares: np.ndarray, df: np.ndarray, between: np.ndarray, sampling: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What `lend` makes where each draw lends to each arm as much as the rule says."""
    others, rest = len(df) - 1, df.sum() - df
    lent = np.minimum(rest, MOST_LENT * others / (others + HALF_LENT)) * np.ones_like(between)
    if rule == THIRD:
        lent = lent / 3
    elif rule == APART:
        lent = np.where(stand_out_p(between, sampling, df) > MEDIAN, lent, 0.0)
    borrowed = shares * lent / (df + lent)
    each = borrowed / np.maximum(rest, 1.0)
    weights = shares - borrowed + df * (each.sum(axis=1, keepdims=True) - each)
    apart = np.where(lent > 0, borrowed**2 * (1 / np.maximum(lent, TINY) - 1 / np.maximum(rest, TINY)), 0.0)
    dfs = 1 / ((weights**2 / df).sum(axis=1) + apart.sum(axis=1))
    if rule == LARGER:
        means, of_answers = (_of_each(one, lent, df) for one in (between, sampling))
        is_larger = between - sampling > means - of_answers
        return (
            *(np.where(is_larger, one, of) @ shares for one, of in ((between, means), (sampling, of_answers))),
            dfs,
        )
    return (weights * between).sum(axis=1), (weights * sampling).sum(axis=1), dfs


def _of_each(values: np.ndarray, lent: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Of each arm the mean of its own and the others', at their degrees of freedom."""
    others = ((values @ df)[:, None] - df * values) / np.maximum(df.sum() - df, 1.0)
    return np.asarray((df * values + lent * others) / (df + lent))


def stand_out_p(between: np.ndarray, sampling: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Of each arm the p that its variance is no larger than the others': an F test against their mean. No variance
    counts as less than its sampling part, as in `alike`."""
    least, rest = np.maximum(between, sampling), df.sum() - df
    others = ((least @ df)[:, None] - df * least) / np.maximum(rest, 1.0)
    return np.asarray(special.fdtrc(df, rest, least / np.maximum(others, TINY)))
