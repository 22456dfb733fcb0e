"""What every contender is asked for: the names of things in the bench's project, and its ten selections as
params.yaml writes them."""

import itertools
from typing import Any

LADDER = {"large": 32.0, "medium": 14.0, "small": 7.0, "tiny": 3.0}  # generator: billions of parameters, best first
SAMPLES = 4
PAIRS_EACH = 96  # of a prompt: six pairs of generators, each sample with each
DIMENSIONS = [f"d{number}" for number in range(5)]
JUDGES = {"answer": ["correct"], "a": DIMENSIONS, "b": DIMENSIONS}
KEPT_SHARE = 0.01
BAND = (0.5, 1.5)
NEAR = 100  # characters

TOP: dict[str, Any] = {"value": "a.delta_d0", "keep": {"kind": "top"}}
SELECTIONS: dict[str, dict[str, Any]] = {
    "random": {},
    "top": TOP,
    "bottom": {"value": "a.delta_d0", "keep": {"kind": "bottom"}},
    "band": {"value": "b.delta_d1", "keep": {"kind": "band", "low": BAND[0], "high": BAND[1]}},
    "middle_half": {"value": "a.delta_d2", "keep": {"kind": "quantiles", "low": 0.25, "high": 0.75}},
    "top_mean": {"value": f"({' + '.join(f'a.delta_{name}' for name in DIMENSIONS)}) / 5", "keep": {"kind": "top"}},
    "consensus": {"value": "least(a.delta_d0, b.delta_d0)", "keep": {"kind": "top"}},
    "per_prompt": TOP | {"limits": {"per_prompt": 1, "generator_share": None}},
    "strata": TOP | {"strata": {"by": "chosen_model || ' ' || rejected_model", "shares": "equal"}},
    "near_length": TOP | {"require": {"near_length": f"abs(chosen.characters - rejected.characters) <= {NEAR}"}},
}
REASONS = ("identical", "near_length", "unscored", "repeated", "outside_band", "per_prompt", "over_budget", "kept")
DRAWN = ("random", "band", "middle_half")  # those that come in random order, by the hash of each engine


def budget(pairs: int) -> int:
    """How many pairs each selection keeps."""
    return int(pairs * KEPT_SHARE)


def quotas(pairs: int) -> dict[str, int]:
    """How many pairs each stratum of `strata` gives, in the order of their texts: equal shares, what is left over to
    the first ones."""
    names = sorted(f"{chosen} {rejected}" for chosen, rejected in itertools.combinations(LADDER, 2))
    each, left = divmod(budget(pairs), len(names))
    return {name: each + (number < left) for number, name in enumerate(names)}
