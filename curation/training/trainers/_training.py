"""What every trainer shares: the student, the rows it learns from, progress, and what is saved."""

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError, refused_writes
from curation.core.progress import progress
from curation.models import weights
from curation.models.chat_template import RenderingFault
from curation.models.faults import one_sentence, require_finite
from curation.models.rendering import Renderer, rows_of_side, trainer_messages, verbatim
from curation.models.student import Params as Student
from curation.models.targets import why_dropped
from curation.tables.ids import content_ids
from curation.training.trainers._settings import (
    ReferenceTrainerParams,
    TrainerParams,
    lora_config,
    trainer_arguments,
)

# What must be finite in every step beside the loss, by its name in the logs: KTO's loss leaves out the examples that
# are NaN, the sum of its logits does not.
WATCHED = {
    "grad_norm": "gradient norm",
    "logits/chosen": "mean logit of chosen",
    "logits/rejected": "mean logit of rejected",
}


class Job(NamedTuple):
    """One training: whom, on what, called what, saved where. `paired` and `unpaired` are rows of the tables `subsets`
    and `unpaired`; a method learns from one of them."""

    seed: int
    student: Student
    paired: pl.DataFrame
    unpaired: pl.DataFrame
    label: str
    out: Path


def train_student(
    settings: TrainerParams,
    job: Job,
    rows: pl.DataFrame,
    sides: tuple[str, ...],
    build: Callable[[dict[str, Any], dict[str, Any]], Any],
    extra: tuple[str, ...] = (),
) -> dict[str, float]:
    """`job.out` holds the student trained on the rows' prompt and `sides`, as they render, and `extra`, as `fit` saves
    it. Returns the metrics of training, and how many rows were read, truncated and dropped.

    `build` gives a TRL trainer, from the arguments of its configuration and its own.
    """
    student = job.student
    network, tokenizer = weights.load(student.model, student.pinned, student.dtype, device=student.device)
    renderer = Renderer(tokenizer, student)
    rows, counts = render_trainable(renderer, rows, sides, settings.max_length)
    with tempfile.TemporaryDirectory() as scratch:
        config = trainer_arguments(settings, job.seed, student.device, Path(scratch), rows)
        dataset = make_dataset(rows, ("prompt", *sides, *extra), job.seed)
        lora = lora_config(settings, network)
        parts = {"model": network, "train_dataset": dataset, "processing_class": tokenizer, "peft_config": lora}
        with one_sentence(f"run {job.label}"):
            with verbatim(renderer):
                trainer = build(config, parts)
            metrics = fit(trainer, job.label, job.out, student)
    return {**counts, **metrics}


def render_trainable(
    renderer: Renderer, rows: pl.DataFrame, sides: tuple[str, ...], max_length: int
) -> tuple[pl.DataFrame, dict[str, float]]:
    """The rows that still teach something when truncated to `max_length` tokens, with prompt and sides as TRL is handed
    them, and counts of all rows.

    Dropped are rows whose prompt alone fills `max_length`, and pairs whose sides are equal once truncated. Raises
    CurationError if none is left, or if the template refuses one.
    """
    kept, counts, told = [], [], list[tuple[Any, ...]]()
    for row_id, *row in zip(rows[rows.columns[0]], *(rows_of_side(rows, side) for side in sides), strict=True):
        try:
            rendered = [renderer.render(*side) for side in row]
        except RenderingFault as fault:
            raise CurationError(f"{rows.columns[0]} {row_id}: {fault}") from None
        counts += [len(side.ids) for side in rendered]
        kept.append(why_dropped(rendered, max_length) is None)
        told.append(trainer_messages(rendered[0].prompt, *(side.whole for side in rendered)))
    if not any(kept):
        raise CurationError(
            f"max_length {max_length}: no prompt leaves room for an answer, or the sides of all pairs are the same "
            "tokens; `curation preflight` says which, and what helps"
        )
    messages = pl.DataFrame(told, schema={name: rows.schema[name] for name in ("prompt", *sides)}, orient="row")
    return rows.with_columns(messages).filter(kept), {
        "examples": sum(kept),
        "dropped": len(kept) - sum(kept),
        "tokens_mean": sum(counts) / len(counts),
        "tokens_max": max(counts),
        "sides_truncated": sum(count > max_length for count in counts),
    }


def make_dataset(rows: pl.DataFrame, columns: tuple[str, ...], seed: int) -> Any:
    """`columns` of the rows as a dataset: by curriculum position where they have one, else in the order of a hash of
    `seed` and the rows' first id, so that no order of writing matters."""
    import datasets

    datasets.disable_progress_bars()
    key = rows.columns[0]
    draw = content_ids(rows.select(pl.lit(seed), key)).alias("draw")
    return datasets.Dataset.from_list(
        rows.with_columns(draw).sort("curriculum_position", "draw", key).select(columns).to_dicts()
    )


def build_with_reference(
    trainer: Any, label: str, settings: ReferenceTrainerParams, parts: dict[str, Any], config: Any
) -> Any:
    """A TRL trainer with a reference model. Where the reference's log-probabilities are taken first, they have a
    progress line."""
    batches = -(-len(parts["train_dataset"]) // settings.batch_size) if settings.precompute else 0
    with progress(f"reference {label}", batches, "batches") as shown:

        class Counted(trainer):  # type: ignore[misc]
            def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
                logps = super().compute_ref_log_probs(model, inputs)
                shown.advance()
                return logps

        return Counted(args=config, **parts)


def fit(trainer: Any, label: str, out: Path, student: Student) -> dict[str, float]:
    """Train; then `out` holds the weights as safetensors (with LoRA the adapter alone, else the tokenizer too) and
    run.json. Returns the number of steps and the last losses.

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
        _save(trainer, out, student)
    require_finite(out, f"run {label}")
    bits = 16 if trainer.args.bf16 or student.dtype == "bfloat16" else 32
    return {**_final_metrics(steps), "arithmetic_bits": bits}


def _total_steps(trainer: Any) -> int:
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    per_epoch = math.ceil(len(trainer.get_train_dataloader()) / trainer.args.gradient_accumulation_steps)
    steps: float = per_epoch * trainer.args.num_train_epochs
    return math.ceil(steps)


def _save(trainer: Any, out: Path, student: Student) -> None:
    out.mkdir(parents=True)
    trainer.model.save_pretrained(out)
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
