"""Direct preference optimisation (arXiv 2305.18290) through TRL, with the length-normalised and IPO losses."""

from pathlib import Path
from typing import Any, Literal

import polars as pl

from curation.models import weights
from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import build_with_reference, train_student


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
    """`out` holds the weights trained on `paired`. Returns the metrics of `train_student`."""

    def build(config: dict[str, Any], parts: dict[str, Any]) -> Any:
        from trl import DPOConfig, DPOTrainer

        own = {"beta": settings.beta, "loss_type": [settings.loss], "precompute_ref_log_probs": settings.precompute}
        return build_with_reference(DPOTrainer, label, settings, parts, DPOConfig(**config, **own))

    return train_student(settings, seed, student, paired, ("chosen", "rejected"), label, out, build)
