"""The contracts of the tables: what breaks them is named, and the same rows are the same bytes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import world

from curation.core.errors import CurationError, Errors
from curation.tables import contracts
from curation.tables.ids import content_id, content_ids
from curation.tables.parquet import check, read, read_parts, write
from curation.tables.table import STATUSES, Table

SOUND = world.sound()
RUBRIC = contracts.deltas(["logic"])
EVERY = {**contracts.TABLES, "deltas": RUBRIC}
ROWS: dict[str, pl.DataFrame] = {
    name: getattr(SOUND, name) for name in contracts.TABLES if name not in ("subsets", "unpaired")
} | {
    "subsets": SOUND.subsets["clear"],
    "unpaired": SOUND.unpaired["clear"],
    "deltas": SOUND.deltas["rubric"].select(RUBRIC.schema.names),
}

STATUS_RULE = f"status is one of {', '.join(STATUSES)}"
OF_RESULTS: dict[str, dict[str, Any]] = {
    "score is null exactly when not scored; either when no_answer or unparsable or refused or truncated": {
        "score": 0.0,
        "status": "error",
    },
    "score is finite": {"score": float("nan"), "status": "scored"},
    "left_out_characters is positive or null": {"left_out_characters": 0},
    "n_tokens is not negative": {"n_tokens": -1},
    STATUS_RULE: {
        "score": None,
        "status": "",
    },
}
BREAKS: dict[str, dict[str, dict[str, Any]]] = {  # table: rule: the values that break it on a sound row
    "prompts": {
        "split is one of train, in_domain, out_of_domain": {"split": "test"},
        "prompt has messages": {"prompt": []},
        "a role is one of system, user, assistant, tool": {"prompt": [{"role": "human", "content": "2 + 3?"}]},
        "prompt does not end in a turn of the assistant's": {"prompt": [{"role": "assistant", "content": "5"}]},
        "answers are several, the first of them answer, or null": {"answer": "5", "answers": ["6", "5"]},
    },
    "decontamination": {
        "reason is kept exactly when kept": {"kept": True, "reason": "exact", "against": None},
        "reason is one of kept, exact, ngram, near_duplicate": {
            "kept": False,
            "reason": "dull",
            "against": 7,
            "overlap": 1.0,
        },
        "against is null exactly when kept": {"kept": True, "reason": "kept", "against": 7},
        "overlap is from 0 to 1, and null only when kept": {
            "kept": False,
            "reason": "exact",
            "against": 7,
            "overlap": None,
        },
    },
    "responses": {
        "it has a text": {"reasoning": None, "completion": None},
        "left_out_characters is positive or null": {"left_out_characters": 0},
        "sample_index is not negative": {"sample_index": -1},
    },
    "ratings": {"score is finite": {"score": float("inf")}},
    "listed_pairs": {
        "chosen is not rejected": {"chosen_trace_id": 7, "rejected_trace_id": 7},
        "verdict is one of chosen, tie, both_bad, or null": {"verdict": "rejected"},
        "order is one of chosen_first, rejected_first, unknown": {"order": "random"},
    },
    "traces": {
        "reasoning and completion are null where finish_reason is error": {"finish_reason": "error"},
        "text_id and the characters of both and of the completion are null exactly when completion is": {
            "text_id": None
        },
        "reasoning_characters is null exactly when reasoning is": {"reasoning_characters": 5},
        "left_out_characters is positive or null": {"left_out_characters": 0},
        "status is one of complete, truncated, unfinished, refused, no_text, failed": {"status": "fine"},
        "an unfinished trace has no completion": {"status": "unfinished"},
        "sample_index is not negative": {"sample_index": -1},
    },
    "judgments": {
        "score is null exactly when not scored; either when no_answer": {
            "score": None,
            "expected_score": None,
            "status": "scored",
        },
        "score is finite": {"score": float("inf"), "status": "scored"},
        STATUS_RULE: {
            "score": None,
            "expected_score": None,
            "status": "lost",
        },
        "expected_score is finite": {"score": 3.0, "expected_score": float("nan"), "status": "scored"},
        "expected_score only beside a score": {"score": None, "expected_score": 2.5, "status": "unparsable"},
    },
    "renderings": {
        "tokens is not negative": {"tokens": -1, "completion_tokens": -1},
        "reasoning_tokens is not negative": {"tokens": 2, "completion_tokens": 3, "reasoning_tokens": -1},
        "completion_tokens is not negative": {"tokens": 2, "completion_tokens": -1, "reasoning_tokens": 3},
        "prompt_tokens is not negative": {"prompt_tokens": -1},
        "target_tokens is not negative": {"target_tokens": -1},
        "tokens is null exactly when completion_tokens is, and else both texts'": {"tokens": 99},
        "what is rendered is there together": {"ends_in_eos": None},
        "a text is kept or not only where it was rendered": dict.fromkeys(contracts.RENDERED),
        "fault only where nothing was rendered": {"fault": "roles must alternate"},
    },
    "pairs": {"chosen is not rejected": {"chosen_trace_id": 7, "rejected_trace_id": 7}},
    "generator_deltas": {
        "mean is null exactly when n is 0": {"mean": None, "ci_low": None, "ci_high": None, "n": 3},
        "ci_low <= mean <= ci_high": {"mean": 1.0, "ci_low": 1.5, "ci_high": 2.0, "n": 3},
    },
    "reliability": {
        "value is null exactly when clusters is 0": {"value": None, "ci_low": None, "ci_high": None, "clusters": 3},
        "ci_low <= value <= ci_high": {"value": 1.0, "ci_low": 1.5, "ci_high": 2.0, "clusters": 3},
        "chosen_right and rejected_right together": {"chosen_right": 3, "rejected_right": None},
        "base_rate is from 0 to 1": {"base_rate": 1.5},
    },
    "preferences": {
        "verdict is null exactly when status is not scored": {"verdict": None, "strength": None, "p_tie": None},
        "verdict is one of chosen, rejected, tie": {"verdict": "first"},
        "order is one of chosen_first, rejected_first, unknown": {"order": "random"},
        STATUS_RULE: {
            "verdict": None,
            "strength": None,
            "p_tie": None,
            "status": "lost",
        },
        "strength and p_tie together, and only beside a verdict": {"p_tie": None},
        "|strength| + p_tie is at most 1": {"strength": -0.9, "p_tie": 0.2},
    },
    "pair_scores": {
        "both sides are scored or neither": {"rejected_tokens": None},
        "a log-probability is finite and at most 0": {"policy_rejected_logp": float("-inf")},
        "tokens are not negative": {"chosen_tokens": -1},
        "a policy's values together": {"held_out_loss": None},
        "a policy's values only beside the reference's": dict.fromkeys(
            ("chosen_logp", "rejected_logp", "chosen_tokens", "rejected_tokens", "truncated")
        ),
        "implicit_margin is null exactly when n_rounds is 0": {"n_rounds": 0},
        "held_out_loss is finite and not negative": {"held_out_loss": -0.1},
    },
    "probabilities": {
        "fold is not negative": {"fold": -1},
        "probability is from 0 to 1": {"probability": 1.1},
    },
    "calibration": {"estimator is one of judge, calibration": {"estimator": "nobody"}},
    "selections": {"reason is kept exactly when kept": {"kept": True, "reason": "identical"}},
    "subsets": {
        "p_chosen is from 0 to 1": {"p_chosen": 1.1},
        "chosen is not rejected": {side: [{"role": "assistant", "content": "5"}] for side in ("chosen", "rejected")},
    },
    "unpaired": {},
    "examples": {
        "side is one of chosen, rejected": {"side": "left"},
        "it is rendered, or there is a fault": {"target_tokens": None},
        "a text is one of kept, cut, lost, dropped": {"completion": "gone"},
        "dropped is one of fault, uncalibrated, undecided, no_room, identical, identical_once_cut": {"dropped": "dull"},
    },
    "updates": {"examples are not negative": {"examples": -1}, "there is an update": {"updates": 0}},
    "runs": {
        "status is one of trained, failed, given": {"status": "lost"},
        "error exactly where it failed": {"error": "no memory"},
        "weights exactly where it did not": {"weights": None},
    },
    "results": OF_RESULTS,
    "imported_results": OF_RESULTS,
    "provenance": {},
    "comparisons": {
        "ci_low <= gain <= ci_high": {"ci_low": 0.2, "gain": 0.1, "ci_high": 0.3, "against": "baseline"},
        "gain is null exactly when it is against nothing, or refused": {"gain": None, "against": "baseline"},
        "shares of what it is against are null exactly when it is against nothing": {
            "truncated_against": None,
            "against": "baseline",
            "gain": 0.1,
            "ci_low": 0.1,
            "ci_high": 0.1,
        },
        "shares are from 0 to 1": {"missing": 1.5},
        "p <= p_holm": {"p": 0.2, "p_holm": 0.1, "gain": 0.1, "ci_low": 0.1, "ci_high": 0.1, "against": "baseline"},
    },
    "contrasts": {
        "ci_low <= estimate <= ci_high": {"ci_low": 0.2, "estimate": 0.1, "ci_high": 0.3},
        "estimate is null exactly when it is refused": {"estimate": None},
        "a verdict is of a p": {"verdict": "equivalent", "p": None, "p_holm": None, "estimate": 0.1},
        "registered is of the primary one": {"registered": "differs", "primary": False, "estimate": 0.1},
        "p <= p_holm": {"p": 0.2, "p_holm": 0.1, "estimate": 0.1},
    },
    "deltas": {
        "delta_logic is null exactly when n_logic is 0": {
            "delta_logic": None,
            "n_logic": 2,
            "within_noise_logic": None,
        },
        "within_noise_logic is null where delta_logic is": {
            "delta_logic": None,
            "n_logic": 0,
            "within_noise_logic": True,
        },
    },
}
RULES = [(name, rule) for name, rules in BREAKS.items() for rule in rules]
REQUIRED = [(name, column.name) for name, table in EVERY.items() for column in table.schema if not column.nullable]


def altered(name: str, values: dict[str, Any]) -> pl.DataFrame:
    """The sound rows of a table with `values` in the first."""
    rows, first = ROWS[name], pl.int_range(pl.len()) == 0
    given = {column: pl.lit(pl.Series([value], dtype=rows.schema[column])) for column, value in values.items()}
    return rows.with_columns(
        pl.when(first).then(literal).otherwise(pl.col(column)).alias(column) for column, literal in given.items()
    )


def first_key(table: Table, rows: pl.DataFrame) -> str:
    """The key of the first row, as errors name it."""
    return f"{'/'.join(table.key)} = {'/'.join(str(value) for value in rows.select(table.key).row(0))}"


def complaints(table: Table, rows: pl.DataFrame) -> list[str]:
    """What `check` says of the rows."""
    with pytest.raises(Errors) as caught:
        check(table, rows, "t.parquet")
    return caught.value.lines


@pytest.mark.parametrize("name", EVERY)
def test_sound_rows_come_back_as_they_were_written(name: str, tmp_path: Path) -> None:
    write(EVERY[name], ROWS[name], tmp_path / "t.parquet")
    back = read(EVERY[name], tmp_path / "t.parquet")
    assert back.equals(ROWS[name].with_columns(pl.col(pl.Float64).round(9)).sort(EVERY[name].key))
    assert pq.read_schema(tmp_path / "t.parquet").equals(EVERY[name].schema)


def test_every_rule_of_every_table_is_broken_below() -> None:
    assert {name: set(rules) for name, rules in BREAKS.items()} == {
        name: set(table.rules) for name, table in EVERY.items()
    }


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_a_broken_rule_names_its_row(name: str, rule: str) -> None:
    rows = altered(name, BREAKS[name][rule])
    assert f"t.parquet: not so: {rule}: 1 row(s), {first_key(EVERY[name], rows)}" in complaints(EVERY[name], rows)


@pytest.mark.parametrize(("name", "column"), REQUIRED)
def test_a_null_is_named(name: str, column: str) -> None:
    rows = altered(name, {column: None})
    assert complaints(EVERY[name], rows) == [f"t.parquet: {column} is null: 1 row(s), {first_key(EVERY[name], rows)}"]


@pytest.mark.parametrize("name", EVERY)
def test_duplicates_are_named(name: str) -> None:
    table, rows = EVERY[name], pl.concat([ROWS[name].head(1), ROWS[name]])
    key = first_key(table, rows).split(" = ")[1]
    assert complaints(table, rows) == [
        f"t.parquet: not one row per {table.grain}: 2 row(s), {'/'.join(table.key)} = {key}, {key}"
    ]


@pytest.mark.parametrize("name", EVERY)
def test_missing_and_extra_columns_are_named(name: str) -> None:
    table, column = EVERY[name], EVERY[name].schema.names[-1]
    rows = ROWS[name].rename({column: "other"})
    assert complaints(table, rows) == [
        f"t.parquet: column {column}: missing from {table.name}",
        f"t.parquet: column other: not a column of {table.name}",
    ]


def test_many_broken_rows_are_counted_and_five_named() -> None:
    (line,) = complaints(contracts.TRACES, ROWS["traces"].with_columns(sample_index=pl.lit(-1, pl.Int32)))
    assert line.startswith("t.parquet: not so: sample_index is not negative: 10 row(s), trace_id = ") and line.endswith(
        ", …"
    )
    assert line.count(",") == 6


def test_a_value_that_does_not_fit_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CurationError, match=r"t\.parquet: does not fit traces: .*truncated"):
        write(contracts.TRACES, ROWS["traces"].with_columns(n_tokens=pl.lit(1.5)), tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_contract_leaves_the_old_file(tmp_path: Path) -> None:
    where = tmp_path / "traces.parquet"
    write(contracts.TRACES, ROWS["traces"], where)
    before = where.read_bytes()
    with pytest.raises(Errors):
        write(contracts.TRACES, altered("traces", {"sample_index": -1}), where)
    assert (where.read_bytes(), list(tmp_path.iterdir())) == (before, [where])


def test_a_write_that_stops_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = tmp_path / "traces.parquet"
    write(contracts.TRACES, ROWS["traces"], where)
    before = where.read_bytes()

    def full(self: pq.ParquetWriter, arrow: pa.Table) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(CurationError, match=r"traces\.parquet: cannot be written: no space left on device"):
        write(contracts.TRACES, ROWS["traces"], where)
    assert (where.read_bytes(), list(tmp_path.iterdir())) == (before, [where])


@pytest.mark.parametrize("name", EVERY)
def test_the_same_rows_in_any_order_are_the_same_bytes(name: str, tmp_path: Path) -> None:
    written = []
    for seed in range(4):
        shuffled = ROWS[name].sample(fraction=1.0, shuffle=seed > 0, seed=seed)
        parts = pl.concat([shuffled.head(1), shuffled.tail(-1)], rechunk=False)
        write(EVERY[name], parts.select(sorted(parts.columns, reverse=seed % 2 == 0)), tmp_path / "t.parquet")
        written.append((tmp_path / "t.parquet").read_bytes())
    assert len(set(written)) == 1


WRITE_MANY = """
import sys; import numpy as np; import polars as pl; from pathlib import Path
from curation.tables import contracts, parquet
draw = np.random.default_rng(5); n = 150_000
texts = pl.Series(["identical", "kept", "over_budget"]).gather(draw.integers(0, 3, n))
ids, margin = np.arange(n) * 7919, draw.normal(size=n)
rows = pl.DataFrame({"selection": "s", "pair_id": ids, "kept": texts == "kept", "reason": texts, "margin": margin})
parquet.write(contracts.SELECTIONS, rows.sample(fraction=1.0, shuffle=True, seed=int(sys.argv[2])), Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_the_same_rows_are_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    hashes = set()
    for seed, threads in enumerate(["1", None]):
        where = tmp_path / f"{seed}.parquet"
        environment = (
            os.environ
            | {"PYTHONPATH": str(Path(contracts.__file__).parents[2])}
            | ({"POLARS_MAX_THREADS": threads} if threads else {})
        )
        subprocess.run([sys.executable, "-c", WRITE_MANY, str(where), str(seed)], check=True, env=environment)
        hashes.add(hashlib.sha256(where.read_bytes()).hexdigest())
    assert len(hashes) == 1 and pq.ParquetFile(where).num_row_groups == 2


def test_minus_zero_and_noise_beyond_nine_decimals_change_no_byte(tmp_path: Path) -> None:
    written = []
    for zero, half in ((0.0, 0.5), (-0.0, 0.5 + 1e-12), (-1e-12, 0.5 - 1e-12)):
        write(
            contracts.SELECTIONS,
            world.frame(contracts.SELECTIONS, [("s", 1, True, "kept", zero), ("s", 2, True, "kept", half)]),
            tmp_path / "t.parquet",
        )
        written.append((tmp_path / "t.parquet").read_bytes())
    assert len(set(written)) == 1
    assert str(read(contracts.SELECTIONS, tmp_path / "t.parquet")["margin"][0]) == "0.0"


def test_an_absent_garbled_or_foreign_file_is_named(tmp_path: Path) -> None:
    where = tmp_path / "pairs.parquet"
    with pytest.raises(CurationError, match=r"pairs\.parquet: no such table; `dvc repro` makes it"):
        read(contracts.PAIRS, where)
    where.write_bytes(b"pair_id,prompt_id\n1,2\n")
    with pytest.raises(CurationError, match=r"pairs\.parquet: not a Parquet file"):
        read(contracts.PAIRS, where)
    ROWS["pairs"].with_columns(pl.col("pair_id").cast(pl.String)).write_parquet(where)
    with pytest.raises(
        CurationError, match=r"pairs\.parquet: column pair_id: large_string, not int64; run `dvc repro`"
    ):
        read(contracts.PAIRS, where)


@pytest.mark.parametrize("name", EVERY)
def test_a_table_of_another_version_says_how_it_is_made_again(name: str, tmp_path: Path) -> None:
    """Kind: a table that lacks a column, or has one too many, whoever reads it and with no word of what to do."""
    column = EVERY[name].schema.names[-1]
    write(EVERY[name], ROWS[name], tmp_path / "t.parquet")
    pq.write_table(pq.read_table(tmp_path / "t.parquet").drop_columns([column]), tmp_path / "t.parquet")
    for columns in (None, [column]):
        with pytest.raises(
            CurationError, match=rf"t\.parquet: column {column}: missing from {name}; run `dvc repro` to"
        ):
            read(EVERY[name], tmp_path / "t.parquet", columns)


def test_a_stray_part_is_an_error_and_parts_come_in_the_order_declared(tmp_path: Path) -> None:
    folder = world.write(SOUND, tmp_path).parent / "data"
    parts = read_parts(contracts.TRACES, ["small", "large", "medium"], data=folder)
    assert parts["generator"].unique(maintain_order=True).to_list() == ["small", "large", "medium"]
    with pytest.raises(
        CurationError,
        match=r"traces: params\.yaml declares no 'medium'; declare it, or delete its file: curation orphans --delete",
    ):
        read_parts(contracts.TRACES, ["small", "large"], data=folder)
    assert read_parts(contracts.TRACES, [], data=tmp_path).equals(contracts.empty(contracts.TRACES))


def test_content_ids_stay_what_recorded_calls_were_seeded_with() -> None:
    assert content_id("sums", "What is 2 + 3?") == int(hashlib.md5(b"sums\x1fWhat is 2 + 3?").hexdigest()[:16], 16) >> 1
    assert content_id(0, 17, "x") == content_id("0", "17", "x") == 5220160334407513172


def test_ids_made_by_the_column_are_those_made_one_by_one() -> None:
    rows = pl.DataFrame({"number": range(-5, 200_000), "text": "ü\n"}).with_columns(
        text="text" + pl.col("number").cast(pl.String)
    )
    assert content_ids(rows).to_list() == [content_id(*row) for row in rows.rows()]


def test_what_the_system_refuses_to_write_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """The kind of fault: a traceback of the system's, here for a folder where the table's file or folder belongs."""
    rows = contracts.empty(contracts.RENDERINGS)
    for name, folder in {"renderings.parquet": "renderings.parquet", "file/renderings.parquet": None}.items():
        if folder is None:
            (tmp_path / "file").touch()
        else:
            (tmp_path / folder).mkdir()
        with pytest.raises(CurationError, match=f"{name}: cannot be written: "):
            write(contracts.RENDERINGS, rows, tmp_path / name)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "renderings.parquet"]
