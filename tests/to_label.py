"""A study to label: sixty prompts, with pairs of texts that a reader can tell apart; and what its labels say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import world
from ruamel.yaml import YAML

from curation.core.params import read
from curation.explore.labels.gold import Gold
from curation.explore.labels.snippet import write_snippet
from curation.judging.pairwise_judges import imported as verdicts
from curation.judging.prefer import prefer
from curation.pairs import pair
from curation.tables import contracts, parquet
from curation.tables.ids import content_id

PROMPTS = 60
TEXTS: dict[str, Callable[[int], str]] = {
    "large": lambda n: f"{n} + {n} = {2 * n}.",
    "medium": lambda n: f"It is {2 * n + n % 2}.",
    "small": lambda n: f"I say {n * n + 1}.",
}


def write(folder: Path, hostile: str = "") -> pl.DataFrame:
    """`folder` holds the study, of whose texts each ends in `hostile`; its pairs."""
    world.write(world.sound(), folder)
    data = folder / "data"
    prompts = world.rows_of(
        contracts.PROMPTS,
        [world.prompt_row("sums", "train", f"What is {n} + {n}?{hostile}", str(2 * n)) for n in range(PROMPTS)],
    )
    rows = [
        (content_id(prompt, by), prompt, by, 0, "family", scale, TEXTS[by](n) + hostile, "stop", 9)
        for n, prompt in enumerate(prompts["prompt_id"])
        for by, scale in world.GENERATORS.items()
    ]
    traces = world.traced(rows)
    pairs = pair.pair(pair.Params.model_validate(world.settings()["pair"]), traces)
    parquet.write(contracts.PROMPTS, prompts, data / "prompts.parquet")
    parquet.write(contracts.PAIRS, pairs, data / "pairs.parquet")
    for name in world.GENERATORS:
        parquet.write(contracts.TRACES, traces.filter(generator=name), data / f"traces/{name}.parquet")
    (folder / "data/import").mkdir()
    return pairs


def read_back(folder: Path) -> dict[str, pl.DataFrame]:
    """What each pairwise judge of the lines that the page prints says, with the pair of each verdict. The process runs
    in `folder`."""
    study = read(folder / "params.yaml")
    entries: dict[str, Any] = YAML(typ="safe").load(write_snippet(Gold(), study))["pairwise_judges"]
    pairs = parquet.read(contracts.PAIRS, Path("data/pairs.parquet"))
    traces = parquet.read_parts(contracts.TRACES, world.GENERATORS)
    prompts = parquet.read(contracts.PROMPTS, Path("data/prompts.parquet"))
    found = {}
    for name, body in entries.items():
        judge = verdicts.Params.model_validate(body)
        assert not list(judge.mistakes(study))
        found[name] = prefer("people", judge, pairs, traces, prompts, None).join(pairs, on="pair_id")  # type: ignore[arg-type]
    return found
