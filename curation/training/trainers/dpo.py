"""Direct preference optimisation (arXiv 2305.18290) through TRL, with the length-normalised and IPO losses."""

import tempfile
from pathlib import Path
from typing import Literal

import polars as pl

from curation.models import weights
from curation.training.trainers._training import (
    ReferenceTrainerParams,
    build_with_reference,
    drop_untrainable,
    fit,
    lora_config,
    make_dataset,
    trainer_arguments,
)


class Training(ReferenceTrainerParams):
    """How DPO trains. `loss`: sigmoid (the paper's), sigmoid_norm (divided by length), ipo (arXiv 2310.12036)."""

    loss: Literal["sigmoid", "sigmoid_norm", "ipo"]


class Params(Training):
    """A method of kind dpo."""

    kind: Literal["dpo"]


def train(
    settings: Training,
    seed: int,
    student: weights.Params,
    paired: pl.DataFrame,
    unpaired: pl.DataFrame,
    label: str,
    out: Path,
) -> dict[str, float]:
    """`out` holds the trained weights. Returns the figures of the last steps, and how many were read, cut and
    dropped."""
    network, tokenizer = weights.load(student.model, student.revision, student.dtype, device=student.device)
    from trl import DPOConfig, DPOTrainer

    rows, seen = drop_untrainable(tokenizer, paired, ("chosen", "rejected"), settings.max_length)
    with tempfile.TemporaryDirectory() as scratch:
        own = {"beta": settings.beta, "loss_type": [settings.loss], "precompute_ref_log_probs": settings.precompute}
        how = DPOConfig(**trainer_arguments(settings, seed, Path(scratch), rows, **own), use_cpu=student.device == "cpu")
        trainer = build_with_reference(
            DPOTrainer, label, settings, model=network, args=how,
            train_dataset=make_dataset(rows, ("prompt", "chosen", "rejected"), seed),
            processing_class=tokenizer, peft_config=lora_config(settings, network),
        )  # fmt: skip
        figures = fit(trainer, label, out, student)
    return {**seen, **figures}
