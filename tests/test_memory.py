"""Training where there is too little memory: the batch is taken in halves until it fits, and the result is the same.

Kinds of fault: a part that counts as much as a full one; a step that ends elsewhere; weights or logs of the attempt
that failed; an allocation error in words that nobody looks for; memory that the failed attempt keeps.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_train import paired, settings, student  # noqa: F401 (fixtures)
from tiny import read_by

from curation.core.errors import CurationError
from curation.models import weights
from curation.models.faults import OutOfMemory, is_out_of_memory, one_sentence
from curation.models.student import Params as Student
from curation.training.train import train
from curation.training.trainers._memory import micro_batches

HOW = {"batch_size": 4, "max_steps": None, "epochs": 2, "learning_rate": 0.01, "lora": None}


def method(name: str, **changes: Any) -> Any:
    """Settings of batches of four."""
    return settings(name, **HOW | changes)


def leave_room_for(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The student's first layer wants more memory than any machine has once it is given more rows than that."""
    load = weights.load

    def with_little_room(*what: Any, **how: Any) -> tuple[Any, Any]:
        import torch

        network, tokenizer = load(*what, **how)
        network.model.layers[0].register_forward_pre_hook(
            lambda module, given: torch.empty(2**60) if len(given[0]) > rows else None
        )
        return network, tokenizer

    monkeypatch.setattr(weights, "load", with_little_room)


def tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def apart(start: Path, one: Path, other: Path) -> float:
    """How far two results of training are from one another, where 1 is as far as the first is from its start. What an
    adapter adds starts from nothing."""
    begun, ours, theirs = map(tensors, (start, one, other))
    assert ours.keys() == theirs.keys()

    def length(parts: Iterable[Any]) -> float:
        return sum(float(part.double().square().sum()) for part in parts) ** 0.5

    learnt = (tensor - begun.get(name, 0 * tensor) for name, tensor in ours.items())
    return length(ours[name] - theirs[name] for name in ours) / length(learnt)


CASES: dict[str, tuple[str, dict[str, Any], int]] = {  # of five rows: a last batch of one, parts of two and one
    "a last part that is not full": ("dpo", {}, 2 * 3),
    "no reference beforehand": ("dpo", {"precompute": False, "loss": "sigmoid_norm"}, 2 * 2),
    "one at a time, steps of two batches": ("dpo", {"accumulation": 2, "loss": "ipo"}, 2 * 1),
    "tokens": ("sft", {}, 2),
    "tokens of two batches": ("sft", {"accumulation": 2}, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_batch_without_room_is_taken_in_parts_and_the_step_is_the_same(
    case: str,
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, changes, room = CASES[case]
    rows, how = paired.head(5), method(name, **changes)
    whole = train("whole", how, 0, student, rows, tmp_path / "whole")
    assert "micro" not in capsys.readouterr().err and whole["micro_batch"] == 4
    leave_room_for(room, monkeypatch)
    halved = train("halved", how, 0, student, rows, tmp_path / "halved")
    told = capsys.readouterr().err
    sizes = [size for size in micro_batches(4) if size * (2 if name == "dpo" else 1) > room]
    assert [f"run halved: {size} at a time are too many" in told for size in (4, 2, 1)] == [
        size in sizes for size in (4, 2, 1)
    ]
    assert halved["micro_batch"] == micro_batches(4)[len(sizes)]
    assert {**halved, "micro_batch": 4} == pytest.approx(whole, rel=1e-3, abs=1e-5)
    assert apart(Path(student.model), tmp_path / "whole", tmp_path / "halved") < 1e-3
    assert sorted(file.name for file in tmp_path.iterdir()) == ["halved", "whole"]


@pytest.mark.slow
def test_what_is_taken_in_parts_is_what_the_rows_say(
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The comparison above can fail: one pair less, or the last pair twice, is farther away than rounding."""
    how = method("dpo")
    train("five", how, 0, student, paired.head(5), tmp_path / "five")
    train("four", how, 0, student, paired.head(4), tmp_path / "four")
    assert apart(Path(student.model), tmp_path / "five", tmp_path / "four") > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("dpo", r"; lower max_length where there is one, or set checkpointing: true$"),
        ("sft", r"; lower max_length where there is one, or set checkpointing: true$"),
        ("kto", r"; lower batch_size, .*; KTO takes its KL term from a whole batch, so none is taken in parts$"),
    ],
)
def test_no_room_for_one_or_for_a_batch_of_kto_is_one_sentence(
    name: str,
    way_out: str,
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leave_room_for(0, monkeypatch)
    with pytest.raises(OutOfMemory, match=r"^run x: the device has too little memory: .*" + way_out):
        train("x", method(name), 0, student, read_by(method(name), paired), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
    ],
    ids=lambda error: str(error)[:20],
)
def test_every_library_that_has_no_room_is_understood(error: Exception) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(OutOfMemory, match=r"^x: the device has too little memory"), one_sentence("x"):
        raise error


def test_what_is_refused_for_other_reasons_is_not_tried_again() -> None:
    with pytest.raises(CurationError) as caught, one_sentence("x"):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert not isinstance(caught.value, OutOfMemory)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 65_536])
def test_halving_ends_with_one(size: int) -> None:
    sizes = micro_batches(size)
    assert sizes[0] == size and sizes[-1] == 1
    assert all(small < large and 2 * small >= large for large, small in pairwise(sizes))
