"""Arms that are the same runs under two names, whose difference says nothing."""

from collections.abc import Mapping

from curation.experiment.values import ArmKey, DeclaredRuns

SAME = "both sides are the same runs"


def find_same_arms(declared: DeclaredRuns, weights: Mapping[str, str]) -> dict[ArmKey, ArmKey]:
    """Of each arm that has runs in `weights`, the first arm that has the same: pairs that are the same under another
    name are trained once. `weights` are their hashes, by run. Seeds that only one of the two has, as where a run
    failed, do not make them others."""
    runs: dict[ArmKey, dict[int, list[str]]] = {}
    for run, arm in declared.arms.items():
        runs.setdefault(arm, {}).setdefault(declared.seeds[run], []).append(weights.get(run, ""))
    known = {arm: {seed: sorted(of) for seed, of in by_seed.items() if all(of)} for arm, by_seed in runs.items()}
    same: dict[ArmKey, ArmKey] = {}
    for arm, by_seed in known.items():
        alike = (first for first in same.values() if _are_alike(by_seed, known[first]))
        if by_seed:
            same[arm] = next(alike, arm)
    return same


def _are_alike(one: Mapping[int, list[str]], other: Mapping[int, list[str]]) -> bool:
    common = one.keys() & other.keys()
    return bool(common) and all(one[seed] == other[seed] for seed in common)
