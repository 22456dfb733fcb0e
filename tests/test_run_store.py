"""The run store: a run is there whole or not at all, whatever happens to the process that trains it.

Kinds of fault: weights without their record, or of another size or content than it says; a process that dies or fails
half-way; two that train one run at once; a record that is none, or that names files outside of the run; a key that
stands for two different trainings, or two keys for one.
"""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import world
from stored import FIGURES, keep, made_of, write_weights

from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.models.weights import fingerprint
from curation.tables import measurements
from curation.training.run_key import Machine, digest_rows, run_key
from curation.training.run_record import key_of
from curation.training.run_store import RECORD, RunStore, find_weights
from curation.training.trainers import dpo as trainer

CPU = Machine("cpu", 1, 4)


def names(store: RunStore) -> set[str]:
    return {path.name for path in store.folder.iterdir()}


def test_a_kept_run_is_found_as_it_was(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "deep/runs")
    assert store.find(key_of(made_of(0))) is None and list(store.stored()) == [] and not store.folder.exists()
    kept = keep(store)
    assert RunStore(store.folder).find(kept.key) == kept == store.verify(kept.key)
    assert kept.weights == fingerprint(kept.folder) and kept.figures == FIGURES and kept.made_of == made_of(0)
    assert kept.bytes == sum(file.stat().st_size for file in kept.folder.rglob("*") if file.is_file())
    other = keep(store, seed=1)
    assert {stored.key for stored in store.stored()} == {kept.key, other.key} == names(store)
    assert kept.weights == other.weights != keep(store, 2, fill=2.0).weights


def test_a_run_that_is_not_as_its_record_says_is_named_and_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = RunStore(tmp_path)
    for number, (damage, said) in enumerate(
        {
            "adapter_model.safetensors cut": "has 1 bytes, and run.json says has 136 bytes",
            "adapter_model.safetensors gone": "is not there, and run.json says has 136 bytes",
            "tokenizer/added.json new": "has 1 bytes, and run.json says is not there",
            "../run.json cut": "run.json: is no record of a run: ",
            "../run.json gone": "run.json: cannot be read: No such file",
        }.items()
    ):
        kept = keep(store, number)
        file = kept.folder / damage.split()[0]
        file.unlink() if damage.endswith("gone") else file.write_text("x")
        assert store.find(kept.key) is None
        message = capsys.readouterr().err
        assert said in message and message.endswith("; the run counts as not trained\n"), message
        assert kept.key in message and kept.key not in {stored.key for stored in store.stored()}
        again = keep(store, number)
        assert again == kept == store.verify(kept.key)
    assert len(names(store)) == 5, "what was damaged is gone"


def test_what_has_the_right_size_and_other_bytes_is_found_by_its_hash(tmp_path: Path) -> None:
    kept = keep(store := RunStore(tmp_path))
    body = bytearray((kept.folder / "adapter_model.safetensors").read_bytes())
    body[-1] ^= 1
    (kept.folder / "adapter_model.safetensors").write_bytes(body)
    assert store.find(kept.key) == kept
    with pytest.raises(CurationError, match=r"adapter_model\.safetensors: was modified"):
        store.verify(kept.key)


def test_the_weights_of_a_table_are_those_it_names_or_named_as_missing(tmp_path: Path) -> None:
    """What `evaluate` is told: never another training's, nor a part of the runs in silence."""
    store = RunStore(tmp_path)
    one, two = keep(store, 1), keep(store, 2)
    rows = [{"run": f"run-{kept.made_of['seed']}", "key": kept.key, "status": "trained", "weights": kept.weights}
            for kept in (one, two)]  # fmt: skip
    failed = {"run": "run-3", "status": "failed", "error": "out of memory"}
    table = world.rows_of(measurements.RUNS, [*rows, failed])
    assert find_weights(store, table) == {"run-1": one.folder, "run-2": two.folder}
    file = two.folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(Errors, match=rf"run run-2 were modified; delete {store.folder / two.key}, and "):
        find_weights(store, table)
    shutil.rmtree(tmp_path / one.key)
    shutil.rmtree(tmp_path / two.key)
    keep(store, 2, fill=5.0)
    with pytest.raises(Errors) as error:
        find_weights(store, table)
    missing, other = error.value.lines
    assert missing.startswith(f"{store.folder / one.key}: the weights of run run-1 are not there; `curation runs pull`")
    assert "the weights of run run-2 are others than data/runs.parquet says" in other


def test_of_two_that_train_one_run_the_first_stands(tmp_path: Path) -> None:
    store, key = RunStore(tmp_path), key_of(made_of(0))
    ours, theirs = write_weights(store.new(key), 1.0), write_weights(store.new(key), 2.0)
    first = store.keep(key, theirs, made_of(0), FIGURES)
    assert store.keep(key, ours, made_of(0), FIGURES) == first == store.verify(key)
    assert names(store) == {key}


def test_nothing_is_kept_of_a_training_that_left_no_weights(tmp_path: Path) -> None:
    store, key = RunStore(tmp_path), key_of(made_of(0))
    empty = store.new(key)
    empty.mkdir()
    with pytest.raises(CurationError, match="holds no weights that can be kept"):
        store.keep(key, empty, made_of(0), FIGURES)
    odd = write_weights(store.new(key))
    (odd / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CurationError, match=r"'pytorch_model.bin' may hold a program"):
        store.keep(key, odd, made_of(0), FIGURES)
    assert names(store) == set()


def _die_half_way(folder: Path, key: str) -> None:
    out = RunStore(folder).new(key)
    write_weights(out.with_name(f"{out.name}.partial"))  # as `train` does
    write_weights(out)
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_leaves_is_never_a_run_and_goes_with_the_next_try(tmp_path: Path) -> None:
    store, key = RunStore(tmp_path), key_of(made_of(0))
    keep(store, 1)
    alive = write_weights(store.new(key))
    process = multiprocessing.get_context("fork").Process(target=_die_half_way, args=(tmp_path, key))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left, inner = store.leftovers()
    assert alive not in (left, inner) and f"-{process.pid}-" in left.name and (left / "adapter_config.json").exists()
    assert store.find(key) is None and len(list(store.stored())) == 1
    RunStore(tmp_path).new(key)
    assert not left.exists() and not inner.exists() and alive.exists(), "a living process's is its own"


def test_a_key_that_leads_out_of_the_store_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(RunStore(tmp_path / "other"))
    store = RunStore(tmp_path / "runs")
    store.folder.mkdir()
    for key in ("../other", ".", str(tmp_path)):
        assert store.find(key) is None and "is no key of a run" in capsys.readouterr().err


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The small world's study."""
    monkeypatch.chdir(tmp_path)
    flow.write(world.settings(), tmp_path / "params.yaml")
    return read()


def test_a_key_changes_with_each_thing_that_changes_weights_and_with_nothing_else(study: Any) -> None:
    student, settings = study.student, study.methods["dpo"]
    key, parts = run_key("sha256:rows", settings, 0, student, CPU)
    assert key == key_of(parts) == run_key("sha256:rows", settings, 0, student, CPU)[0] and len(key) == 64
    moved = student.model_copy(update={"model": "./elsewhere.gguf"})
    assert run_key("sha256:rows", settings, 0, moved, CPU)[0] == key, "local weights are their hash"
    told = {
        "revision": "sha256:other", "dtype": "bfloat16", "reasoning": "inline", "system": "Be brief.",
        "chat_template_revision": "sha256:t", "template_kwargs": {"enable_thinking": False},
        "template_date": "2026-01-31",
    }  # fmt: skip
    hub = student.model_copy(update={"revision": "main", "model": "org/one"})
    others = [
        run_key("sha256:others", settings, 0, student, CPU),
        run_key("sha256:rows", settings, 1, student, CPU),
        run_key("sha256:rows", settings.model_copy(update={"max_steps": 77}), 0, student, CPU),
        run_key("sha256:rows", settings.model_copy(update={"beta": 0.7}), 0, student, CPU),
        *(run_key("sha256:rows", settings, 0, student.model_copy(update={name: value}), CPU)
          for name, value in told.items()),
        run_key("sha256:rows", settings, 0, hub, CPU),
        run_key("sha256:rows", settings, 0, hub.model_copy(update={"model": "org/two"}), CPU),
        *(run_key("sha256:rows", settings, 0, student, machine) for machine in (
            Machine("cuda", None, 4), CPU._replace(threads=2), CPU._replace(micro_batch=2), CPU._replace(world=2),
            CPU._replace(config={"distributed_type": "FSDP"}))),
    ]  # fmt: skip
    assert len({key, *(other for other, _ in others)}) == len(others) + 1
    assert "config" not in parts["machine"], "it would be another key than it was before configs were in it"


def test_a_version_of_a_package_or_of_a_trainer_is_in_the_key(study: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, parts = run_key("sha256:rows", study.methods["dpo"], 0, study.student, CPU)
    assert set(parts["packages"]) == {"torch", "transformers", "trl", "peft"} and all(parts["packages"].values())
    assert parts["version"] == trainer.VERSION
    monkeypatch.setattr(trainer, "VERSION", trainer.VERSION + 1)
    assert run_key("sha256:rows", study.methods["dpo"], 0, study.student, CPU)[0] != key_of(parts)


def test_the_digest_of_rows_is_of_what_they_say() -> None:
    rows = pl.DataFrame(
        {"pair_id": [1, 2], "chosen": [[{"role": "assistant", "content": "é"}]] * 2, "tools": [None, ""]}
    )
    digest = digest_rows(rows)
    assert digest == digest_rows(pl.concat([rows[:1], rows[1:]], rechunk=False)) and digest.startswith("sha256:")
    assert len({
        digest, digest_rows(rows.reverse()), digest_rows(rows.rename({"tools": "tool"})), digest_rows(rows[:1]),
        digest_rows(rows.with_columns(pl.col("tools").fill_null(""))), digest_rows(rows.drop("tools")),
    }) == 6  # fmt: skip


def test_the_record_is_read_by_people(tmp_path: Path) -> None:
    kept = keep(RunStore(tmp_path))
    text = (tmp_path / kept.key / RECORD).read_text()
    assert '"seed": 0' in text and '"rows": "sha256:é"' in text and '"loss": 0.5' in text
