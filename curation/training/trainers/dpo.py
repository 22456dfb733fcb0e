"""Direct preference optimisation (arXiv 2305.18290) through TRL, with the length-normalised and IPO losses."""

from typing import Any, Literal

from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import PAIR_COLUMNS, Job, build_with_reference, train_student

READS: Literal["subsets"] = "subsets"
COLUMNS = PAIR_COLUMNS
VERSION = 1  # of what it makes of the same rows and settings; the golden test says when to raise it


class Training(ReferenceTrainerParams):
    """How DPO trains. `loss`: sigmoid (the paper's), sigmoid_norm (divided by length), ipo (arXiv 2310.12036)."""

    loss: Literal["sigmoid", "sigmoid_norm", "ipo"]


class Params(Training):
    """A method of kind dpo."""

    kind: Literal["dpo"]


def train(settings: Training, job: Job) -> dict[str, float]:
    """`job.out` holds the weights trained on `job.rows`. Returns the metrics of `train_student`."""

    def build(config: dict[str, Any], parts: dict[str, Any], size: int) -> Any:
        from trl import DPOConfig, DPOTrainer

        own = {
            "beta": settings.beta,
            "loss_type": [settings.loss],
            "precompute_ref_log_probs": settings.precompute,
            "precompute_ref_batch_size": size,
        }
        return build_with_reference(DPOTrainer, job.label, settings, parts, DPOConfig(**config, **own), size)

    return train_student(settings, job, job.rows, ("chosen", "rejected"), build)
