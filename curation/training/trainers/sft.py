"""Supervised fine-tuning on the chosen side alone: the control that says what the rejected side adds."""

from typing import Any, Literal

from curation.training.trainers._settings import TrainerParams
from curation.training.trainers._training import PAIR_COLUMNS, Job, train_student

READS: Literal["subsets"] = "subsets"
COLUMNS = tuple(name for name in (*PAIR_COLUMNS, "chosen_trace_id") if not name.startswith("rejected"))
VERSION = 1  # of what it makes of the same rows and settings; the golden test says when to raise it


class Params(TrainerParams):
    """A method of kind sft; the loss is on the completion only."""

    kind: Literal["sft"]


def train(settings: Params, job: Job) -> dict[str, float]:
    """`job.out` holds the weights trained on the chosen traces of `job.rows`, each read once however many pairs it is
    in. Returns the metrics of `train_student`."""
    chosen = (
        job.rows.sort("curriculum_position", maintain_order=True)
        .unique("chosen_trace_id", keep="first", maintain_order=True)
        .rename({"chosen": "completion", "chosen_reasoning": "reasoning", "chosen_truncated": "truncated"})
    )

    def build(config: dict[str, Any], parts: dict[str, Any], size: int) -> Any:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer(args=SFTConfig(**config, completion_only_loss=True), **parts)

    return train_student(settings, job, chosen, ("completion",), build)
