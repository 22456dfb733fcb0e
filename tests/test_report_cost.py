"""What a data version cost. Kinds of fault: a figure that depends on what else the ledger holds or on which run read
it, a call counted twice, dollars without a price."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import flow
import pytest
import world
from conftest import OpenLedger
from ruamel.yaml import YAML
from test_ledger import FAILED, call, replying
from test_report import parts

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


def test_without_prices_no_dollars_are_said(costly: Path) -> None:
    write_report(read(costly), costly.parent / "data")
    said = parts(costly.parent)["cost"]
    assert "no dollars are counted" in said and re.search(r"in all.*6,000.*1,000", said, re.DOTALL)
