"""Kahneman-Tversky optimisation (arXiv 2402.01306) through TRL, on single labelled completions."""

from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from curation.models import weights
from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import build_with_reference, train_student


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
    """`out` holds the weights trained on `unpaired`. Returns the metrics of `train_student`."""

    def build(config: dict[str, Any], parts: dict[str, Any]) -> Any:
        from trl import KTOConfig, KTOTrainer

        own = {
            "beta": settings.beta,
            "desirable_weight": settings.desirable_weight,
            "undesirable_weight": settings.undesirable_weight,
            "precompute_ref_log_probs": settings.precompute,
        }
        return build_with_reference(KTOTrainer, label, settings, parts, KTOConfig(**config, **own))

    return train_student(settings, seed, student, unpaired, ("completion",), label, out, build, extra=("label",))
