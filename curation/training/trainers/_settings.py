"""What every method may set, and what TRL and peft are told of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import polars as pl
from pydantic import Field

from curation.core.messages import did_you_mean
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.ranges import EXACT, BatchSize, Factor, Length, Natural, Positive, Word
from curation.core.study import Study
from curation.models.local import find_too_long, module_names
from curation.training.accelerate_config import find_faults

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method


class Lora(Strict):
    """Low-rank adapters on the named `modules` of the last `layers` layers (null: all). With fewer layers the backward
    pass ends sooner."""

    rank: Annotated[int, Field(ge=1, le=65_536, description="no layer is wider")]
    alpha: Annotated[int, Field(ge=1, le=1_000_000, description=EXACT)]
    dropout: Annotated[float, Field(ge=0, lt=1, description="1 would leave nothing")]
    modules: Annotated[list[Word], Field(min_length=1)]
    layers: Positive | None


class TrainerParams(Strict):
    """Settings of every method. A side of more than `max_length` tokens is truncated at its end, and counted."""

    learning_rate: Annotated[float, Field(ge=1e-10, le=1, description="a step moves a weight by about as much")]
    schedule: Literal["constant", "linear", "cosine"]
    warmup_steps: Natural
    epochs: Annotated[float, Field(ge=1e-6, le=10_000, description="at least one step is made")]
    max_steps: Positive | None
    batch_size: BatchSize
    accumulation: BatchSize
    max_length: Length
    weight_decay: Annotated[float, Field(ge=0, le=1, description="1 takes a weight away at a rate of 1")]
    max_grad_norm: Factor
    bf16: bool
    checkpointing: bool
    lora: Lora | None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A learning rate that would never be reached."""
        if self.max_steps is not None and self.warmup_steps > self.max_steps:
            yield f"warmup_steps: {self.warmup_steps} are more than max_steps: {self.max_steps}; lower it"

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the packages and of the student is not there, and what of the processes that train a run."""
        yield from self.find_unmet(study)
        if (runs := study.execution.of_runs).engine == "accelerate" and runs.config and Path(runs.config).is_file():
            yield from find_faults(Path(runs.config), cast("Method", self), study.student.device)

    def find_unmet(self, study: Study) -> Iterator[str]:
        """What of the packages and of the student is not there."""
        yield from (f"kind: {line}" for line in find_uninstalled("trl", *(["peft"] if self.lora else [])))
        yield from find_too_long("max_length", self.max_length, study.student.model)
        modules = module_names(study.student.model)
        for name in self.lora.modules if self.lora and modules else ():
            if name not in modules and name != "all-linear":
                yield f"lora.modules: {name!r} is no module of {study.student.model}{did_you_mean(name, modules)}"
        kind, _, number = study.student.device.partition(":")
        if kind == "cuda" and number not in ("", "0"):
            yield (
                f"kind: trains on the first GPU, not on student.device: {kind}:{number}; set device: cuda and export "
                f"CUDA_VISIBLE_DEVICES={number}"
            )


class ReferenceTrainerParams(TrainerParams):
    """Settings of a method with a reference model. `beta` says how near to it the student stays; with `precompute` its
    log-probabilities are taken once, before training."""

    beta: Annotated[float, Field(ge=1e-6, le=1000, description=EXACT)]
    precompute: bool

    def warnings(self, study: Study) -> Iterator[str]:
        """Dropout, which TRL turns off in the student and in its reference, so that the two differ in what was learnt
        alone."""
        if self.lora and self.lora.dropout:
            yield (
                f"lora.dropout: {self.lora.dropout:g} does nothing in a method with a reference, where TRL turns "
                "dropout off; write 0, or train by a method of kind sft"
            )


def trainer_arguments(
    settings: TrainerParams, seed: int, device: str, scratch: Path, rows: pl.DataFrame
) -> dict[str, Any]:
    """The arguments of TRL's configuration: no checkpoints, no reports, no bars of its own, and no shuffling of rows
    that have a curriculum position."""
    in_order = not rows["curriculum_position"].null_count()
    return {
        "output_dir": str(scratch), "learning_rate": settings.learning_rate, "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup_steps, "num_train_epochs": settings.epochs,
        "max_steps": settings.max_steps or -1, "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": settings.accumulation, "max_length": settings.max_length,
        "weight_decay": settings.weight_decay, "max_grad_norm": settings.max_grad_norm, "bf16": settings.bf16,
        "gradient_checkpointing": settings.checkpointing, "seed": seed, "data_seed": seed, "use_cpu": device == "cpu",
        "save_strategy": "no", "report_to": "none", "logging_steps": 1, "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "logging_nan_inf_filter": False,  # it shows a loss of NaN as 0
        **({"train_sampling_strategy": "sequential"} if in_order else {}),
    }  # fmt: skip


def lora_config(settings: TrainerParams, network: Any) -> Any:
    """peft's configuration of `settings.lora`, or None to train all weights."""
    if settings.lora is None:
        return None
    from peft import LoraConfig

    count = network.config.num_hidden_layers
    layers = None if settings.lora.layers is None else list(range(max(count - settings.lora.layers, 0), count))
    return LoraConfig(
        r=settings.lora.rank, lora_alpha=settings.lora.alpha, lora_dropout=settings.lora.dropout,
        target_modules=settings.lora.modules, layers_to_transform=layers, task_type="CAUSAL_LM",
    )  # fmt: skip
