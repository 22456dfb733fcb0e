"""Kahneman-Tversky optimisation (arXiv 2402.01306) through TRL, on single labelled completions."""

from typing import Annotated, Any, Literal

from pydantic import Field

from curation.core.ranges import Factor
from curation.models.faults import OutOfMemory
from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import PROMPT_COLUMNS, Job, build_with_reference, train_student

READS: Literal["unpaired"] = "unpaired"
COLUMNS = ("trace_id", *PROMPT_COLUMNS, "completion", "reasoning", "truncated", "label")
VERSION = 1  # of what it makes of the same rows and settings; the golden test says when to raise it


class Params(ReferenceTrainerParams):
    """A method of kind kto, with the weights of its desirable and undesirable examples."""

    kind: Literal["kto"]
    desirable_weight: Factor
    undesirable_weight: Factor
    batch_size: Annotated[int, Field(ge=2, le=65_536, description="KTO compares the examples of a batch")]


def train(settings: Params, job: Job) -> dict[str, float]:
    """`job.out` holds the weights trained on `job.rows`. Returns the metrics of `train_student`.

    A batch is taken whole, because its KL term is a mean over it: where it has no room, OutOfMemory is raised.
    """

    def build(config: dict[str, Any], parts: dict[str, Any], size: int) -> Any:
        from trl import KTOConfig, KTOTrainer

        own = {
            "beta": settings.beta,
            "desirable_weight": settings.desirable_weight,
            "undesirable_weight": settings.undesirable_weight,
            "precompute_ref_log_probs": settings.precompute,
        }
        return build_with_reference(KTOTrainer, job.label, settings, parts, KTOConfig(**config, **own), size)

    try:
        return train_student(settings, job, job.rows, ("completion",), build, ("label",), in_parts=False)
    except OutOfMemory as fault:
        raise OutOfMemory(f"{fault}; KTO takes its KL term from a whole batch, so none is taken in parts") from fault
