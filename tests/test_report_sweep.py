"""One pass over all deltas, and the pairs that it finds. Kinds of fault: another answer than a slow search gives; a
last digit that depends on how many cores are free; a row without its other half that stops the report."""

import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world

from curation.core.params import read
from curation.explore.report.asking import Asked, asking
from curation.explore.report.sweep import sweep
from curation.explore.report.worth import describe_pairs


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    file = world.write(world.sound(), tmp_path_factory.mktemp("sweep"))
    with asking(read(file)) as opened:
        yield opened


def test_one_pass_over_deltas_finds_what_a_slow_search_finds(asked: Asked) -> None:
    swept = sweep(asked)
    rows = asked.ask("deltas pairs truth", """
        select d.*, t.chosen as right, t.rejected as wrong, p.prompt_id
        from deltas as d join pairs as p using (pair_id) left join truth as t using (pair_id)
        where not p.identical and delta is not null order by pair_id""")  # fmt: skip
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(f"{row['judge']}.{row['dimension']}", []).append(row)
    assert {f"{row['judge']}.{row['dimension']}": row["n"] for row in swept.means} == {
        name: len(deltas) for name, deltas in by_name.items()
    }
    for row in swept.means:
        mean = statistics.fmean(one["delta"] for one in by_name[f"{row['judge']}.{row['dimension']}"])
        assert row["value"] == pytest.approx(mean) and row["ci_low"] <= mean <= row["ci_high"]
    z: dict[int, dict[str, float]] = {}
    for name, deltas in by_name.items():
        spread = statistics.pstdev(one["delta"] for one in deltas)
        for one in deltas if spread and name != "answer.correct" else ():
            z.setdefault(one["pair_id"], {})[name] = one["delta"] / spread
    wrong = {
        row["pair_id"]: max(value * (row["wrong"] - row["right"]) for value in z[row["pair_id"]].values())
        for row in by_name["answer.correct"]
    }
    apart = {pair_id: min(max(found.values()), -min(found.values())) for pair_id, found in z.items()}
    for said, slow in ((swept.against_truth, wrong), (swept.against_each_other, apart)):
        best = sorted((pair_id for pair_id in slow if slow[pair_id] > 0), key=lambda one: (-slow[one], one))
        assert said and [row["pair_id"] for row in said] == best[:2]


def test_a_mean_is_the_same_however_its_rows_are_dealt(asked: Asked) -> None:
    """Sums of floats depend on their order, which depends on how many cores are free."""
    ask = "select exact_mean(x) as mean from (select unnest($xs) as x)"
    values = [0.1, 0.2, 0.3, 1e9, -1e9, 7e-9, 0.7] * 30
    there, back = (asked.ask("pairs", ask, xs=xs)[0]["mean"] for xs in (values, sorted(values)))
    assert there == back == pytest.approx(statistics.fmean(values))
    assert asked.ask("pairs", ask, xs=[1e300, 1e300])[0]["mean"] == 1e300
    assert asked.ask("pairs", "select exact_mean(x) as mean from (select null::double as x)")[0]["mean"] is None


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_a_trace_that_no_table_has_is_named(tmp_path: Path, side: str) -> None:
    body = world.sound()
    pair = body.pairs.row(0, named=True)
    traces = body.traces.filter(pl.col("trace_id") != (gone := pair[f"{side}_trace_id"]))
    with asking(read(world.write(replace(body, traces=traces), tmp_path))) as opened:
        (found,) = describe_pairs(opened, [("First", "it is", pair["pair_id"])], 100)
    assert found[side]["generator"] == pair[f"{side}_model"] and found[side]["completion"] is None
    assert found[side]["facts"]["status"] == f"no table has the trace {gone}"
