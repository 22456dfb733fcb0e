"""DPO that learns from soft labels: each pair counts by the probability p that its chosen side is the better one."""

from collections.abc import Iterator
from typing import Any, Literal

from curation.core.errors import Errors
from curation.core.study import Study
from curation.training.soft_labels import Loss, say_unusable, why_unusable
from curation.training.trainers._settings import ReferenceTrainerParams
from curation.training.trainers._training import PAIR_COLUMNS, Job, build_with_reference, train_student

READS: Literal["subsets"] = "subsets"
COLUMNS = (*PAIR_COLUMNS, "p_chosen")
VERSION = 1  # of what it makes of the same rows and settings; the golden test says when to raise it

# What TRL is told. With l(h) = -log sigmoid(h) its robust loss of a label smoothing e is w l(h) + (1 - w) l(-h), where
# w = (1 - e) / (1 - 2 e). Robust DPO has w = p / (2 p - 1), which is e = 1 - p. Conservative DPO has w = p, which no e
# gives where p = 1/2; twice the plain loss less the robust one of e = (1 - p) / (3 - 2 p) does, as 2 - w is p then.
TOLD: dict[Loss, dict[str, Any]] = {
    "conservative": {"loss_type": ["sigmoid", "robust"], "loss_weights": [2.0, -1.0]},
    "robust": {"loss_type": ["robust"]},
}


class Params(ReferenceTrainerParams):
    """A method of kind soft_dpo. With h = beta (log ratio of chosen - log ratio of rejected) and l(h) =
    -log sigmoid(h), the `loss` of a pair is: conservative, p l(h) + (1 - p) l(-h) (Mitchell 2023,
    https://ericmitchell.ai/cdpo.pdf); robust, (p l(h) - (1 - p) l(-h)) / (2 p - 1) (arXiv 2403.00409); there p is one
    for all pairs. Where p is 1 both are DPO.

    A pair without a p, or of the robust loss one with p near 1/2, is `unusable`: refuse trains no such arm, leave_out
    trains on the others and counts them.
    """

    kind: Literal["soft_dpo"]
    loss: Loss
    unusable: Literal["refuse", "leave_out"]

    def mistakes(self, study: Study) -> Iterator[str]:
        """Selections that it is to learn from and that have no soft labels."""
        yield from super().mistakes(study)
        own = (run.arm.selection for run in study.runs.values() if study.methods[run.method] == self)
        for name in dict.fromkeys(own):
            if study.selections[name].p_chosen is None:
                yield (
                    f"kind: soft_dpo learns from p_chosen, which selections.{name} does not say; give it one, as in "
                    "`p_chosen: JUDGE.p_chosen_DIMENSION`, or leave it out of this method's arms"
                )


def train(settings: Params, job: Job) -> dict[str, float]:
    """`job.out` holds the weights trained on `job.rows`. Returns the metrics of `train_student`, and how many pairs
    were left out. Raises Errors where the settings refuse a pair, or none is left."""
    reasons = job.rows.select(row_id="pair_id", reason=why_unusable(settings.loss)).drop_nulls("reason")
    if reasons.height and (settings.unusable == "refuse" or reasons.height == job.rows.height):
        raise Errors([f"run {job.label}: {line}" for line in say_unusable(reasons, job.rows.height)])
    rows = job.rows.join(reasons, left_on="pair_id", right_on="row_id", how="anti", maintain_order="left")

    def build(config: dict[str, Any], parts: dict[str, Any], size: int) -> Any:
        from trl import DPOConfig, DPOTrainer

        own = {
            "beta": settings.beta,
            "precompute_ref_log_probs": settings.precompute,
            "precompute_ref_batch_size": size,
            **TOLD[settings.loss],
        }
        trainer = make_trainer(settings.loss, DPOTrainer)
        return build_with_reference(trainer, job.label, settings, parts, DPOConfig(**config, **own), size)

    figures = train_student(settings, job, rows, ("chosen", "rejected"), build, extra=("p_chosen",))
    return {**figures, "left_out": reasons.height}


def smoothing(loss: Loss, p: Any) -> Any:
    """The label smoothing that has TRL's losses of TOLD give that of each pair, from the tensor of their p."""
    return 1 - p if loss == "robust" else (1 - p) / (3 - 2 * p)


def make_trainer(loss: Loss, trainer: Any) -> Any:
    """TRL's DPOTrainer with a label smoothing of each pair's own, where it has one for all."""
    import torch

    class Soft(trainer):  # type: ignore[misc]
        def __init__(self, **parts: Any) -> None:
            super().__init__(**parts)
            collate = self.data_collator

            def collate_with_p(examples: list[dict[str, Any]]) -> dict[str, Any]:
                return {**collate(examples), "p_chosen": torch.tensor([example["p_chosen"] for example in examples])}

            self.data_collator: Any = collate_with_p

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            self._signature_columns: Any = list(dict.fromkeys([*self._signature_columns, "p_chosen"]))

        def compute_loss(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> Any:
            own = {name: tensor for name, tensor in inputs.items() if name != "p_chosen"}
            self.label_smoothing = smoothing(loss, inputs["p_chosen"])
            return super().compute_loss(model, own, *more, **named)

    return Soft
