"""Supervised fine-tuning on the chosen side alone: the control that says what the rejected side adds."""

import tempfile
from pathlib import Path
from typing import Literal

import polars as pl

from curation.models import weights
from curation.training.trainers._training import (
    TrainerParams,
    drop_untrainable,
    fit,
    lora_config,
    make_dataset,
    trainer_arguments,
)


class Params(TrainerParams):
    """A method of kind sft; the loss is on the completion only."""

    kind: Literal["sft"]


def train(
    settings: Params,
    seed: int,
    student: weights.Params,
    paired: pl.DataFrame,
    unpaired: pl.DataFrame,
    label: str,
    out: Path,
) -> dict[str, float]:
    """`out` holds the trained weights. Each chosen trace is read once, however many pairs it is in."""
    network, tokenizer = weights.load(student.model, student.revision, student.dtype, device=student.device)
    from trl import SFTConfig, SFTTrainer

    chosen = (
        paired.sort("curriculum_position", maintain_order=True)
        .unique("chosen_trace_id", keep="first", maintain_order=True)
        .rename({"chosen": "completion"})
    )
    rows, seen = drop_untrainable(tokenizer, chosen, ("completion",), settings.max_length)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=network, args=SFTConfig(**trainer_arguments(settings, seed, Path(scratch), rows, completion_only_loss=True, use_cpu=student.device == "cpu")),
            train_dataset=make_dataset(rows, ("prompt", "completion"), seed),
            processing_class=tokenizer, peft_config=lora_config(settings, network),
        )  # fmt: skip
        figures = fit(trainer, label, out, student)
    return {**seen, **figures}
