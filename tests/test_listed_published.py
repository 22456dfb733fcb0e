"""Preference sets as they are published, each through a study of its own: what the three tables hold is in traces,
judgments, candidates, verdicts and subsets, row for row."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from ruamel.yaml import YAML

from curation.calls.ledger import Ledger
from curation.judging.judge import judge
from curation.judging.judges import listed as ratings_kind
from curation.judging.pairwise_judges import listed as verdicts_kind
from curation.judging.prefer import prefer
from curation.pairs.pair import IS_EMPTY, pair
from curation.prompts.collect import collect
from curation.prompts.decontaminate import Params as Decontaminate
from curation.prompts.sources import pairs as pairs_kind
from curation.selection import subset
from curation.tables import contracts, parquet
from curation.traces.generate import generate
from curation.traces.generators import listed as generators_kind

SETS = Path(__file__).parent / "data/preference_sets"
PUBLISHED: dict[str, Any] = YAML(typ="safe", pure=True).load(SETS / "sets.yaml")
KEEP_ALL = Decontaminate.model_validate({"exact": False, "ngram": None, "near_duplicates": None})
SIDES = ["chosen_trace_id", "rejected_trace_id"]


FAST = ("ultrafeedback", "arena", "reasoning")
CASES = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in PUBLISHED]


@pytest.mark.parametrize("name", CASES)
def test_a_published_set_goes_through_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ledger: Ledger
) -> None:
    body = {"kind": "pairs", "split": "train", "path": str(SETS / f"{name}.jsonl"), **PUBLISHED[name]["settings"]}
    source = pairs_kind.Params.model_validate(body)
    made = collect({name: source}, KEEP_ALL)
    named = {"kind": "listed", "source": name}
    writer = generators_kind.Params.model_validate(named | {"family": None, "scale_b": None})
    traces = generate(name, writer, made.prompts, ledger, made.responses)
    assert traces.height == made.responses.height and set(traces["trace_id"]) == set(made.responses["trace_id"])

    settings = world.pairing(order="listed", within_generator=True)
    candidates = pair(settings, traces, made.listed_pairs)
    parquet.check(contracts.PAIRS, candidates, name)
    silent = traces.filter(pl.col("text_id").is_null() | IS_EMPTY)["trace_id"].implode()
    sounding = made.listed_pairs.filter(~pl.any_horizontal(pl.col(side).is_in(silent) for side in SIDES))
    assert set(candidates.select(SIDES).rows()) == set(sounding.select(SIDES).rows())

    if source.rating_names:
        monkeypatch.chdir(tmp_path)
        parquet.write(contracts.RATINGS, made.ratings, contracts.path("ratings"))
        scale = {rating: [-100.0, 100.0] for rating in source.rating_names}
        rater = ratings_kind.Params.model_validate(named | {"scale": scale})
        rows = judge("people", rater, traces, made.prompts, ledger)
        parquet.check(contracts.JUDGMENTS, rows, name)
        key = ["trace_id", "dimension", "repeat", "score", "rationale"]
        assert rows.filter(status="scored").select(key).sort(key).equals(
            made.ratings.drop_nulls("score").select(key).sort(key)
        )  # fmt: skip

    labels = verdicts_kind.Params.model_validate(named)
    verdicts = prefer("labels", labels, candidates, traces, made.prompts, ledger, made.listed_pairs)
    parquet.check(contracts.PREFERENCES, verdicts, name)
    said = verdicts.join(candidates, on="pair_id").select(*SIDES, "verdict")
    assert better_sides(said) == better_sides(sounding) and said.height >= candidates.height

    columns = {"margin": pl.Float64, "p_chosen": pl.Float64, "chosen_rating": pl.Float64, "rejected_rating": pl.Float64}
    nulls = [pl.lit(None, kind).alias(column) for column, kind in (columns | {"curriculum_position": pl.Int32}).items()]
    texts = subset.from_frames(traces, made.prompts, made.responses, made.listed_pairs)
    kept = subset.add_messages(candidates.select("pair_id", "prompt_id", *SIDES, *nulls), texts)
    parquet.check(contracts.SUBSETS, kept, name)
    own = [*SIDES, "external_id", "carried"]
    assert set(kept.select(own).rows()) <= set(made.listed_pairs.select(own).rows())


def better_sides(rows: pl.DataFrame) -> set[tuple[frozenset[int], int | str | None]]:
    """What is said of every two traces: the better one, a tie, or nothing."""
    told = {"both_bad": "tie", "tie": "tie", None: None}
    return {
        (frozenset((chosen, rejected)), {"chosen": chosen, "rejected": rejected, **told}[verdict])
        for chosen, rejected, verdict in rows.select(*SIDES, "verdict").rows()
    }
