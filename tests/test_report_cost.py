"""What a data version cost. Kinds of fault: a figure that depends on what else the ledger holds or on which run read
it, a call counted twice, dollars without a price."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import flow
import polars as pl
import pytest
import world
from conftest import OpenLedger, Serve
from ruamel.yaml import YAML
from server import good
from test_ledger import FAILED, call, replying
from test_report import parts

import stages.evaluate
from curation.calls.call import Reply
from curation.core.params import read
from curation.explore.report.cost import list_calls
from curation.explore.report.page import write_report

COUNTS = {"answered": 3, "uncounted": 0, "prompt_tokens": 3000, "completion_tokens": 500, "cached_tokens": 1000}
PRICE = {"prompt": 2.0, "completion": 8.0, "cached": 0.5, "batch": 0.5}


def test_a_run_counts_what_its_table_rests_on_whichever_run_bought_it(open_ledger: OpenLedger) -> None:
    answers = {
        "a": Reply("A", "stop", 10, 2, cached_tokens=4), "b": Reply("B", "stop", 20, 3, batched=1),
        "c": Reply("C", "stop"), "d": FAILED,
    }  # fmt: skip
    ask = [call(name) for name in ("a", "b", "a", "c", "d")]
    names = ("answered", "uncounted", "prompt_tokens", "completion_tokens", "cached_tokens")
    counted = {how: dict(zip(names, row, strict=True)) for how, row in
               {"calls": (2, 1, 10, 2, 4), "batched": (1, 0, 20, 3, 0)}.items()}  # fmt: skip
    for asked in (ask[:1], ask, ask):  # as a run that died, one that went on, and one that finds all but what failed
        ledger = open_ledger()
        assert len(list(ledger.fulfil(asked, replying([], answers.__getitem__), "generate", "g"))) == len(asked)
    assert ledger.served.metrics() == counted


@pytest.fixture
def costly(tmp_path: Path) -> Iterator[Path]:
    file, kept = world.write(world.sound(), tmp_path), tmp_path / "data/metrics"
    for place, counts in (("generate/large", {"calls": COUNTS}), ("judge/rubric", {"batched": COUNTS}),
                          ("judge/answer", {}), ("judge/gone", {"calls": COUNTS})):  # fmt: skip
        (kept / place).parent.mkdir(parents=True, exist_ok=True)
        (kept / f"{place}.json").write_text(json.dumps(counts))
    yield file


def test_dollars_are_by_the_prices_of_params(costly: Path) -> None:
    priced = YAML(typ="safe", pure=True).load(costly)
    priced["budget"]["prices"] = {priced["judges"]["rubric"]["model"]: PRICE}
    flow.write(priced, costly)
    found = {row["name"]: row for row in list_calls(read(costly))}
    assert found.keys() == {"large", "rubric"}
    usd = 0.5 * (2000 * 2.0 + 1000 * 0.5 + 500 * 8.0) / 1e6
    assert found["rubric"]["usd"] == pytest.approx(usd)
    write_report(read(costly), costly.parent / "data")
    assert re.search(rf'data-value="{found["rubric"]["usd"]}"', parts(costly.parent)["cost"])


@pytest.fixture
def evaluated(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The params.yaml of a study whose students are asked on a server: the untrained one, and a run of its weights."""
    server = serve(lambda request: good("9"))
    file, raw = world.write(world.sound(), tmp_path), world.settings()
    raw["evaluate"]["engine"] = {"kind": "openai", "endpoint": server.endpoint(max_retries=0).model_dump()}
    raw["budget"]["prices"] = {raw["student"]["model"]: PRICE}
    flow.write(raw, file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages.evaluate, "find_weights", lambda *_: {world.TUNED: None})
    stages.evaluate.main()
    return file


def test_what_evaluation_asks_is_priced_each_call_once(evaluated: Path) -> None:
    """Two runs of the same weights have the same calls, and the second finds its answers."""
    results = pl.read_parquet(evaluated.parent / "data/results/baseline.parquet")
    assert (evaluated.parent / f"data/results/{world.TUNED}.parquet").exists()
    kept = json.loads((evaluated.parent / "data/metrics/evaluate.json").read_text())
    assert list(kept) == ["baseline"]
    (found,) = (row for row in list_calls(read(evaluated)) if row["stage"] == "evaluate")
    asked = results.height
    prompt, said, cached = (kept["baseline"]["calls"][f"{name}_tokens"] for name in ("prompt", "completion", "cached"))
    assert (found["name"], found["answered"], found["prompt_tokens"]) == ("1 student", asked, prompt)
    usd = ((prompt - cached) * 2.0 + cached * 0.5 + said * 8.0) / 1e6
    assert found["usd"] == pytest.approx(usd, abs=1e-6) and usd > 0
    write_report(read(evaluated), evaluated.parent / "data")
    assert re.search(rf"evaluate</td><td>1 student</td>.*{asked}</td>", parts(evaluated.parent)["cost"], re.DOTALL)


def test_students_stand_in_one_row(costly: Path) -> None:
    """However many runs there are."""
    file = costly.parent / "data/metrics/evaluate.json"
    file.write_text(json.dumps({"baseline": {"calls": COUNTS}, "a": {}, "b": {"calls": COUNTS, "batched": COUNTS}}))
    (found,) = (row for row in list_calls(read(costly)) if row["stage"] == "evaluate")
    assert (found["name"], found["answered"], found["completion_tokens"]) == ("3 students", 9, 1500)
    assert found["usd"] is None


def test_without_prices_no_dollars_are_said(costly: Path) -> None:
    write_report(read(costly), costly.parent / "data")
    said = parts(costly.parent)["cost"]
    assert "no dollars are counted" in said and re.search(r"in all.*6,000.*1,000", said, re.DOTALL)
