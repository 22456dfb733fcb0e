"""Hostile input at random ends in no traceback, invents nothing, and leaves nothing that cannot be kept."""

import pytest

from bench.fuzz import params, replies


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_no_mutated_body_ends_a_run_or_makes_a_score(count: int) -> None:
    """What is asserted of each stands in `bench/fuzz/replies.py`."""
    outcomes = replies.run(count, seed=count)
    assert sum(outcomes.values()) == count and len(outcomes) > 15


@pytest.mark.slow
@pytest.mark.parametrize("count", [15, 1000])  # of 5000 in `make bench`
def test_a_mutated_params_file_is_valid_or_refused_in_lines(count: int) -> None:
    """What is asserted of each stands in `bench/fuzz/params.py`."""
    outcomes = params.run(count, seed=count)
    assert sum(outcomes.values()) == count and {"refused: not YAML", "refused: several mistakes"} <= set(outcomes)
