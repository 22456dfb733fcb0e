"""The shipped calls: every trace and judgment of the default study comes from them, without a socket."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.calls.ledger import Ledger, Params
from curation.core.errors import CurationError
from curation.core.params import read
from curation.judging.judge import judge
from curation.judging.prefer import prefer
from curation.pairs.pair import pair
from curation.prompts.collect import read_sources
from curation.tables import contracts, parquet
from curation.traces.generate import generate

ROOT = Path(__file__).parents[1]


def no_socket(*_: Any, **__: Any) -> Any:
    raise AssertionError("a socket was opened")


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger of the shipped calls and no other; nothing adds to it."""
    settings = Params(
        path=str(tmp_path_factory.mktemp("offline") / "ledger.sqlite"),
        recorded=str(ROOT / "data/recorded"),
        offline=True,
        max_failed=0.0,
    )
    with pytest.MonkeyPatch.context() as patch, Ledger(settings) as ledger:
        patch.setattr(socket, "socket", no_socket)
        yield ledger


@pytest.mark.slow
def test_the_default_study_replays_offline(offline: Ledger) -> None:
    study = read(ROOT / "params.yaml")
    prompts = read_sources(study.sources)
    traces = pl.concat([generate(name, settings, prompts, offline) for name, settings in study.generators.items()])
    parquet.check(contracts.TRACES, traces, "traces")
    assert traces.height == 384
    for name in ("rubric", "rubric-500m"):
        rated = judge(name, study.judges[name], traces, prompts, offline)
        parquet.check(contracts.JUDGMENTS, rated, "judgments")
        assert rated["status"].unique().to_list() == ["scored"]
        assert rated["expected_score"].null_count() == 0
    pairs = pair(study.pair, traces)
    verdicts = prefer("pairwise", study.pairwise_judges["pairwise"], pairs, traces, prompts, offline)
    parquet.check(contracts.PREFERENCES, verdicts, "preferences")
    assert verdicts.height == 2 * pairs.filter(~pl.col("identical")).height == 746
    assert verdicts["status"].unique().to_list() == ["scored"] and verdicts["strength"].null_count() == 0


def test_an_edited_rubric_is_missing_by_name(offline: Ledger) -> None:
    study = read(ROOT / "params.yaml")
    prompts = read_sources(study.sources)
    traces = generate("qwen-500m", study.generators["qwen-500m"], prompts, offline)
    edited = study.judges["rubric"].model_copy(update={"instructions": "Rate it."})
    with pytest.raises(
        CurationError,
        match=r"^judge rubric: ledger\.offline is true and 1\d\d of 1\d\d calls have no reply "
        r"\(the first is key [0-9a-f]{16}…, prompt 'Problem:",
    ):
        judge("rubric", edited, traces, prompts, offline)
