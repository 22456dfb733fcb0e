"""Fitting a student: steps with a progress line, each of them finite, and what is saved of it."""

import json
import math
from pathlib import Path
from typing import Any

from curation.core.errors import CurationError, refused_writes
from curation.core.progress import progress
from curation.models.faults import require_finite
from curation.models.student import Params as Student
from curation.training.trainers._processes import Processes, gather_weights

# What must be finite in every step beside the loss, by its name in the logs: KTO's loss leaves out the examples that
# are NaN, the sum of its logits does not.
WATCHED = {
    "grad_norm": "gradient norm",
    "logits/chosen": "mean logit of chosen",
    "logits/rejected": "mean logit of rejected",
}


def fit(trainer: Any, label: str, out: Path, student: Student, processes: Processes | None = None) -> dict[str, float]:
    """Train; then `out` holds the weights as safetensors (with LoRA the adapter alone, else the tokenizer too) and
    run.json; of several processes the first writes it. Returns the number of steps and the last losses.

    Raises CurationError at the first loss or gradient norm that is not finite, and if a weight is not: such weights are
    never a result.
    """
    from transformers import PrinterCallback, TrainerCallback

    steps: list[dict[str, float]] = []
    shapes = _stop_where_not_finite(trainer, label)

    class Shown(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                for name, what in WATCHED.items():
                    _require_finite(what, float(logs.get(name, 0.0)), label, state.global_step, shapes)
                shapes.clear()
                steps.append(logs)
                shown.advance(note=f"loss {float(logs['loss']):.3f}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Shown())
    with progress(f"train {label}", _total_steps(trainer), "steps") as shown:
        trainer.train()
    with refused_writes(out.with_name(label)):
        network, own = gather_weights(trainer) if processes else (trainer.model, None)
        if processes is None or processes.rank == 0:
            _save(trainer, network, own, out, student)
            require_finite(out, f"run {label}")
    bits = 16 if trainer.args.bf16 or student.dtype == "bfloat16" else 32
    return {**_final_metrics(steps), "arithmetic_bits": bits}


def _total_steps(trainer: Any) -> int:
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    per_epoch = math.ceil(len(trainer.get_train_dataloader()) / trainer.args.gradient_accumulation_steps)
    steps: float = per_epoch * trainer.args.num_train_epochs
    return math.ceil(steps)


def _save(trainer: Any, network: Any, own: dict[str, Any] | None, out: Path, student: Student) -> None:
    out.mkdir(parents=True)
    network.save_pretrained(out, **({} if own is None else {"state_dict": own}))
    for card in out.glob("*.md"):
        card.unlink()
    if (adapter := out / "adapter_config.json").exists():
        adapter.write_text(_sort_json(adapter.read_text()))
    else:
        trainer.processing_class.save_pretrained(out)
    write_run_file(out, student)


def write_run_file(out: Path, student: Student) -> None:
    """`out` holds run.json, which names the student and its revision."""
    (out / "run.json").write_text(json.dumps({"model": student.model, "revision": student.pinned}, indent=1) + "\n")


def _sort_json(text: str) -> str:
    """peft writes target_modules, a set, in another order in every process; sorted, the same run is the same bytes."""
    body = json.loads(text)
    return json.dumps(body | {"target_modules": sorted(body["target_modules"])}, indent=1, sort_keys=True) + "\n"


def _stop_where_not_finite(trainer: Any, label: str) -> list[str]:
    """Have the trainer stop at the first batch whose loss is not finite. Returns the list that will hold the shapes of
    a step's batches."""
    shapes: list[str] = []
    step = trainer.training_step

    def train_and_require_finite(model: Any, inputs: Any, *more: Any) -> Any:
        shapes.append(" x ".join(str(size) for size in inputs["input_ids"].shape))
        loss = step(model, inputs, *more)
        _require_finite("loss", float(loss), label, trainer.state.global_step + 1, shapes[-1:])
        return loss

    trainer.training_step = train_and_require_finite
    return shapes


def _require_finite(what: str, value: float, label: str, step: int, shapes: list[str]) -> None:
    """Raises CurationError unless `value` is finite."""
    if math.isfinite(value):
        return
    way_out = (
        "lower the method's learning_rate, or train"
        if step > 1
        else "nothing was learnt yet, so it is not the learning rate: train"
    )
    raise CurationError(
        f"run {label}: step {step}: the {what} is {value}, in {', '.join(shapes)} tokens (sequences x length); "
        f"nothing is kept; {way_out} in float32 (student.dtype, and bf16: false)"
    )


def _final_metrics(steps: list[dict[str, float]]) -> dict[str, float]:
    """The number of steps, and the mean of each metric over the last quarter of them, where it is finite in all of
    these."""
    tail = steps[-max(len(steps) // 4, 1) :]
    names = ("loss", "rewards/accuracies", "rewards/margins", "kl")
    means = {
        name.replace("/", "_"): sum(float(logs[name]) for logs in tail) / len(tail)
        for name in names
        if tail and all(math.isfinite(logs.get(name, math.nan)) for logs in tail)
    }
    return {"steps": float(len(steps)), **means}
