"""Kahneman-Tversky optimisation (arXiv 2402.01306) through TRL, on single labelled completions."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

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


class Params(ReferenceTrainerParams):
    """A method of kind kto, with the weights of its desirable and undesirable examples."""

    kind: Literal["kto"]
    desirable_weight: Annotated[float, Field(gt=0)]
    undesirable_weight: Annotated[float, Field(gt=0)]


def train(
    settings: Params,
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
    from trl import KTOConfig, KTOTrainer

    rows, seen = drop_untrainable(tokenizer, unpaired, ("completion",), settings.max_length)
    with tempfile.TemporaryDirectory() as scratch:
        own = {"beta": settings.beta, "desirable_weight": settings.desirable_weight, "undesirable_weight": settings.undesirable_weight,
               "precompute_ref_log_probs": settings.precompute}  # fmt: skip
        how = KTOConfig(**trainer_arguments(settings, seed, Path(scratch), rows, **own), use_cpu=student.device == "cpu")
        trainer = build_with_reference(
            KTOTrainer, label, settings, model=network, args=how,
            train_dataset=make_dataset(rows, ("prompt", "completion", "label"), seed),
            processing_class=tokenizer, peft_config=lora_config(settings, network),
        )  # fmt: skip
        figures = fit(trainer, label, out, student)
    return {**seen, **figures}
