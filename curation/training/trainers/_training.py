"""What every trainer shares: its settings, the student, progress, and what is saved."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from curation.core.errors import CurationError
from curation.core.params import Natural, Positive, Strict
from curation.core.progress import progress
from curation.models import weights
from curation.tables.contracts import content_ids

# What must be finite in every step beside the loss, by its name in the logs: KTO's loss leaves out the examples that
# are NaN, the sum of its logits does not.
WATCHED = {
    "grad_norm": "gradient norm",
    "logits/chosen": "mean logit of chosen",
    "logits/rejected": "mean logit of rejected",
}


class Lora(Strict):
    """Low-rank adapters on the named `modules` of the last `layers` layers (null: all). Fewer layers end the
    backward pass sooner."""

    rank: Positive
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    modules: list[str]
    layers: Positive | None


class TrainerParams(Strict):
    """Settings of every method. A side of more than `max_length` tokens is cut at its end, and counted."""

    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["constant", "linear", "cosine"]
    warmup_steps: Natural
    epochs: Annotated[float, Field(gt=0)]
    max_steps: Positive | None
    batch_size: Positive
    accumulation: Positive
    max_length: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    max_grad_norm: Annotated[float, Field(gt=0)]
    bf16: bool
    checkpointing: bool
    lora: Lora | None


class ReferenceTrainerParams(TrainerParams):
    """Settings of a method with a reference model: `beta` holds it near, `precompute` takes the reference's
    log-probs once, first."""

    beta: Annotated[float, Field(gt=0)]
    precompute: bool


def trainer_arguments(settings: TrainerParams, seed: int, scratch: Path, rows: pl.DataFrame, **own: Any) -> dict[str, Any]:
    """The trainer configuration of `settings`: no checkpoints, no reports, no bars of its own, and no shuffling of
    rows that have places."""
    return {
        "output_dir": str(scratch), "learning_rate": settings.learning_rate, "lr_scheduler_type": settings.schedule,
        "warmup_steps": settings.warmup_steps, "num_train_epochs": settings.epochs, "max_steps": settings.max_steps or -1,
        "per_device_train_batch_size": settings.batch_size, "gradient_accumulation_steps": settings.accumulation,
        "max_length": settings.max_length, "weight_decay": settings.weight_decay, "max_grad_norm": settings.max_grad_norm,
        "bf16": settings.bf16, "gradient_checkpointing": settings.checkpointing, "seed": seed, "data_seed": seed,
        "save_strategy": "no", "report_to": "none", "logging_steps": 1, "disable_tqdm": True, "dataloader_num_workers": 0,
        "logging_nan_inf_filter": False,  # it shows a loss of NaN as 0
        **({} if rows["curriculum_position"].null_count() else {"train_sampling_strategy": "sequential"}), **own,
    }  # fmt: skip


def lora_config(settings: TrainerParams, network: Any) -> Any:
    """peft's configuration of `settings.lora`, or None to train all weights."""
    if settings.lora is None:
        return None
    from peft import LoraConfig

    count = network.config.num_hidden_layers
    layers = None if settings.lora.layers is None else list(range(max(count - settings.lora.layers, 0), count))
    return LoraConfig(
        r=settings.lora.rank, lora_alpha=settings.lora.alpha, lora_dropout=settings.lora.dropout,
        target_modules=settings.lora.modules, layers_to_transform=layers, task_type="CAUSAL_LM",
    )  # fmt: skip


def fit(trainer: Any, label: str, out: Path, student: weights.Params) -> dict[str, float]:
    """Train; then `out` holds the weights as safetensors (the adapter alone with LoRA, else the tokenizer too) and
    run.json. Returns steps and last losses.

    Raises CurationError at the first loss or gradient norm that is not finite, and if a weight is not: no such weights
    are ever a result.
    """
    from transformers import PrinterCallback, TrainerCallback

    steps: list[dict[str, float]] = []
    shapes = _stop_at_no_number(trainer, label)

    class Shown(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                for name, what in WATCHED.items():
                    _require_number(what, float(logs.get(name, 0.0)), label, state.global_step, shapes)
                shapes.clear()
                steps.append(logs)
                shown.advance(note=f"loss {float(logs['loss']):.3f}")

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Shown())
    per_epoch = math.ceil(len(trainer.get_train_dataloader()) / trainer.args.gradient_accumulation_steps)
    total = (
        trainer.args.max_steps if trainer.args.max_steps > 0 else math.ceil(per_epoch * trainer.args.num_train_epochs)
    )
    with progress(f"train {label}", total, "steps") as shown:
        trainer.train()
    out.mkdir(parents=True)
    trainer.model.save_pretrained(out)
    for card in out.glob("*.md"):
        card.unlink()
    if (adapter := out / "adapter_config.json").exists():
        adapter.write_text(_sorted_json(adapter.read_text()))
    else:
        trainer.processing_class.save_pretrained(out)
    write_run_file(out, student)
    weights.require_finite(out, f"run {label}")
    bits = 16 if trainer.args.bf16 or student.dtype == "bfloat16" else 32
    return {**_last(steps), "arithmetic_bits": bits}


def _stop_at_no_number(trainer: Any, label: str) -> list[str]:
    """Have the trainer stop at the first batch whose loss is not finite. Returns what will hold the shapes of the
    batches of a step."""
    shapes: list[str] = []
    step = trainer.training_step

    def watched(model: Any, inputs: Any, *more: Any) -> Any:
        shapes.append(" x ".join(str(size) for size in inputs["input_ids"].shape))
        loss = step(model, inputs, *more)
        _require_number("loss", float(loss), label, trainer.state.global_step + 1, shapes[-1:])
        return loss

    trainer.training_step = watched
    return shapes


def _require_number(what: str, value: float, label: str, step: int, shapes: list[str]) -> None:
    """Raises CurationError unless `value` is finite."""
    if not math.isfinite(value):
        way_out = (
            "lower the method's learning_rate, or train"
            if step > 1
            else "nothing was learnt yet, so it is not the learning rate: train"
        )
        raise CurationError(f"run {label}: step {step}: the {what} is {value}, in {', '.join(shapes)} tokens (sequences x length); nothing is kept; "
                            f"{way_out} in float32 (student.dtype, and bf16: false)")  # fmt: skip


def write_run_file(out: Path, student: weights.Params) -> None:
    """`out` holds run.json, which names the student and its revision."""
    (out / "run.json").write_text(json.dumps({"model": student.model, "revision": student.revision}, indent=1) + "\n")


def _sorted_json(text: str) -> str:
    """peft writes target_modules, a set, in another order in every process; sorted, the same run is the same bytes."""
    body = json.loads(text)
    return json.dumps(body | {"target_modules": sorted(body["target_modules"])}, indent=1, sort_keys=True) + "\n"


def _last(steps: list[dict[str, float]]) -> dict[str, float]:
    """The number of steps, and the mean of each reported figure over the last quarter of them, if it is a number in
    all of these."""
    tail = steps[-max(len(steps) // 4, 1) :]
    wanted = ("loss", "rewards/accuracies", "rewards/margins", "kl")
    means = {
        n.replace("/", "_"): sum(float(s[n]) for s in tail) / len(tail)
        for n in wanted
        if tail and all(math.isfinite(s.get(n, math.nan)) for s in tail)
    }
    return {"steps": float(len(steps)), **means}


def make_dataset(rows: pl.DataFrame, columns: tuple[str, ...], seed: int) -> Any:
    """`columns` of the rows as a dataset: by their place where they have one, else in the order of a hash of `seed`
    and the rows' first id, so that no order of writing matters."""
    import datasets

    datasets.disable_progress_bars()
    key = rows.columns[0]
    draw = content_ids(rows.select(pl.lit(seed), key)).alias("draw")
    return datasets.Dataset.from_list(
        rows.with_columns(draw).sort("curriculum_position", "draw", key).select(columns).to_dicts()
    )


def drop_untrainable(
    tokenizer: Any, rows: pl.DataFrame, sides: tuple[str, ...], max_length: int
) -> tuple[pl.DataFrame, dict[str, float]]:
    """The rows that still teach something when cut to `max_length` tokens, and figures of all.

    Dropped are rows whose prompt alone fills `max_length`, and pairs whose sides are equal once cut. Raises
    CurationError if none is left.
    """

    def tokens(messages: list[dict[str, str]], answer: bool) -> list[int]:
        return list(
            tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, add_generation_prompt=answer)
        )

    kept, counts = [], []
    for row in rows.iter_rows(named=True):
        whole = [tokens([*row["prompt"], *row[side]], answer=False) for side in sides]
        counts += [len(ids) for ids in whole]
        cut = {tuple(ids[:max_length]) for ids in whole}
        kept.append(len(tokens(row["prompt"], answer=True)) < max_length and len(cut) == len(sides))
    if not any(kept):
        raise CurationError(
            f"max_length {max_length}: no prompt leaves room for an answer, or all pairs are equal once cut; raise it"
        )
    figures = {
        "tokens_mean": sum(counts) / len(counts),
        "tokens_max": max(counts),
        "sides_truncated": sum(count > max_length for count in counts),
    }
    return rows.filter(kept), {"examples": sum(kept), "dropped": len(kept) - sum(kept), **figures}


def build_with_reference(trainer: Any, label: str, settings: ReferenceTrainerParams, **built: Any) -> Any:
    """A TRL trainer with a reference model, built; the reference log-probs, where they are taken first, are shown as
    they come."""
    batches = -(-len(built["train_dataset"]) // settings.batch_size) if settings.precompute else 0
    with progress(f"reference {label}", batches, "batches") as shown:

        class Counted(trainer):  # type: ignore[misc]
            def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
                found = super().compute_ref_log_probs(model, inputs)
                shown.advance()
                return found

        return Counted(**built)
