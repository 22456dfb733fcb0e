"""Supervised fine-tuning on the chosen side alone: the control that says what the rejected side adds."""

from pathlib import Path
from typing import Any, Literal

import polars as pl

from curation.models import weights
from curation.training.trainers._settings import TrainerParams
from curation.training.trainers._training import train_student


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
    """`out` holds the weights trained on the chosen traces of `paired`, each read once however many pairs it is in.
    Returns the metrics of `train_student`."""
    chosen = (
        paired.sort("curriculum_position", maintain_order=True)
        .unique("chosen_trace_id", keep="first", maintain_order=True)
        .rename({"chosen": "completion"})
    )

    def build(config: dict[str, Any], parts: dict[str, Any]) -> Any:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer(args=SFTConfig(**config, completion_only_loss=True), **parts)

    return train_student(settings, seed, student, chosen, ("completion",), label, out, build)
