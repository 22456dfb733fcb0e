"""A pair's implicit margin and held-out loss after DPO on other prompts' pairs, by cross-fitting.

Selective DPO (arXiv 2502.09650) keeps the pairs of the smallest held-out loss; arXiv 2508.04149 and 2406.17312 keep
those of a small implicit margin, BeeS (arXiv 2502.14560) those of a large one.
"""

import gc
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import BatchSize, Few, Positive, Seed
from curation.core.stats import stable_mean
from curation.core.study import Study
from curation.core.text import say_count
from curation.models import weights
from curation.models.logprobs import encode, log_probs
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.pairs.sides import join_sides
from curation.tables.contracts import SIDES
from curation.tables.ids import content_ids
from curation.tables.measurements import PAIR_SCORES
from curation.training.trainers import dpo
from curation.training.trainers._training import Job


class Params(Strict):
    """A scorer of kind implicit. `rounds` times the prompts are split into `folds`, by another seed each time.

    The pairs of a fold are scored by the student trained on those of the other folds, `train_pairs` of them at most;
    `batch_size` traces are read at a time. Selective DPO has 3 rounds of 2 folds: six models.
    """

    kind: Literal["implicit"]
    folds: Annotated[int, Field(ge=2, le=1000, description="each trains a model")]
    rounds: Few
    seed: Seed
    train_pairs: Positive | None
    batch_size: BatchSize
    training: dpo.Training

    def mistakes(self, study: Study) -> Iterator[str]:
        """Seeds of later rounds that no library takes, and what is wrong with the training."""
        if self.seed + self.rounds > 2**32:
            yield f"seed: {self.seed} leaves no seed for {self.rounds} rounds, each of which takes the next; lower it"
        yield from (f"training.{line}" for line in self.training.mistakes(study))

    def unmet(self, study: Study) -> Iterator[str]:
        """What the training lacks, which is done in one process, whatever trains the runs."""
        yield from (f"training.{line}" for line in self.training.find_unmet(study))

    def warnings(self, study: Study) -> Iterator[str]:
        """What of the training does nothing."""
        yield from (f"training.{line}" for line in self.training.warnings(study))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it says of a pair."""
        return tuple(PAIR_SCORES.schema.names[1:])


def score(settings: Params, student: Student, pairs: pl.DataFrame, texts: pl.DataFrame, name: str) -> pl.DataFrame:
    """The columns of `pair_scores`, of each pair whose prompt leaves room for an answer. No weights are kept.

    implicit_margin is beta [log pi/ref (chosen) - log pi/ref (rejected)], held_out_loss is -log sigmoid of it (arXiv
    2305.18290, eq. 7), whatever loss was trained on. Both are means over rounds, as are the policy's log-probabilities.
    Raises CurationError if a fold would have no pair to train on.
    """
    _warn_of_reverses(pairs, name)
    splits = [assign_folds(settings, pairs, number, name) for number in range(settings.rounds)]
    network, tokenizer = weights.load(student.model, student.pinned, student.dtype, device=student.device)
    encoded = encode(Renderer(tokenizer, student), pairs, texts, settings.training.max_length)
    reference = log_probs(network, encoded, settings.batch_size, f"reference {name}")
    del network
    policies = []
    for number, folds in enumerate(splits):
        for fold in sorted(set(folds)):
            label = f"{name} round {number + 1} fold {fold + 1}"
            paired = _draw(settings, pairs.filter(folds != fold), texts, number)
            of_fold = encoded.pairs.join(pairs.filter(folds == fold), on="pair_id", how="semi", maintain_order="left")
            with _policy(settings, student, settings.seed + number, paired, label) as network:
                held_out = encoded._replace(pairs=of_fold)
                policies.append(log_probs(network, held_out, settings.batch_size, f"score {label}"))
    lengths = encoded.pairs.select("pair_id", "chosen_tokens", "rejected_tokens", "truncated")
    means = _means(reference, pl.concat(policies), settings.training.beta)
    return reference.join(lengths, on="pair_id").join(means, on="pair_id")


def assign_folds(settings: Params, pairs: pl.DataFrame, number: int, name: str) -> pl.Series:
    """The fold of each pair in round `number`: a hash of seed and prompt_id, so that neither the order of the pairs nor
    other prompts change it.

    Raises CurationError if there are fewer prompts than folds, or all prompts fall into one.
    """
    prompts = pairs["prompt_id"].n_unique()
    folds = (content_ids(pairs.select(pl.lit(settings.seed + number), "prompt_id")) % settings.folds).alias("fold")
    if prompts < settings.folds:
        raise CurationError(
            f"scorers.{name}.folds: {settings.folds} are too many for {say_count(prompts, 'prompt')}; lower folds, "
            "or add prompts"
        )
    if folds.n_unique() == 1:
        raise CurationError(
            f"scorers.{name}: round {number + 1} has all {prompts} prompts in one fold and none to train on; "
            "change seed, or add prompts"
        )
    return folds


def _draw(settings: Params, pairs: pl.DataFrame, texts: pl.DataFrame, number: int) -> pl.DataFrame:
    """At most `train_pairs` of the pairs, drawn by a hash, with what of `subsets` a trainer reads."""
    draw = content_ids(pairs.select(pl.lit(settings.seed + number), "pair_id")).alias("draw")
    rows = pairs.with_columns(draw).sort("draw", "pair_id")[: settings.train_pairs]
    of_prompt = texts.select("trace_id", "prompt", "prompt_messages", "tools").rename({"trace_id": "chosen_trace_id"})
    sides = join_sides(
        rows.join(of_prompt, on="chosen_trace_id", maintain_order="left"),
        texts.drop("prompt", "prompt_messages", "tools"),
    )
    return (
        sides.rename({f"{side}_completion": side for side in SIDES})
        .drop("draw")
        .with_columns(pl.lit(None, pl.Int32).alias("curriculum_position"))
    )


@contextmanager
def _policy(settings: Params, student: Student, seed: int, paired: pl.DataFrame, label: str) -> Iterator[Any]:
    """The student trained on `paired`, inside the block; after it the weights are gone."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "policy"
        dpo.train(settings.training, Job(seed, student, paired, label, out))
        gc.collect()  # the trainer holds its network in a cycle, and the next one wants the room
        if settings.training.lora is None:
            yield weights.load(str(out), weights.fingerprint(out), student.dtype, device=student.device)[0]
            return
        from peft import PeftModel

        network, _ = weights.load(student.model, student.pinned, student.dtype, device=student.device)
        yield PeftModel.from_pretrained(network, out)  # not merged: in bfloat16 that doubles the error of the margins


def _means(reference: pl.DataFrame, policy: pl.DataFrame, beta: float) -> pl.DataFrame:
    """Each pair's means over the rounds, and the number of rounds."""
    own = policy.rename({"chosen_logp": "policy_chosen_logp", "rejected_logp": "policy_rejected_logp"})
    rows = reference.join(own, on="pair_id", maintain_order="right")
    gap = (pl.col("policy_chosen_logp") - pl.col("chosen_logp")) - (
        pl.col("policy_rejected_logp") - pl.col("rejected_logp")
    )
    margin = pl.col("implicit_margin")
    loss = (-margin.abs()).exp().log1p() + pl.max_horizontal(-margin, 0.0)  # -log sigmoid, for any margin
    rows = rows.with_columns((beta * gap).alias("implicit_margin")).with_columns(loss.alias("held_out_loss"))
    means = stable_mean(pl.col("policy_chosen_logp", "policy_rejected_logp", "implicit_margin", "held_out_loss"))
    return rows.group_by("pair_id", maintain_order=True).agg(means, pl.len().cast(pl.Int32).alias("n_rounds"))


def _warn_of_reverses(pairs: pl.DataFrame, name: str) -> None:
    sides = ["chosen_trace_id", "rejected_trace_id"]
    both = pairs.join(pairs, left_on=sides, right_on=sides[::-1], how="semi").height
    if both:
        print(
            f"score_pairs {name}: {both} of {pairs.height} pairs stand in both orders; "
            "training on a pair and its reverse teaches nothing",
            file=sys.stderr,
        )
