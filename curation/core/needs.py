"""What a study needs of the machine that it runs on, and what of it is not there: files and their columns, weights,
devices, packages.

A part of params.yaml says so itself, as `unmet`: a line for each thing, `path: data/x.jsonl: does not exist; put it
there`; what is hardly meant it says as `warnings`. Tables can be read and selections drawn without any of it, so stages
do not ask; `curation params` does.
"""

import importlib.util
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from curation.core import checked
from curation.core.params import ALL_SECTIONS, list_parts
from curation.core.parsed import read_bytes
from curation.core.study import Study
from curation.core.text import one_line, to_path

EXTRAS = {  # by package, what of pyproject.toml brings it
    "accelerate": "train",
    "aiohttp": "judge",
    "datasets": "hub",
    "instructor": "judge",
    "math_verify": "tasks",
    "peft": "train",
    "ray": "ray",
    "reasoning_gym": "tasks",
    "torch": "train",
    "transformers": "train",
    "trl": "train",
    "vllm": "vllm",
}


class Findings(NamedTuple):
    """What the study needs and this machine does not have, and what of it will run but is hardly meant, a line each."""

    unmet: list[str]
    warnings: list[str]


def look_around(study: Study) -> Findings:
    """What there is to say of the study on this machine.

    A machine that had all is not asked again before the params file, a file that it names, our source, a package or a
    driver changes.
    """
    seen = checked.hash_parts([_see_devices(), *map(_see_file, study.texts()), *_see_study(study)])
    if checked.has_passed(seen):
        return Findings([], [])
    parts = list_parts({name: getattr(study, name) for name in ALL_SECTIONS})
    unmet, warnings = (
        [
            one_line(f"{study.path}: {place}.{line}")
            for place, settings in parts
            if hasattr(settings, method)
            for line in getattr(settings, method)(study)
        ]
        for method in ("unmet", "warnings")
    )
    if not unmet and not warnings:
        checked.remember(seen)
    return Findings(unmet, warnings)


def _see_study(study: Study) -> Iterator[bytes]:
    yield checked.fingerprint(read_bytes(study.path)).encode()
    yield str(Path.cwd()).encode()


def _see_file(text: str) -> bytes:
    """The size and the time of the file that a text of params.yaml may name, and of those in the folder; nothing where
    there is none."""
    stamps = []
    with suppress(OSError, ValueError):
        path = to_path(text)
        for file in [path, *sorted(path.iterdir() if path.is_dir() else [])]:
            status = file.stat()
            stamps.append(f"{file.name} {status.st_size} {status.st_mtime_ns} {status.st_mode}")
    return "\n".join(stamps).encode()


def _see_devices() -> bytes:
    """What the system shows of GPUs and their driver."""
    version = Path("/proc/driver/nvidia/version")
    nodes = sorted(str(node) for node in Path("/dev").glob("nvidia*"))
    visible = [os.environ.get(name, "") for name in ("CUDA_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")]
    return "\n".join([version.read_text() if version.is_file() else "", *nodes, *visible]).encode()


def find_uninstalled(*packages: str) -> Iterator[str]:
    """What to say of those of the packages, named as they are imported, that this Python does not have."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            yield f'{package} is not installed; `pip install -e ".[{EXTRAS[package]}]"`'


def find_folder_fault(path: str) -> str | None:
    """Why no file can be written at `path`; None if one can, or is there."""
    file = Path(path)
    if file.exists() and not file.is_file():
        return "is a folder; name a file" if file.is_dir() else "is a device or a pipe; name a file"
    above = next((folder for folder in file.absolute().parents if folder.exists()), None)
    return f"{above} is no folder; name a file in one" if above is not None and not above.is_dir() else None
