"""Prompts made by reasoning-gym: seeded, distinct, in one split only, and verifiable."""

from typing import Any

import pytest

from curation import tables
from curation.collect import collect
from curation.errors import CurationError
from curation.sources.reasoning_gym import Params

SUMS = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}


def source(task: str = "chain_sum", size: int = 6, seed: int = 1, split: str = "train", **config: Any) -> Params:
    tasks = {task: {"size": size, "config": config or SUMS}}
    return Params.model_validate({"kind": "reasoning_gym", "split": split, "seed": seed, "instruction": "Answer.", "tasks": tasks})


def test_the_same_seed_gives_the_same_prompts_and_another_gives_others() -> None:
    first, again, other = (collect({"sums": source(seed=seed)}) for seed in (1, 1, 2))
    tables.check(tables.PROMPTS, first, "prompts")
    assert first.equals(again)
    assert set(first["prompt_id"]) != set(other["prompt_id"])
    assert first["prompt"][0][0]["content"].endswith("\nAnswer.")


def test_no_prompt_is_in_two_splits_even_with_one_seed() -> None:
    prompts = collect({"train": source(size=40), "held_out": source(size=40, split="in_domain")})
    texts = [messages[-1]["content"] for messages in prompts["prompt"]]
    assert len(texts) == len(set(texts)) == 80


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (source(size=500), r"reasoning_gym chain_sum: \d+ distinct unused prompts, 500 wanted; widen its config or lower its size"),
        (source(task="chain_sums"), "reasoning_gym chain_sums: no such task; did you mean 'chain_sum'[?]"),
        (source(max_trms=1), "reasoning_gym chain_sum.config.max_trms: unknown key; did you mean 'max_terms'[?]"),
        (source(task="rush_hour", size=1, min_moves=1), "reasoning_gym rush_hour: its scorer .* its own answer.*; choose another task"),
    ],
)
def test_what_cannot_be_made_is_said(bad: Params, said: str) -> None:
    with pytest.raises(CurationError, match=said):
        collect({"bad": bad})
