"""Prompts made by reasoning-gym: seeded, distinct, in one split only, and verifiable; and those that a study does
without."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from served import ROOT, ran, save, served_params

from curation.core.errors import CurationError
from curation.core.params import read
from curation.prompts.collect import collect, read_sources
from curation.prompts.sources.reasoning_gym import Params
from curation.tables import contracts, parquet

SUMS = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}


def source(task: str = "chain_sum", size: int = 6, seed: int = 1, split: str = "train", **config: Any) -> Params:
    tasks = {task: {"prompts": size, "config": config or SUMS}}
    return Params.model_validate(
        {"kind": "reasoning_gym", "split": split, "seed": seed, "instruction": "Answer.", "tasks": tasks}
    )


def test_the_same_seed_gives_the_same_prompts_and_another_gives_others() -> None:
    first, again, other = (read_sources({"sums": source(seed=seed)}) for seed in (1, 1, 2))
    parquet.check(contracts.PROMPTS, first, "prompts")
    assert first.equals(again)
    assert set(first["prompt_id"]) != set(other["prompt_id"])
    assert first["prompt"][0][0]["content"].endswith("\nAnswer.")


def test_no_prompt_is_in_two_splits_even_with_one_seed() -> None:
    prompts = read_sources({"train": source(size=40), "held_out": source(size=40, split="in_domain")})
    texts = [messages[-1]["content"] for messages in prompts["prompt"]]
    assert len(texts) == len(set(texts)) == 80


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            source(size=500),
            r"reasoning_gym chain_sum: \d+ distinct unused prompts, 500 wanted; widen its config or lower its size",
        ),
        (source(task="chain_sums"), "reasoning_gym chain_sums: no such task; did you mean 'chain_sum'[?]"),
        (source(max_trms=1), "reasoning_gym chain_sum.config.max_trms: unknown key; did you mean 'max_terms'[?]"),
        (
            source(task="rush_hour", size=1, min_moves=1),
            "reasoning_gym rush_hour: its scorer .* its own answer.*; choose another task",
        ),
    ],
)
def test_what_cannot_be_made_is_said(bad: Params, said: str) -> None:
    with pytest.raises(CurationError, match=said):
        read_sources({"bad": bad})


def study(folder: Path, train: list[str], held: list[str]) -> Path:
    """A folder with a study of these prompts."""
    params = served_params(folder, "http://127.0.0.1:9/v1", prompts=1)
    columns = {"prompt": "q", "answer": "a", "task": None}
    for name, texts in (("train", train), ("held", held)):
        (folder / f"data/import/{name}.jsonl").write_text(
            "".join(json.dumps({"q": text, "a": "5"}) + "\n" for text in texts)
        )
    params["sources"] = {
        name: {
            "kind": "table",
            "path": f"data/import/{name}.jsonl",
            "split": split,
            "columns": columns,
            "verifier": "math",
            "instruction": "Be brief.",
        }
        for name, split in (("train", "train"), ("held", "out_of_domain"))
    }
    params["decontaminate"] = {"exact": True, "ngram": None, "near_duplicates": None}
    save(params, folder)
    return folder


def test_collect_writes_what_is_left_and_says_what_is_not(tmp_path: Path) -> None:
    folder = study(tmp_path, ["What is 2 + 3?", "What is 2 - 3?"], ["What is 2+3"])
    done = ran(folder, "stages.collect")
    assert done.stderr.startswith('collect: 1 of 2 train prompts dropped: 1 exact; curation sql "select ')
    seen = ran(folder, "curation", "sql", "--json", done.stderr.split('"')[1])
    assert json.loads(seen.stdout) == [
        {
            "source": "train",
            "reason": "exact",
            "overlap": 1.0,
            "text": "What is 2 + 3?\nBe brief.",
            "other": "held",
            "its_text": "What is 2+3\nBe brief.",
        }
    ]
    assert json.loads((folder / "data/metrics/collect.json").read_text()) == {
        "prompts": {"held": 1, "train": 1},
        "decontamination": {"kept": 1, "exact": 1, "ngram": 0, "near_duplicate": 0},
    }
    assert [
        row[0]["content"]
        for row in parquet.read(contracts.PROMPTS, folder / "data/prompts.parquet").filter(split="train")["prompt"]
    ] == ["What is 2 - 3?\nBe brief."]
    assert (
        json.loads(ran(folder, "curation", "plan", "--json").stdout)["stages"][0]["calls"] == 2
    )  # samples of the one that is left


def test_what_is_dropped_is_shown_once_beside_what_it_is_like(tmp_path: Path) -> None:
    folder = study(tmp_path, ["What is 2 + 3?", "What is 2 + 3 ?"], ["Name a bird."])
    params = YAML(typ="safe", pure=True).load(folder / "params.yaml")
    params["decontaminate"]["near_duplicates"] = {"shingle": 2, "permutations": 128, "threshold": 1.0, "seed": 0}
    save(params, folder)
    seen = json.loads(
        ran(folder, "curation", "sql", "--json", ran(folder, "stages.collect").stderr.split('"')[1]).stdout
    )
    assert [(row["reason"], row["overlap"], row["other"], row["text"] == row["its_text"]) for row in seen] == [
        ("near_duplicate", 1.0, "train", False)
    ]


def test_a_study_that_keeps_no_train_prompt_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study(tmp_path, ["What is 2 + 3?"], ["What is 2+3"]))
    whole = read()
    with pytest.raises(CurationError) as error:
        collect(whole.sources, whole.decontaminate)
    assert str(error.value) == (
        r"decontaminate drops all 1 train prompts: 1 exact; the first, 'What is 2 + 3?\nBe brief.' of train, "
        r"is like 'What is 2+3\nBe brief.' of held; "
        "give other train prompts, or change params.yaml: decontaminate"
    )


def test_the_default_study_loses_nothing() -> None:
    whole = read(ROOT / "params.yaml")
    collected = collect(whole.sources, whole.decontaminate)
    assert collected.prompts.equals(read_sources(whole.sources)) and collected.decontamination["kept"].all()
