"""What `curation params` says of the machine: files, columns, weights, devices and packages that params.yaml names.

Kinds of fault: a file that passes and fails hours later for want of what could have been looked up; a look-up that
costs what using the thing would; a study that is refused for what it does not use.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import flow
import pytest
from mistakes import SCORER, changed

from curation.__main__ import main
from curation.core.errors import CurationError, Errors
from curation.core.needs import look_around
from curation.core.params import read
from curation.models import weights


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with all that is looked at of a model; its weights are a header."""
    folder = tmp_path / "model"
    folder.mkdir()
    names = [f"model.layers.0.self_attn.{name}.weight" for name in ("q_proj", "k_proj", "v_proj", "o_proj")]
    names += [f"model.layers.0.mlp.{name}.weight" for name in ("gate_proj", "up_proj", "down_proj")]
    header = json.dumps({key: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for key in names}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (folder / "config.json").write_text('{"max_position_embeddings": 300}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text('{"chat_template": "x"}')
    return folder


def unmet(folder: Path, changes: dict[str, Any]) -> list[str]:
    """What the project's own params lack of this machine after `changes`."""
    file = folder / "params.yaml"
    flow.write(changed(changes), file)
    return [line.removeprefix(f"{file}: ") for line in look_around(read(file)).unmet]


def student(model: Path) -> dict[str, Any]:
    return {"student.model": str(model), "student.revision": weights.fingerprint(model)}


def test_the_projects_own_params_lack_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert unmet(tmp_path, {}) == []


def test_a_sound_folder_lacks_nothing_and_each_hole_is_named(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert unmet(tmp_path, student(model)) == []
    holes = {
        "tokenizer_config.json": "its tokenizer has no chat template (chat_template.jinja); save one with it",
        "tokenizer.json": "has no tokenizer (tokenizer.json); save one with the model",
        "model.safetensors": "has no *.safetensors, so it has no weights; name the folder that has them",
        "config.json": "has no config.json, so it is no model that transformers can load; name its folder",
    }
    for name, message in holes.items():
        (model / name).unlink()
        assert unmet(tmp_path, student(model)) == [f"student.model: {model}: {message}"]


def test_what_does_not_fit_the_students_weights(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes = {
        "methods.dpo.max_length": 301,
        "methods.kto.lora.modules": ["q_prj"],
        "evaluate.sampling.max_tokens": 301,
    }
    assert unmet(tmp_path, student(model) | changes) == [
        f"evaluate.sampling.max_tokens: 301 is more than the 300 tokens that {model} reads; lower it",
        f"methods.dpo.max_length: 301 is more than the 300 tokens that {model} reads; lower it",
        f"methods.kto.lora.modules: 'q_prj' is no module of {model}; did you mean 'q_proj'?",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nosuch", "./nosuch: nosuch does not exist"),
        ("a/b/c", "a/b/c: a/b/c does not exist"),
        ("models/x.gguf", "models/x.gguf: models/x.gguf does not exist"),
        ("package:nosuch/x", "package:nosuch/x: no package nosuch is installed; run `make setup`"),
        ("package:/x", "package:/x: no package  is installed; run `make setup`"),
    ],
)
def test_weights_that_are_not_there(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert unmet(tmp_path, {"student.model": name}) == [f"student.model: {message}"]


def test_a_wrong_hash_is_told_with_the_right_one(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = unmet(tmp_path, {"student.model": str(model), "student.revision": "main"})
    assert line.startswith(f"student.revision: 'main' is not the hash of {model}, which is sha256:")


@pytest.mark.slow  # torch is asked
@pytest.mark.parametrize("device", ["cuda", "cuda:7", "mps", "xpu"])
def test_a_device_that_is_not_there(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    kind = device.partition(":")[0]
    if (torch.backends.mps if kind == "mps" else getattr(torch, kind)).is_available() and device != "cuda:7":
        pytest.skip(f"this machine has {kind}")
    lines = unmet(tmp_path, {"student.device": device, "generators.smollm2-135m.device": device})
    for place in ("student", "generators.smollm2-135m"):
        assert [line.startswith(f"{place}.device: {device}: torch ") for line in lines].count(True) == 1


def test_files_and_folders_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert unmet(tmp_path, {"ledger.path": "folder", "ledger.recorded": "file"}) == [
        "ledger.path: folder: is a folder; name a file",
        "ledger.recorded: file: is no folder; name the folder that holds Parquet files of calls",
    ]
    assert unmet(tmp_path, {"ledger.path": "file/ledger.sqlite"}) == [
        f"ledger.path: file/ledger.sqlite: {tmp_path / 'file'} is no folder; name a file in one"
    ]
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "notes.txt").write_text("Not what a run would keep replies in.")
    for name, fault in {
        "file": None,  # empty: a ledger to be
        "pipe": "is a device or a pipe; name a file",
        "/dev/null": "is a device or a pipe; name a file",
        "notes.txt": "is no ledger, and stays as it is; set ledger.path to another file",
    }.items():
        assert unmet(tmp_path, {"ledger.path": name}) == ([f"ledger.path: {name}: {fault}"] if fault else [])


def test_an_engine_and_an_interpreter_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vllm = {
        "kind": "vllm", "python": "nosuch", "dtype": "auto", "max_model_len": 256, "tensor_parallel": 1,
        "gpu_memory": 0.5, "eager": True, "concurrency": 8,
    }  # fmt: skip
    assert unmet(tmp_path, {"evaluate.engine": vllm}) == [
        "evaluate.engine.python: nosuch: cannot be run (FileNotFoundError); name an interpreter that has vllm"
    ]
    unused = {"sources.arithmetic_held_out.split": "train", "sources.number_theory_and_letters.split": "train"}
    assert (
        unmet(tmp_path, {"evaluate.engine": vllm, "contrasts": {}, "compare.primary": None} | unused) == []
    )  # nothing is evaluated
    with pytest.raises(Errors, match=r"sampling\.max_tokens: 64 leaves no room for a prompt in max_model_len: 64"):
        unmet(tmp_path, {"evaluate.engine": vllm | {"max_model_len": 64}})


def test_a_machine_that_had_all_is_asked_again_when_a_file_changes(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changes = student(model)
    assert unmet(tmp_path, changes) == [] == unmet(tmp_path, changes)
    (model / "tokenizer.json").write_text("{ }")
    (line,) = unmet(tmp_path, changes)
    assert line.startswith("student.revision: ")


def test_the_command_lists_what_lacks_and_checks_the_file_alone_if_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flow.write(changed({"student.model": "./nosuch", "generators.smollm2-135m.model": "./none"}), Path("params.yaml"))
    monkeypatch.setattr(sys, "argv", ["curation", "params"])
    with pytest.raises(CurationError) as caught:
        main()
    assert str(caught.value).splitlines() == [
        "params.yaml: student.model: ./nosuch: nosuch does not exist",
        "params.yaml: generators.smollm2-135m.model: ./none: none does not exist",
    ]
    monkeypatch.setattr(sys, "argv", ["curation", "params", "--file-only"])
    main()
    assert capsys.readouterr().out.startswith("params.yaml: valid; ")


UNUSED = {
    "evaluate.judge": None, "student.revision": None, "renderings.count": False,
    "contrasts": {}, "compare.primary": None,
    "sources.arithmetic_held_out.split": "train", "sources.number_theory_and_letters.split": "train",
    **{f"grid.{axis}": [] for axis in ("methods", "selections", "generator_pairs", "budgets", "controls", "seeds")},
}  # fmt: skip


def test_a_judge_and_a_revision_may_be_null_where_nothing_uses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert unmet(tmp_path, UNUSED) == []
    used: dict[str, tuple[dict[str, Any], str]] = {
        "judge": ({"sources.arithmetic_held_out.split": "in_domain"}, "evaluate.judge: null, but arithmetic_held_out"),
        "revision": ({"renderings.count": True}, "student.revision: null, but traces are rendered for the student"),
    }
    for change, line in used.values():
        with pytest.raises(Errors) as caught:
            unmet(tmp_path, UNUSED | change)
        assert any(line in said for said in caught.value.lines)


def test_a_judge_may_be_null_where_other_harnesses_measure_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = ("evaluate", "contrasts", "compare", "sources")
    unused = {key: value for key, value in UNUSED.items() if key.partition(".")[0] in kept}
    logs = {run: f"data/harness/{run}" for run in ("plain", "noisy")}
    shutil.copytree(Path(__file__).parent / "data/harness_logs/lm_eval", tmp_path / "data/harness")
    sums = {"kind": "lm_eval", "split": "in_domain", "task": "sums", "filter": "strict-match", "runs": logs}
    assert unmet(tmp_path, unused | {"models": dict.fromkeys(logs), "results": {"sums": sums}}) == []
    with pytest.raises(Errors, match="null, but the grid has runs; name a judge"):
        unmet(tmp_path, unused)


def test_an_arm_smaller_than_a_batch_is_warned_of_and_an_empty_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flow.write(changed({"methods.dpo.batch_size": 13, "methods.kto.batch_size": 24}), Path("params.yaml"))
    monkeypatch.setattr(sys, "argv", ["curation", "params"])
    main()
    said = capsys.readouterr()
    assert said.out.startswith("params.yaml: valid; ")
    assert said.err.splitlines() == [
        f"warning: params.yaml: grid.methods: 'dpo' reads 13 examples at once, more than 12 pairs of {name!r} (budget "
        "own) are; lower its batch_size, or raise the budget"
        for name in ("top_step_coherence", "top_generator_delta")
    ]
    flow.write(changed({"methods.dpo.lora.dropout": 0.1}), Path("params.yaml"))
    main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: params.yaml: methods.dpo.lora.dropout: 0.1 does nothing in a method with a refer")
    controls = ["itself", "random", "itself_equal_updates"]
    flow.write(changed({"methods.dpo.max_steps": 5, "grid.controls": controls}), Path("params.yaml"))
    main()
    assert capsys.readouterr().err.splitlines() == [
        "warning: params.yaml: controls.itself_equal_updates.updates: as_all does nothing in methods.dpo, which makes "
        "max_steps: 5 updates whatever it learns from; set its max_steps to null, or updates to by_epochs"
    ]
    with pytest.raises(Errors, match=r"grid\.selections: 'top_generator_delta' keeps no pair, so its arms"):
        unmet(tmp_path, {"selections.top_generator_delta.budget": {"pairs": 0}})


def test_a_scorer_is_trained_in_one_process_whatever_trains_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no run can be trained by is no fault of it, and is told of the methods."""
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text("distributed_type: MULTI_CPU\nnum_processes: 3\n")
    runs = {"parallel": 1, "engine": "accelerate", "max_failed": 0, "config": "two.yaml"}
    scorer = SCORER | {"folds": 2, "training": SCORER["training"] | {"loss": "sigmoid"}}
    lines = unmet(tmp_path, {"execution.runs": runs, "scorers": {"own": scorer}})
    assert [line.partition(": ")[0] for line in lines if "two.yaml" in line or "KTO" in line] == [
        "methods.dpo.batch_size", "methods.kto.kind"
    ]  # fmt: skip


def table(path: str, **columns: Any) -> dict[str, Any]:
    """A source of kind table."""
    named = {"prompt": "question", "answer": "gold", "task": None} | columns
    return {
        "kind": "table", "path": path, "split": "train", "columns": named, "verifier": None, "instruction": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "columns", "message"),
    [
        (None, {}, "data/x.jsonl: does not exist; put it there, or correct the path in params.yaml"),
        ('{"question": "1?", "gold": "1"}', {}, None),
        ('{"question": "1?", "gold": "1"}', {"answer": "glod"}, "data/x.jsonl: no column 'glod' (columns.answer); it "),
        ('{"question": null, "gold": "1"}', {}, "data/x.jsonl: column 'question' (columns.prompt) is null in 1 row"),
        ("", {}, "data/x.jsonl: "),
    ],
    ids=["no file", "sound", "no column", "null", "empty"],
)
def test_a_users_file_is_read_before_its_stage(
    body: str | None, columns: dict[str, Any], message: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if body is not None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data/x.jsonl").write_text(body)
    lines = unmet(tmp_path, {"sources.own": table("data/x.jsonl", **columns)})
    assert len(lines) == (message is not None)
    assert all(line.startswith(f"sources.own.path: {message}") for line in lines)


def test_a_large_file_is_looked_at_by_its_footer_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of fault: a check that takes as long as the stage. The rows are damaged, as only reading shows."""
    import polars as pl

    from curation.tables import user_files

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(user_files, "MOST_READ", 100)
    pl.DataFrame({"question": ["1?"] * 500, "gold": ["1"] * 500}).write_parquet("x.parquet")
    body = bytearray(Path("x.parquet").read_bytes())
    body[4:20] = bytes(16)
    Path("x.parquet").write_bytes(body)
    assert unmet(tmp_path, {"sources.own": table("x.parquet")}) == []
    (line,) = unmet(tmp_path, {"sources.own": table("x.parquet", task="topic")})
    assert line == "sources.own.path: x.parquet: no column 'topic' (columns.task); it has question, gold"
