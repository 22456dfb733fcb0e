"""Arms that are the same runs under two names, whose difference says nothing."""

from collections.abc import Mapping

from curation.experiment.values import ArmKey, DeclaredRuns

SAME = "both sides are the same runs"


def find_same_arms(declared: DeclaredRuns, weights: Mapping[str, str]) -> dict[ArmKey, ArmKey]:
    """Of each arm all of whose runs are in `weights`, the first arm that has the same by seed. `weights` are their
    hashes, by run: pairs that are the same under another name are trained once."""
    runs: dict[ArmKey, list[tuple[int, str]]] = {}
    for run, arm in declared.arms.items():
        if run in weights:
            runs.setdefault(arm, []).append((declared.seeds[run], weights[run]))
    whole = {arm for arm in runs if all(run in weights for run, of in declared.arms.items() if of == arm)}
    first: dict[tuple[tuple[int, str], ...], ArmKey] = {}
    return {arm: first.setdefault(tuple(sorted(of)), arm) for arm, of in runs.items() if arm in whole}
