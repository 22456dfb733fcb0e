"""Weights trained elsewhere, `models` in params.yaml: what lies in their folders, and that it stays what it was."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import flow
import pytest
import world
from mistakes import changed
from ruamel.yaml import YAML
from tiny import save_tiny_llama
from world import own

from curation.calls.ledger import Ledger
from curation.commands.orphans import orphans
from curation.core.errors import CurationError, Errors
from curation.core.needs import look_around
from curation.core.params import read
from curation.judging.judges import answer
from curation.models import weights
from curation.models.student import Params as Student
from curation.tables import contracts, measurements, parquet
from curation.tables.db import connect
from curation.training.evaluate import Params as Evaluate
from curation.training.evaluate import evaluate
from curation.training.given import Params, find_fault, find_given, look_at

ROOT = Path(__file__).parent.parent
EMPTY = (2).to_bytes(8, "little") + b"{}"  # safetensors without a tensor


def put(folder: Path, *names: str) -> Path:
    """`folder` holds files of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(EMPTY if name.endswith(".safetensors") else b'{"peft_type": "LORA"}')
    return folder


ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
WHOLE = ("config.json", "model.safetensors", "tokenizer.json")
FAULTS: dict[str, tuple[tuple[str, ...], str]] = {
    "an adapter": (ADAPTER, ""),
    "a whole model": (WHOLE, ""),
    "in shards": (("config.json", "model-00001-of-00002.safetensors", "tokenizer.json"), ""),
    "both": ((*ADAPTER, *WHOLE), " holds an adapter and a whole model; keep each in a folder of its own"),
    "an adapter that kept its model's config": ((*ADAPTER, "config.json"), ""),
    "a whole model with an adapter's config": (
        (*WHOLE, ADAPTER[0]),
        " holds an adapter and a whole model; keep each in a folder of its own",
    ),
    "no tokenizer": (WHOLE[:2], " has no tokenizer (tokenizer.json); save one with the model"),
    "pickled": (
        ("config.json", "pytorch_model.bin"),
        " has pickled weights (pytorch_model.bin), which are not opened; save them as safetensors",
    ),
    "an adapter's config, pickled weights": (
        ("adapter_config.json", "adapter_model.bin"),
        " has pickled weights (adapter_model.bin), which are not opened; save them as safetensors",
    ),
    "a config alone": (
        ("config.json",),
        " has no adapter_config.json or config.json beside *.safetensors, so it is no trained model; name the folder "
        "that has them",
    ),
    "the folder above": (
        ("checkpoint-30/adapter_config.json", "README.md"),
        " has no adapter_config.json or config.json beside *.safetensors, so it is no trained model; name the folder "
        "that has them, such as FOLDER/checkpoint-30",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_folder_holds_one_trained_model_that_can_be_opened(tmp_path: Path, name: str) -> None:
    files, fault = FAULTS[name]
    folder = put(tmp_path / "mine", *files)
    assert find_fault(folder) == (f"{folder}{fault.replace('FOLDER', str(folder))}" if fault else None)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("adapter_model.safetensors", EMPTY[:9], "has adapter_model.safetensors, which is not whole: its size is not"),
        ("adapter_model.safetensors", EMPTY + b"0", "has adapter_model.safetensors, which is not whole: its size is"),
        ("adapter_model.safetensors", b"", "has adapter_model.safetensors, which is not whole: its size is not what"),
        ("model.safetensors", b"\xff" * 9, "has model.safetensors, which is not whole: its size is not what its head"),
        ("adapter_config.json", b"{", "has an adapter_config.json that is no JSON: Expecting property name"),
        ("adapter_config.json", b'{"peft_type": "IA3"}', "has an adapter of peft_type 'IA3'; name one of LORA"),
        ("adapter_config.json", b"[1]", "has an adapter of peft_type null; name one of LORA"),
    ],
)
def test_files_that_no_library_could_read_are_named_beforehand(
    tmp_path: Path, name: str, body: bytes, said: str
) -> None:
    """A copy that was interrupted, and what is no adapter of LoRA's."""
    folder = put(tmp_path / "mine", *(WHOLE if name.startswith("model") else ADAPTER))
    (folder / name).write_bytes(body)
    assert str(find_fault(folder)).startswith(f"{folder} {said}")


def test_what_is_no_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    file = put(tmp_path, "config.json") / "config.json"
    assert find_fault(file) == f"{file} is a file; name the folder that it lies in"
    assert find_fault(tmp_path / "no") == f"{tmp_path / 'no'} is not there; put it there, or correct the path"


def test_one_that_is_broken_leaves_the_others_whole(tmp_path: Path) -> None:
    mine = put(tmp_path / "mine", *ADAPTER)
    rows = look_at(Params({"broken": str(tmp_path / "no"), "mine": str(mine)}))
    parquet.check(measurements.RUNS, rows, "runs")
    assert rows.select("run", "status", "weights", "error").rows() == [
        ("broken", "failed", None, f"models.broken: {find_fault(tmp_path / 'no')}"),
        ("mine", "given", weights.fingerprint(mine), None),
    ]


def test_folders_that_changed_since_train_are_named_with_the_way_out(tmp_path: Path) -> None:
    """In their bytes, by a file more, or by not being there; all of them at once. One that `train` did not see is
    none that is evaluated."""
    mine, other = (put(tmp_path / name, *ADAPTER) for name in ("mine", "other"))
    models = Params({"mine": str(mine), "other": str(other)})
    seen = look_at(models)
    assert find_given(models, seen) == {"mine": mine, "other": other}
    assert find_given(models, seen.head(1)) == {"mine": mine}
    (mine / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    put(other, "more.json")
    with pytest.raises(Errors) as raised:
        find_given(models, seen)
    assert str(raised.value).splitlines() == [
        f"models.{name}: {tmp_path / name}: other weights than `train` found there; `dvc repro -sf train` takes them in"
        for name in ("mine", "other")
    ]
    shutil.rmtree(mine)
    (other / "more.json").unlink()
    with pytest.raises(Errors, match=r"^models.mine: .*/mine is not there; put it there"):
        find_given(models, seen)
    put(mine, *ADAPTER)
    assert find_given(models, seen) == {"mine": mine, "other": other}


def test_curation_params_looks_into_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where `~` names a user whom this machine does not know, which pathlib raises on."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mine", *ADAPTER)
    flow.write(changed({"models": {"mine": "mine", "other": "~nobody-of-that-name/x"}}), tmp_path / "params.yaml")
    lines = look_around(read(Path("params.yaml"))).unmet
    assert lines == [
        "params.yaml: models.other: ~nobody-of-that-name/x is not there; put it there, or correct the path"
    ]


@pytest.mark.slow
def test_dvc_trains_where_there_are_other_models_and_takes_a_file_without_any(tmp_path: Path) -> None:
    """DVC itself, with the head and the command of our graph: a folder's name may hold what a shell would act on."""
    graph = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")
    command = graph["stages"]["train"]["cmd"].replace("python -m stages.train", "touch ran; echo")
    stage = {"cmd": f"{command} > out.txt", "params": ["grid"], "outs": ["out.txt"]}
    flow.write({"vars": graph["vars"], "stages": {"train": stage}}, tmp_path / "dvc.yaml")
    ran_on(tmp_path, "init", "--no-scm", "--quiet")
    said = []
    for models in (None, {}, {"mine": "a b/$(touch pwned); c"}, {"mine": "other"}, {"mine": "other"}):
        flow.write({"grid": {"seeds": [0]}} | ({} if models is None else {"models": models}), tmp_path / "params.yaml")
        ran_on(tmp_path, "repro", "--quiet")
        said.append(((tmp_path / "out.txt").read_text(), (tmp_path / "ran").exists()))
        (tmp_path / "ran").unlink(missing_ok=True)
    mine = ("--mine a b/$(touch pwned); c\n", True)
    assert said == [("\n", True), ("\n", False), mine, ("--mine other\n", True), ("--mine other\n", False)]
    assert not (tmp_path / "pwned").exists()


def ran_on(folder: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *command], cwd=folder, check=True)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny student of two layers."""
    return save_tiny_llama(tmp_path_factory.mktemp("student") / "tiny")


def adapter_of(student: Path, folder: Path, layers: int, scale: float = 1.0) -> Path:
    """`folder` holds a LoRA adapter that changes every answer of the student, cut or grown to so many layers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(student)
    config.num_hidden_layers = layers
    network = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(r=2, target_modules=["q_proj"]))
    torch.manual_seed(1)
    for name, values in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(values, std=scale)
    network.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_an_adapter_of_another_network_is_no_run_of_this_student(student: Path, tmp_path: Path) -> None:
    """peft leaves out what it does not find: the student would stand in the table under the adapter's name."""
    revision = weights.fingerprint(student)
    for layers, where in ((1, "not in the adapter"), (3, "not in the model")):
        with pytest.raises(CurationError) as raised:
            weights.load(str(student), revision, "float32", adapter_of(student, tmp_path / str(layers), layers))
        assert str(raised.value).startswith(f"{tmp_path / str(layers)}: is no adapter of this student: base_model.")
        assert f" is {where}; train it on this student" in str(raised.value)


@pytest.mark.slow
def test_given_weights_are_evaluated_as_trained_ones_are(student: Path, tmp_path: Path, ledger: Ledger) -> None:
    """An adapter, and the whole model that it makes of the student, answer alike, and not as the student does; each
    has keys of its own."""
    revision = weights.fingerprint(student)
    adapter = adapter_of(student, tmp_path / "adapter", 2, scale=3.0)
    network, tokenizer = weights.load(str(student), revision, "float32", adapter)
    for part in (network, tokenizer):
        part.save_pretrained(tmp_path / "whole")
    assert find_fault(adapter) is None and find_fault(tmp_path / "whole") is None
    raw = own()
    sampling = raw["evaluate"]["sampling"] | {"samples": 1, "temperature": 0.0, "max_tokens": 8}
    how = Evaluate.model_validate(raw["evaluate"] | {"sampling": sampling})
    learner = Student.model_validate(raw["student"] | {"model": str(student), "revision": revision})
    grader = answer.Params.model_validate(raw["judges"]["answer"])
    said = {
        name: evaluate(how, name, learner, folder, grader, world.prompts(), ledger)["completion"].to_list()
        for name, folder in (("baseline", None), ("mine", adapter), ("whole", tmp_path / "whole"))
    }
    assert said["mine"] == said["whole"] != said["baseline"]


@pytest.mark.slow
def test_a_study_of_given_weights_alone_goes_from_train_to_compare(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two folders is broken: `train` stops and names it, and the other is compared all the same. Weights that
    change afterwards are not passed off as those that were seen."""
    world.write(world.sound(), tmp_path)
    mine = adapter_of(student, tmp_path / "mine", 2, scale=3.0)
    (mine / "config.json").write_bytes((student / "config.json").read_bytes())  # as some trainers leave it there
    raw = world.settings()
    raw["student"] |= {"model": str(student), "revision": weights.fingerprint(student)}
    raw["evaluate"]["sampling"] |= {"max_tokens": 4}
    raw |= {"models": {"mine": "mine", "gone": "gone"}, "contrasts": {}, "compare": {"primary": None}}
    raw["grid"] = raw["grid"] | {"methods": []}
    flow.write(raw, tmp_path / "params.yaml")
    for file in (tmp_path / "data/results").glob("*.parquet"):
        file.unlink()
    monkeypatch.chdir(tmp_path)
    stages = {name: importlib.import_module(f"stages.{name}").main for name in ("arms", "train", "evaluate", "compare")}
    stages["arms"]()
    with pytest.raises(CurationError, match=r"^models.gone: gone is not there; put it there, or correct the path$"):
        stages["train"]()
    stages["evaluate"]()
    capsys.readouterr()
    stages["compare"]()
    assert "compare: not compared: gone (failed: models.gone: gone is not there" in capsys.readouterr().err
    rows = parquet.read(measurements.COMPARISONS, contracts.path("comparisons"))
    assert set(rows.select("method", "selection", "against").rows()) == {("", "", ""), ("given", "mine", "baseline")}
    with connect(tmp_path / "params.yaml") as tables:
        told = tables.sql("select run, method, status, arm from runs order by run").fetchall()
        assert told == [("gone", "given", "failed", None), ("mine", "given", "given", None)]
        assert tables.sql("select distinct run from results order by run").fetchall() == [("baseline",), ("mine",)]
    assert orphans(read(Path("params.yaml"))) == []
    (mine / "notes.txt").write_text("trained longer")
    with pytest.raises(CurationError, match=r"^models.mine: mine: other weights than `train` found there"):
        stages["evaluate"]()
