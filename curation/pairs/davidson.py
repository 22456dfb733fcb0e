"""Bradley-Terry strengths with ties (Davidson 1970), fitted to all verdicts of one judge at once."""

import numpy as np

MAX_STEPS, TOLERANCE, MAX_HALVINGS = 100, 1e-12, 40


def chances(difference: np.ndarray, tie: float) -> np.ndarray:
    """The probability that the first is better, that the second is, and of a tie (rows x 3), from the difference of
    their log strengths.

    P = (e^(d/2), e^(-d/2), tie) / their sum: Davidson's model with tie = 2 for ties as likely as both others together
    between equals.
    """
    if np.isinf(tie):
        return np.tile([0.0, 0.0, 1.0], (len(difference), 1))
    up = np.exp(-np.abs(difference))  # scaled by e^(-|d|/2), so that nothing overflows
    high, low, even = np.ones_like(up), up, tie * np.sqrt(up)
    first = np.where(difference >= 0, high, low)
    return np.asarray(np.column_stack([first, high + low - first, even]) / (high + low + even)[:, None])


def fit_strengths(
    first: np.ndarray, second: np.ndarray, counts: np.ndarray, prior_sd: float
) -> tuple[np.ndarray, float]:
    """The log strength of each item, 0 in the mean, and the tie parameter, at the most likely.

    `first` and `second` are indices of items, from 0 and without gaps; `counts` (rows x 3) how often the first was
    better, the second was, and neither was, not all 0. `prior_sd` is the standard deviation of log strengths beforehand
    (a normal prior), without which one verdict would make an item infinitely strong. Without a tie the tie parameter is
    0; with nothing but ties it is infinite, and all are equal.
    """
    items = int(max(first.max(), second.max())) + 1
    if not counts[:, :2].any():
        return np.zeros(items), np.inf
    tied = bool(counts[:, 2].any())
    theta, log_tie = np.zeros(items), 0.0 if tied else -np.inf
    best = _likelihood(theta, log_tie, first, second, counts, prior_sd)
    for _ in range(MAX_STEPS):
        step, tie_step = _newton(theta, log_tie, first, second, counts, prior_sd)
        for halving in range(MAX_HALVINGS):
            trial, tie_trial = theta + step / 2**halving, log_tie + tie_step / 2**halving
            likelihood = _likelihood(trial, tie_trial, first, second, counts, prior_sd)
            if likelihood >= best - TOLERANCE * abs(best):
                break
        theta, log_tie, best = trial, tie_trial, likelihood
        if max(np.abs(step).max(), abs(tie_step)) < TOLERANCE:
            break
    return theta, float(np.exp(log_tie))


def _likelihood(
    theta: np.ndarray, log_tie: float, first: np.ndarray, second: np.ndarray, counts: np.ndarray, prior_sd: float
) -> float:
    """The log likelihood and the prior's, up to a constant."""
    chance = chances(theta[first] - theta[second], float(np.exp(log_tie)))
    return float((counts * np.log(np.where(counts > 0, chance, 1.0))).sum() - (theta**2).sum() / (2 * prior_sd**2))


def _newton(
    theta: np.ndarray, log_tie: float, first: np.ndarray, second: np.ndarray, counts: np.ndarray, prior_sd: float
) -> tuple[np.ndarray, float]:
    """The step to the top of the parabola that fits here, for the strengths and for the log of the tie parameter."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    items, total = len(theta), counts.sum(axis=1)
    won, lost, even = chances(theta[first] - theta[second], float(np.exp(log_tie))).T
    # of the difference d: (log P(won))' = (1 - won + lost) / 2, (log P(lost))' = (lost - won - 1) / 2 and
    # (log P(even))' = (lost - won) / 2; and -(log P)'' = (won + lost - (won - lost)^2) / 4 for all three
    slope = (counts[:, 0] - counts[:, 1] - total * (won - lost)) / 2
    bend = total * (won + lost - (won - lost) ** 2) / 4
    gradient = np.bincount(first, slope, items) - np.bincount(second, slope, items) - theta / prior_sd**2
    rows, columns = np.concatenate([first, second, first, second]), np.concatenate([first, second, second, first])
    curve = (
        sparse.csc_array((np.concatenate([bend, bend, -bend, -bend]), (rows, columns)), shape=(items, items))
        + sparse.eye_array(items) / prior_sd**2
    )
    solve = splu(curve.tocsc()).solve
    if not np.isfinite(log_tie):
        return solve(gradient), 0.0
    # with the log of the tie parameter as one more unknown: curve * step + mixed * tie_step = gradient, and
    # mixed' * step + tie_curve * tie_step = tie_gradient, solved by elimination
    cross = -total * even * (won - lost) / 2
    mixed = np.bincount(first, cross, items) - np.bincount(second, cross, items)
    along, across = solve(gradient), solve(mixed)
    tie_gradient, tie_curve = float((counts[:, 2] - total * even).sum()), float((total * even * (1 - even)).sum())
    # not by `@`, whose last digit is by how many threads BLAS has
    tie_step = (tie_gradient - (mixed * along).sum()) / (tie_curve - (mixed * across).sum())
    return along - tie_step * across, float(tie_step)
