"""What each trainer makes of the same rows and settings, held to what its VERSION has made of them.

A run is found by its key, and VERSION is what stands in the key for the trainer's own code: a trainer that makes other
weights under the same number would have old weights taken for new ones. So a change that moves a figure here raises
VERSION in `curation/training/trainers/<kind>.py`, and writes its figures beside the older ones, which stay.

The student's weights are a formula, so that no library's drawing of them is in a figure. Figures hold to one part in
two thousand: machines and numbers of threads differ by less, and what is planted below by more.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_memory import tensors
from test_train import PARAMS, TOY, paired  # noqa: F401 (fixture)
from tiny import read_by, save_tiny_llama

from curation.core.kinds import kind, kinds
from curation.models import weights
from curation.models.student import Params as Student
from curation.training.train import train
from curation.training.trainers import _training

pytestmark = pytest.mark.slow

# By kind and VERSION: the length of what was learnt, its sum along a wave, and the last loss; of all weights, of LoRA.
GOLDEN: dict[tuple[str, int], dict[str, tuple[float, float, float]]] = {
    ("dpo", 1): {"all": (1.11642, -0.948719, 0.119029), "LoRA": (0.0806617, 0.0132803, 0.684545)},
    ("kto", 1): {"all": (1.2214, -1.20104, 0.287503), "LoRA": (0.0960133, 0.00823781, 0.498027)},
    ("soft_dpo", 1): {"all": (1.04755, -0.586898, 0.3658), "LoRA": (0.0808873, 0.037394, 0.686849)},
    ("sft", 1): {"all": (1.15199, -0.774764, 4.38306), "LoRA": (0.0834265, 0.0299931, 6.61576)},
}
WITHIN = 5e-4
HOW = {
    "batch_size": 4, "accumulation": 1, "max_steps": None, "epochs": 3, "learning_rate": 0.003, "schedule": "linear",
    "warmup_steps": 1,
}  # fmt: skip
ADAPTER = {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj", "down_proj"], "layers": 1}


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """The tiny llama, each of its weights a point of a wave."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = save_tiny_llama(tmp_path_factory.mktemp("wave"))
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for number, (_, tensor) in enumerate(sorted(network.named_parameters())):
        if tensor.dim() == 2:
            tensor.data = 0.3 * wave(tensor.shape, 0.7 + 0.1 * number).float()
    network.save_pretrained(folder)
    return Student(model=str(folder), revision=weights.fingerprint(folder), dtype="float32", device="cpu")


def wave(shape: Any, pace: float) -> Any:
    import torch

    at = torch.arange(shape.numel(), dtype=torch.float64)
    return torch.sin(pace * at + 0.001 * at.square()).reshape(shape)


def method(name: str, **changes: Any) -> Any:
    own = PARAMS["methods"]["kto" if name == "kto" else "dpo"] | TOY | HOW | {"lora": None, "kind": name} | changes
    own |= {"loss": "conservative", "unusable": "refuse"} if name == "soft_dpo" else {}
    left_out = ("beta", "precompute", "loss") if name == "sft" else ()
    return kind("methods", name).Params.model_validate({key: own[key] for key in own if key not in left_out})


def figures(how: Any, student: Student, rows: pl.DataFrame, out: Path) -> tuple[float, float, float]:
    metrics = train("run", how, 0, student, read_by(how, rows), out)
    learnt = tensors(out)
    if how.lora is None:
        start = tensors(Path(student.model))
        learnt = {name: tensor - start[name] for name, tensor in learnt.items()}
    else:
        learnt = {name: tensor for name, tensor in learnt.items() if "lora_B" in name}  # which begin at zero
    length = sum(float(tensor.double().square().sum()) for tensor in learnt.values()) ** 0.5
    along = sum(float((tensor.double() * wave(tensor.shape, 0.3)).sum()) for tensor in learnt.values())
    return length, along, metrics["loss"]


def differs(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether they are of two trainers: `along` is as exact as `length` is, however small it is."""
    return any(
        abs(mine - own) > WITHIN * max(abs(own), scale)
        for mine, own, scale in zip(one, other, (0, other[0], 0), strict=True)
    )


@pytest.mark.parametrize("lora", [None, ADAPTER], ids=["all weights", "LoRA"])
@pytest.mark.parametrize("name", kinds("methods"))
def test_a_trainer_makes_what_its_version_made(
    name: str,
    lora: dict[str, Any] | None,
    student: Student,
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    version = kind("methods", name).VERSION
    made = figures(method(name, lora=lora), student, paired, tmp_path / "run")
    place, written = "LoRA" if lora else "all", tuple(float(f"{value:.6g}") for value in made)
    held = GOLDEN.get((name, version), {}).get(place)
    assert held is not None, f"write GOLDEN[{name!r}, {version}][{place!r}] = {written}"
    assert not differs(made, held), (
        f"{name} makes {written} and not {held}: if it is meant to, raise VERSION in "
        f"curation/training/trainers/{name}.py and write GOLDEN[{name!r}, {version + 1}]"
    )


def test_every_version_has_its_figures_and_no_two_are_alike() -> None:
    for name in kinds("methods"):
        made = [GOLDEN[name, number] for number in range(1, kind("methods", name).VERSION + 1)]
        assert all(any(differs(one[place], other[place]) for place in one) for one, other in pairwise(made))


def _row_less(rows: Any, *more: Any) -> Any:
    return MAKE_DATASET(rows.head(5), *more)


def _other_order(rows: Any, columns: Any, seed: int) -> Any:
    return MAKE_DATASET(rows, columns, seed + 1)


MAKE_DATASET, ARGUMENTS = _training.make_dataset, _training.trainer_arguments
PLANTED = {
    "a row less": ("make_dataset", _row_less),
    "rows in another order": ("make_dataset", _other_order),
    "no decay of the rate": (
        "trainer_arguments",
        lambda *given: ARGUMENTS(*given) | {"lr_scheduler_type": "constant"},
    ),
    "another optimiser": ("trainer_arguments", lambda *given: ARGUMENTS(*given) | {"adam_beta2": 0.99}),
    "a token less": ("trainer_arguments", lambda *given: ARGUMENTS(*given) | {"max_length": 34}),
}


@pytest.mark.long
@pytest.mark.parametrize("fault", PLANTED)
def test_a_trainer_that_makes_other_weights_is_found(
    fault: str,
    student: Student,
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_training, *PLANTED[fault])
    held = GOLDEN["dpo", kind("methods", "dpo").VERSION]["all"]
    assert differs(figures(method("dpo"), student, paired, tmp_path / "run"), held)


@pytest.mark.parametrize("name", kinds("methods"))
def test_a_method_reads_what_it_says_and_no_more(
    name: str,
    student: Student,
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    """So that the key of a run holds all that its weights came from, and other columns may change."""
    how, reads = method(name), kind("methods", name)
    rows = read_by(how, paired)
    train("all", how, 0, student, rows, tmp_path / "all")
    train("own", how, 0, student, rows.select(reads.COLUMNS), tmp_path / "own")
    assert weights.fingerprint(tmp_path / "all") == weights.fingerprint(tmp_path / "own")
