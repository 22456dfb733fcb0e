"""What every trainer shares: the student, and the rows it learns from as they render."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.progress import REFERENCE, progress
from curation.models import weights
from curation.models.chat_template import RenderingFault
from curation.models.faults import one_sentence
from curation.models.rendering import Renderer, rows_of_side, trainer_messages, verbatim
from curation.models.student import Params as Student
from curation.models.targets import why_dropped
from curation.tables.ids import content_ids
from curation.training.trainers._fitting import fit
from curation.training.trainers._memory import halve_until_it_fits, take_in_parts
from curation.training.trainers._processes import ALONE, Processes, read_whole_batches, share_dataset
from curation.training.trainers._settings import (
    ReferenceTrainerParams,
    TrainerParams,
    lora_config,
    trainer_arguments,
)

PROMPT_COLUMNS = ("prompt", "prompt_messages", "tools", "curriculum_position")  # what every method reads of a row
PAIR_COLUMNS = (
    "pair_id",
    *PROMPT_COLUMNS,
    *(f"{side}{part}" for side in ("chosen", "rejected") for part in ("", "_reasoning", "_truncated")),
)


class Job(NamedTuple):
    """One training: whom, on what, called what, saved where. `rows` are of the table that the method's kind `READS`, of
    which it wants the kind's `COLUMNS` in their order. `processes` is this process among those that train it together,
    null if none do."""

    seed: int
    student: Student
    rows: pl.DataFrame
    label: str
    out: Path
    processes: Processes | None = None


def train_student(
    settings: TrainerParams,
    job: Job,
    rows: pl.DataFrame,
    sides: tuple[str, ...],
    build: Callable[[dict[str, Any], dict[str, Any], int], Any],
    extra: tuple[str, ...] = (),
    in_parts: bool = True,
) -> dict[str, float]:
    """`job.out` holds the student trained on the rows' prompt and `sides`, as they render, and `extra`, as `fit` saves
    it. Returns the metrics of training, how many rows were read, truncated and dropped, and how many examples were
    taken at once: `batch_size`, or where a method may take a batch `in_parts`, as many as the device has room for.

    `build` gives a TRL trainer, from the arguments of its configuration, its own, and the examples taken at once.
    """

    def attempt(micro_batch: int) -> dict[str, float]:
        student = job.student
        # of several processes, each is told by accelerate where its part of the weights goes
        device, frozen = "cpu" if job.processes else student.device, settings.lora is not None
        network, tokenizer = weights.load(student.model, student.pinned, student.dtype, device=device, frozen=frozen)
        renderer = Renderer(tokenizer, student)
        trainable, counts = render_trainable(renderer, rows, sides, settings.max_length)
        with tempfile.TemporaryDirectory() as scratch, one_sentence(f"run {job.label}"):
            config = trainer_arguments(settings, job.seed, student.device, Path(scratch), trainable)
            dataset = make_dataset(trainable, ("prompt", *sides, *extra), job.seed)
            if job.processes:
                dataset = share_dataset(dataset, job.processes)
            lora = lora_config(settings, network)
            parts = {"model": network, "train_dataset": dataset, "processing_class": tokenizer, "peft_config": lora}
            with verbatim(renderer):
                trainer = build(config, parts, micro_batch)
            if job.processes:
                read_whole_batches(trainer)
            if micro_batch < settings.batch_size:
                take_in_parts(trainer, micro_batch, len(sides), *(job.processes or ALONE)[:2])
            return {**counts, **fit(trainer, job.label, job.out, student, job.processes)}

    if in_parts and not job.processes:
        return halve_until_it_fits(settings.batch_size, job.label, attempt)
    size = job.processes.micro_batch if job.processes else settings.batch_size
    return {**attempt(size), "micro_batch": size}


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
    trainer: Any, label: str, settings: ReferenceTrainerParams, parts: dict[str, Any], config: Any, size: int
) -> Any:
    """A TRL trainer with a reference model. Where the reference's log-probabilities are taken first, `size` examples at
    a time, they have a progress line."""
    batches = -(-len(parts["train_dataset"]) // size) if settings.precompute else 0
    with progress(f"{REFERENCE}{label}", batches, "batches") as shown:

        class Counted(trainer):  # type: ignore[misc]
            def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
                logps = super().compute_ref_log_probs(model, inputs)
                shown.advance()
                return logps

        return Counted(args=config, **parts)
