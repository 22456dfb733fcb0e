"""Published ratings and verdicts, as their files have them, through the imported judges: each is the one that its file
says."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from published import EXCERPTS, published
from test_judged_data import compared, traces

from curation.calls.ledger import Ledger
from curation.judging.judge import judge
from curation.judging.judges import imported as ratings
from curation.judging.pairwise_judges import imported as verdicts
from curation.judging.prefer import prefer
from curation.tables import contracts, parquet

HANNA = ("coherence", "complexity", "empathy", "engagement", "relevance", "surprise")


def named_traces(name: str) -> pl.DataFrame:
    """The traces of a set, with the ids that its files have."""
    return traces("excerpt", name).with_columns(published("excerpt", name, "traces")["trace_id"].alias("external_id"))


@pytest.mark.slow
def test_hannas_three_raters_are_read_from_its_own_long_file(tmp_path: Path, ledger: Ledger) -> None:
    """204 stories, six dimensions, three people and five models in one file; and the same ratings as a wide CSV."""
    rows, stories = published("excerpt", "hanna", "judgments"), named_traces("hanna")
    shared: dict[str, Any] = {"kind": "imported", "unmatched": "error", "trace_id": "target_id", "rater": "judge"}

    def judged(**body: Any) -> pl.DataFrame:
        made = judge("people", ratings.Params.model_validate(shared | body), stories, pl.DataFrame(), ledger)
        parquet.check(contracts.JUDGMENTS, made, "judgments")
        return made.sort("trace_id", "dimension", "repeat")

    names, scale = {name: name for name in HANNA}, {name: [1.0, 5.0] for name in HANNA}
    long = judged(path=str(EXCERPTS / "hanna/judgments.parquet"), where="judge_kind = 'human'", dimension="dimension",
                  score="score", dimensions=names, scale=scale)  # fmt: skip
    wide = rows.filter(judge_kind="human").pivot("dimension", index=["target_id", "judge"], values="score")
    wide.sample(fraction=1, shuffle=True, seed=0).write_csv(tmp_path / "wide.csv")
    assert judged(path=str(tmp_path / "wide.csv"), dimensions=names, scale=scale).equals(long)
    people = rows.filter(judge_kind="human").join(stories, left_on="target_id", right_on="external_id")
    count = {key: part["score"].sort().to_list() for key, part in people.group_by("trace_id", "dimension")}
    scored = long.filter(status="scored")
    assert scored.height == people.drop_nulls("score").height > 2000
    for key, part in scored.group_by("trace_id", "dimension"):
        assert part["score"].sort().to_list() == count[key] and sorted(part["repeat"]) == list(range(part.height))


@pytest.mark.parametrize("turned", [pytest.param(False, marks=pytest.mark.slow), True])
def test_llmbars_verdicts_in_both_orders_are_read_by_the_traces_they_name(
    turned: bool, tmp_path: Path, ledger: Ledger
) -> None:
    """One of its judges: 1 is trace_a, 0 trace_b, null no verdict; `rep` 1 has trace_b shown first. Of pairs that the
    study has the other way round each verdict and order is the other one."""
    _, pairs, preferences = compared("excerpt", "llmbar")
    name = "Falcon/Vanilla_NoRules"
    wanted = preferences.filter(judge=name)
    if turned:
        sides = ["chosen_trace_id", "rejected_trace_id"]
        pairs = pairs.rename(dict(zip(sides, sides[::-1], strict=True))).select(contracts.PAIRS.schema.names)
        wanted = wanted.with_columns(
            pl.col("verdict").replace({"chosen": "rejected", "rejected": "chosen"}),
            pl.col("order").replace(contracts.ORDERS, contracts.ORDERS[::-1]),
        )
    params = verdicts.Params.model_validate(
        {
            "kind": "imported", "unmatched": "error", "path": str(EXCERPTS / "llmbar/judgments.parquet"),
            "where": f"judge = '{name}'", "a": {"trace_id": "trace_a"}, "b": {"trace_id": "trace_b"},
            "verdict": "score", "order": "rep",
            "words": {"a": [1], "b": [0], "a_first": [0], "b_first": [1]},
        }
    )  # fmt: skip
    texts = named_traces("llmbar").with_columns(pl.lit("x").alias("completion"))
    problems = (
        pairs.select("prompt_id")
        .unique()
        .with_columns(pl.lit(None).alias(column) for column in ("prompt", "messages", "tools", "answer"))
    )
    made = prefer("one", params, pairs, texts, problems, ledger)
    parquet.check(contracts.PREFERENCES, made, "preferences")
    key = ["pair_id", "order"]
    assert made.sort(key).select(*key, "verdict").equals(wanted.sort(key).select(*key, "verdict"))
    assert made.height == 120 and made["verdict"].null_count() == wanted["verdict"].null_count()
