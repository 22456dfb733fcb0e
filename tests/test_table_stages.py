"""The stages between traces and training on a small world: their outputs, and what they say of sad inputs."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from served import ran

from curation.core.errors import CurationError
from curation.pairs import delta, pair
from curation.tables import contracts, parquet
from curation.tables.update_rows import UPDATE_ROWS, update_rows_path

SOUND = world.sound()


WRONG = "1 of 3 chosen traces are wrong, and 1 rejected ones are better, by the judge taken for the truth"
SEEN_OF_ARMS = f"arm {world.ARM}: {WRONG}\n"
SEEN = f"select clear: ranks by rubric on logic, which is suspect: coverage, pairwise_accuracy\nselect clear: {WRONG}\n"


@pytest.mark.slow
def test_stages_write_what_the_functions_say(tmp_path: Path) -> None:
    world.write(SOUND, tmp_path)
    files = (
        "pairs.parquet", "deltas/rubric.parquet", "generator_deltas.parquet", "selections/clear.parquet",
        "subsets/clear.parquet", f"arms/subsets/{world.BESIDE}.parquet", "unpaired/clear.parquet",
    )  # fmt: skip
    written = {file: pl.read_parquet(tmp_path / "data" / file) for file in files}
    for file in written:
        (tmp_path / "data" / file).unlink()
    for stage in (["pair"], ["delta"], ["select", "clear"], ["arms"]):
        done = ran(tmp_path, f"stages.{stage[0]}", *stage[1:])
        warned = {"select": SEEN, "arms": SEEN_OF_ARMS}.get(stage[0], "")
        assert (done.returncode, done.stderr) == (0, warned)
    for file, rows in written.items():
        assert_frame_equal(pl.read_parquet(tmp_path / "data" / file), rows, abs_tol=1e-8)


@pytest.mark.slow
def test_candidates_that_are_all_ties_keep_no_pair_and_stop_nothing(tmp_path: Path) -> None:
    alike = SOUND.traces.with_columns(pl.when(pl.col("text_id").is_not_null()).then(1).alias("text_id"))
    world.write(replace(SOUND, traces=alike), tmp_path)
    for stage in (["pair"], ["delta"]):
        assert ran(tmp_path, f"stages.{stage[0]}", *stage[1:]).returncode == 0
    done = ran(tmp_path, "stages.select", "clear")
    assert (done.returncode, done.stderr) == (0, f"select clear: keeps no pair: 9 identical\n{SEEN.splitlines()[0]}\n")
    assert parquet.read(contracts.SUBSETS, contracts.path("subsets", "clear", tmp_path / "data")).is_empty()
    reasons = parquet.read(contracts.SELECTIONS, contracts.path("selections", "clear", tmp_path / "data"))
    assert reasons.height == 9 and set(reasons["reason"]) == {"identical"}
    done = ran(tmp_path, "stages.arms")
    assert (done.returncode, done.stderr) == (
        0,
        "".join(f"arm {name}: keeps no pair: 9 identical\n" for name in world.CELLS),
    )


@pytest.mark.slow
def test_an_audit_that_fails_names_the_rows_and_leaves_no_marker(tmp_path: Path) -> None:
    params = world.write(SOUND, tmp_path)
    no_rows = contracts.empty(UPDATE_ROWS)
    parquet.write(UPDATE_ROWS, no_rows, update_rows_path(tmp_path / "data"))
    done = ran(tmp_path, "stages.audit")
    assert done.returncode == 0
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        " check margin_not_above_zero", " check ranked_by_suspect", " check wrong_chosen",
    ]  # fmt: skip
    marker = (tmp_path / "data/audited.txt").read_bytes()
    (tmp_path / "data/audited.txt").unlink()
    broken = SOUND.subsets[world.ARM].with_columns(chosen="prompt")
    parquet.write(contracts.SUBSETS, broken, contracts.arm_path("subsets", world.ARM, tmp_path / "data"))
    done = ran(tmp_path, "stages.audit")
    assert (
        done.returncode == 1
        and f"error: check subset_text_not_its_traces: 3 row(s), such as selection {world.ARM}, pair_id " in done.stderr
    )
    assert not (tmp_path / "data/audited.txt").exists() and not list((tmp_path / "data").rglob("*.partial"))
    world.write(SOUND, params.parent)
    assert ran(tmp_path, "stages.audit").returncode == 0 and (tmp_path / "data/audited.txt").read_bytes() == marker


def test_deltas_of_other_pairs_are_not_taken_for_these(tmp_path: Path) -> None:
    world.write(replace(SOUND, deltas=SOUND.deltas | {"rubric": SOUND.deltas["rubric"].head(-1)}), tmp_path)
    done = ran(tmp_path, "stages.select", "clear")
    assert (done.returncode, done.stderr) == (
        1, "error: deltas/rubric.parquet is stale: its pair_ids differ from pairs.parquet; run `dvc repro`\n"
    )  # fmt: skip


@given(st.integers(1, 40), st.integers(1, 5))
def test_the_size_of_the_pieces_changes_nothing(pairs_in_block: int, rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair, "PAIRS_IN_BLOCK", pairs_in_block)
        patch.setattr(delta, "ROW_GROUP", rows)
        pairs = pair.pair(pair.Params(**world.settings()["pair"]), SOUND.traces)
        wide = delta.deltas(
            delta.Params(**world.DELTA), pairs, SOUND.judgments.filter(judge="rubric"), ["logic", "brevity"]
        )
    assert pairs.equals(SOUND.pairs) and wide.equals(SOUND.deltas["rubric"])


def test_parts_out_of_order_are_not_written(tmp_path: Path) -> None:
    first, second = SOUND.pairs.sort("pair_id").head(3), SOUND.pairs.sort("pair_id").tail(-3)
    for parts in ([second, first], [first, first], [first.reverse()]):
        with (
            pytest.raises(CurationError, match="its parts do not come in the order of pair_id"),
            parquet.writing(contracts.PAIRS, tmp_path / "p.parquet") as rows,
        ):
            for part in parts:
                rows.append(part)
    assert list(tmp_path.iterdir()) == []
    with parquet.writing(contracts.PAIRS, tmp_path / "p.parquet") as rows:
        for part in (first, second):
            rows.append(part)
    assert parquet.read(contracts.PAIRS, tmp_path / "p.parquet").equals(SOUND.pairs.sort("pair_id"))


def test_some_columns_are_read_and_checked_alone(tmp_path: Path) -> None:
    parquet.write(contracts.TRACES, SOUND.traces, tmp_path / "t.parquet")
    few = parquet.read(contracts.TRACES, tmp_path / "t.parquet", ["generator", "trace_id"])
    assert few.columns == ["trace_id", "generator"] and few.height == SOUND.traces.height
    picked = parquet.pick(
        contracts.TRACES, [tmp_path / "t.parquet"], few["trace_id"].head(2), ["trace_id", "completion"]
    )
    assert (
        picked.sort("trace_id").rows() == SOUND.traces.sort("trace_id").select("trace_id", "completion").head(2).rows()
    )
    with pytest.raises(CurationError, match="no such table"):
        parquet.pick(contracts.TRACES, [tmp_path / "no.parquet"], few["trace_id"], ["trace_id"])
