"""Weights that were trained elsewhere: runs that are evaluated and compared, and not trained here."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from pydantic import ConfigDict, RootModel

from curation.core.errors import Errors
from curation.core.messages import show_value
from curation.core.params import BASELINE, find_name_fault
from curation.core.ranges import FilePath
from curation.core.study import Study
from curation.core.text import to_path
from curation.models import weights
from curation.models.local import find_cut, find_folder_faults
from curation.tables.contracts import empty
from curation.tables.measurements import RUNS

ADAPTER, WHOLE = "adapter_config.json", "config.json"  # what lies in a folder of either
PICKLED = ("*.bin", "*.pt", "*.pth")  # weights that run code when they are opened


class Params(RootModel[dict[str, FilePath | None]]):
    """`models` in params.yaml, which may be left out: names of runs, and where the weights of each lie: the folder of a
    LoRA adapter of the student, or of a whole model with its own tokenizer. Null is of a model whose weights are not
    here, and that `results` says all of."""

    model_config = ConfigDict(frozen=True, strict=True)

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of each that has one by its name."""
        return {name: to_path(folder) for name, folder in self.root.items() if folder is not None}

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return list(self.root)

    def mistakes(self, study: Study) -> Iterator[str]:
        """Names that no run may have, or that one has already; a model of which nothing is known."""
        measured = {run for one in study.results.values() for run in one.runs}
        for name, folder in self.root.items():
            if fault := find_name_fault(name):
                yield f"{name}: {fault}"
            elif name == BASELINE or name in study.runs:
                whose = "the untrained student's run" if name == BASELINE else "a run of the grid"
                yield f"{name}: that is the name of {whose}; give these weights another"
            elif folder is None and name not in measured:
                yield f"{name}: null, but results names no logs of it; add it to an entry's runs, or name its weights"

    def unmet(self, study: Study) -> Iterator[str]:
        """A folder that is not there, or holds no weights that can be opened."""
        for name, folder in self.folders.items():
            if fault := find_fault(folder):
                yield f"{name}: {fault}"


def find_fault(folder: Path) -> str | None:
    """Why what lies in `folder` cannot be evaluated; None where it is an adapter or a whole model."""
    try:
        if folder.is_dir():
            fault = _find_fault_of_folder(folder)
        elif folder.exists():
            fault = "is a file; name the folder that it lies in"
        else:
            fault = "is not there; put it there, or correct the path"
    except OSError as error:  # a folder that may not be looked into
        fault = f"cannot be looked at: {error.strerror}; correct the path, or its rights"
    return fault and f"{folder} {fault}"


def _find_fault_of_folder(folder: Path) -> str | None:
    adapter, whole = (_has_weights(folder, config) for config in (ADAPTER, WHOLE))
    if whole and (folder / ADAPTER).exists():  # transformers would load that adapter too
        return "holds an adapter and a whole model; keep each in a folder of its own"
    if adapter:
        return find_cut(folder) or _find_fault_of_adapter(folder / ADAPTER)
    if whole:
        return next(find_folder_faults(folder, chats=False), None)
    if pickled := sorted(file.name for pattern in PICKLED for file in folder.glob(pattern)):
        return f"has pickled weights ({pickled[0]}), which are not opened; save them as safetensors"
    inner = sorted(file.parent for name in (ADAPTER, WHOLE) for file in folder.glob(f"*/{name}"))
    hint = f"name the folder that has them{f', such as {inner[-1]}' if inner else ''}"
    return f"has no {ADAPTER} or {WHOLE} beside *.safetensors, so it is no trained model; {hint}"


def _find_fault_of_adapter(config: Path) -> str | None:
    """Why the adapter of that config is not one of LoRA, which alone is merged into the student."""
    try:
        said = json.loads(config.read_bytes())
    except ValueError as error:
        return f"has an {ADAPTER} that is no JSON: {error}; copy it again"
    kind = said.get("peft_type") if isinstance(said, dict) else None
    return None if kind == "LORA" else f"has an adapter of peft_type {show_value(kind)}; name one of LORA"


def _has_weights(folder: Path, config: str) -> bool:
    """Whether the folder holds a config and weights that belong to it."""
    adapters = set(folder.glob("adapter_model*.safetensors"))
    files = adapters if config == ADAPTER else set(folder.glob("*.safetensors")) - adapters
    return (folder / config).is_file() and bool(files)


def look_at(models: Params) -> pl.DataFrame:
    """The rows of `runs` of each: `given` with the hash of all the files of its folder, or `failed` with the fault."""
    rows: list[dict[str, str]] = []
    for name, folder in models.folders.items():
        if fault := find_fault(folder):
            rows.append({"run": name, "status": "failed", "error": f"models.{name}: {fault}"})
        else:
            rows.append({"run": name, "status": "given", "weights": weights.fingerprint(folder)})
    return pl.DataFrame(rows, empty(RUNS).schema)


def find_given(models: Params, runs: pl.DataFrame) -> dict[str, Path]:
    """By run of the table `runs`, the folder of its given weights. Raises Errors naming each that is not what `train`
    found there."""
    folders, lines = dict[str, Path](), list[str]()
    hashes = dict(runs.filter(status="given").select("run", "weights").rows())
    for name, folder in ((name, folder) for name, folder in models.folders.items() if name in hashes):
        folders[name] = folder
        if fault := find_fault(folder):
            lines.append(f"models.{name}: {fault}")
        elif weights.fingerprint(folder) != hashes[name]:
            lines.append(
                f"models.{name}: {folder}: other weights than `train` found there; `dvc repro -sf train` takes them in"
            )
    if lines:
        raise Errors(lines)
    return folders
