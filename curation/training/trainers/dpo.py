"""Direct preference optimisation (arXiv 2305.18290) through TRL, with the length-normalised and IPO losses."""

from typing import Any, Literal

from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import Job, build_with_reference, train_student

VERSION = 1


class Training(ReferenceTrainerParams):
    """How DPO trains. `loss`: sigmoid (the paper's), sigmoid_norm (divided by length), ipo (arXiv 2310.12036)."""

    loss: Literal["sigmoid", "sigmoid_norm", "ipo"]


class Params(Training):
    """A method of kind dpo."""

    kind: Literal["dpo"]


def train(settings: Training, job: Job) -> dict[str, float]:
    """`job.out` holds the weights trained on `job.paired`. Returns the metrics of `train_student`."""

    def build(config: dict[str, Any], parts: dict[str, Any]) -> Any:
        from trl import DPOConfig, DPOTrainer

        own = {"beta": settings.beta, "loss_type": [settings.loss], "precompute_ref_log_probs": settings.precompute}
        return build_with_reference(DPOTrainer, job.label, settings, parts, DPOConfig(**config, **own))

    return train_student(settings, job, job.paired, ("chosen", "rejected"), build)
