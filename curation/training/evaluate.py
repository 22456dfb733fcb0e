"""What a trained student answers on held-out prompts, in domain and out of domain."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.extra import TEMPLATE_FIELDS
from curation.calls.ledger import Ledger
from curation.calls.upkeep import tell_of_lost_reasoning
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.params import Strict
from curation.core.references import Refers
from curation.core.study import Study
from curation.judging.judges import answer
from curation.models import weights
from curation.models.engines import openai, transformers, vllm
from curation.models.faults import require_finite
from curation.models.local import find_too_long
from curation.models.reasoning import Rule
from curation.models.student import Params as Student
from curation.tables.contracts import empty
from curation.tables.measurements import COUNTED_AS_WRONG, RESULTS
from curation.traces.delimiters import find_unread
from curation.traces.sampling import GenerationSampling, SamplingChanges, make_rows
from curation.training.student_calls import divide, make_student_calls, revision_of, told

if TYPE_CHECKING:
    from curation.judging.judges._kind import Judge

ASK_AGAIN = "`dvc repro -sf evaluate` asks them again, and them alone; then `dvc repro`"
MOST_TRUNCATED = 0.1  # of a run's answers to a benchmark, before it is warned of


class Params(Strict):
    """`evaluate` in params.yaml: every source outside the train split is a benchmark; `judge` is a judge of kind
    answer.

    `benchmarks` says what of `sampling` is another for a benchmark, as 16 samples here and one there; null that nothing
    is. `reasoning` says by which delimiters the student's texts mark reasoning, null that none do. The judge grades the
    answer alone.

    Where `engine` is of kind openai, its server serves each run under the run's name, as `vllm serve --lora-modules`
    does; `template_served: true` says that it was started with the student's chat_template, and with its date in that.
    """

    sampling: GenerationSampling
    benchmarks: dict[str, SamplingChanges] | None = None
    engine: Annotated[transformers.Params | openai.Params | vllm.Params, Field(discriminator="kind")]
    judge: Annotated[str | None, Refers("judges")]
    reasoning: Rule | None = None
    template_served: Literal[True] | None = None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A judge that grades no answers, which would show only once a run is trained; none, though there are
        benchmarks, or runs that no other harness measures; replies that leave no room for a prompt."""
        if self.judge is None and (study.benchmarks or (study.runs and not study.results)):
            what = f"{study.benchmarks[0]} is a benchmark" if study.benchmarks else "the grid has runs"
            yield f"judge: null, but {what}; name a judge of kind answer"
        elif self.judge is not None:
            yield from self._find_judge_mistakes(study.judges[self.judge])
        for name in self.benchmarks or {}:
            if name not in study.benchmarks:
                what = f"{name!r} is on the train split" if name in study.sources else f"{name!r} is not in sources"
                yield f"benchmarks.{name}: {what}{did_you_mean(name, study.benchmarks)}"
        yield from self._of_samplings(lambda sampling: self._find_sampling_mistakes(sampling, study.student))
        named = [name for name in ("chat_template", "template_date") if getattr(study.student, name) is not None]
        if named and not self.engine.runs_here and not self.template_served:
            yield (
                f"engine: a server writes prompts by its own template and clock, not by student.{named[0]}; start it "
                "with that and set evaluate.template_served: true, or name an engine of kind vllm or transformers"
            )

    def _find_judge_mistakes(self, judge: "Judge") -> Iterator[str]:
        if not isinstance(judge, answer.Params):
            yield f"judge: {self.judge!r} is of kind {judge.kind}; name a judge of kind answer"
        elif judge.missing_answer != "wrong":
            yield (
                f"judge: {self.judge!r} has missing_answer: unscored, so to give no answer would pay; say wrong, or "
                "name a judge that does"
            )

    def sampling_of(self, benchmark: str) -> GenerationSampling:
        """How a benchmark's answers are sampled."""
        changes = (self.benchmarks or {}).get(benchmark)
        return self.sampling if changes is None else self.sampling.changed(changes)

    def _of_samplings(self, find: Callable[[GenerationSampling], Iterator[str]]) -> Iterator[str]:
        """What `find` says of each sampling, after its place; of a benchmark's what it does not say of all."""
        of_all = list(find(self.sampling))
        yield from (f"sampling.{line}" for line in of_all)
        for name in self.benchmarks or {}:
            own = [line for line in find(self.sampling_of(name)) if line not in of_all]
            yield from (f"benchmarks.{name}.{line}" for line in own)

    def _find_sampling_mistakes(self, sampling: GenerationSampling, student: Student) -> Iterator[str]:
        for name in TEMPLATE_FIELDS:
            if name in (sampling.extra or {}):
                where = "chat_template" if name == "chat_template" else "template_kwargs"
                yield f"extra.{name}: training would not be told it; set student.{where}"
        yield from self.engine.find_mistakes(sampling.max_tokens, told(sampling, student).extra or {})

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the engine is not there, if a benchmark is to be answered."""
        if study.benchmarks:
            yield from (f"engine.{line}" for line in self.engine.find_unmet())
            if self.engine.runs_here:
                model = study.student.model
                yield from self._of_samplings(lambda one: find_too_long("max_tokens", one.max_tokens, model))


def evaluate(
    settings: Params,
    name: str,
    student: Student,
    model: Path | None,
    judge: "Judge | None",
    prompts: pl.DataFrame,
    ledger: Ledger,
) -> pl.DataFrame:
    """The rows of `results` of run `name`, whose trained weights lie in `model`; None is the student's own.

    The calls' keys hold the hash of the weights and the dtype. Raises CurationError if weights are not finite, or if
    `judge` is not of kind answer. Without a judge there is nothing to evaluate on, and there are no rows.
    """
    held_out = prompts.filter(pl.col("split") != "train").sort("prompt_id")
    if judge is None and held_out.is_empty():
        return empty(RESULTS)
    if not isinstance(judge, answer.Params):
        kind = judge.kind if judge else None
        raise CurationError(f"evaluate.judge: a judge of kind {kind} grades no answers; name one of kind answer")
    revision, loaded = _weights(settings, name, student, model)
    calls = make_student_calls(settings, student, revision, held_out)

    engine = settings.engine.engine(loaded._replace(template=student.template), name, settings.reasoning)
    replies = ledger.fulfil(calls, engine, "evaluate", name)
    tell_of_lost_reasoning(ledger, calls, "evaluate", name)
    ordered = iter(replies)
    answers = pl.concat(
        make_rows(rows, sampling, islice(ordered, rows.height * sampling.samples), settings.reasoning)
        for sampling, rows in divide(settings, held_out)
    )
    rows = answers.join(held_out, on="prompt_id", maintain_order="left")
    # a student that was asked and gave no answer is graded as one that answered nothing, or its silence would pay; so
    # would an answer that cannot be read
    said = pl.when(pl.col("finish_reason") != "error").then(pl.col("completion").fill_null(""))
    grades = answer.grade(judge, answer.read_questions(rows.with_columns(said)), f"evaluate {name}")
    return rows.with_columns(
        pl.lit(name).alias("run"),
        pl.col("source").alias("benchmark"),
        pl.Series("score", [_counted(graded) for graded in grades], dtype=pl.Float64),
        pl.Series("status", [graded.status for graded in grades], dtype=pl.String),
    ).select(RESULTS.schema.names)


def find_told(settings: Params, results: pl.DataFrame) -> Iterator[str]:
    """A line about each thing to be told of the results of one run."""
    yield from find_unread("evaluate.reasoning", settings.reasoning, results)
    yield from find_truncated(settings, results)
    yield from find_failed(results)


def _counted(graded: answer.Grade) -> float | None:
    """The score of a grade in an evaluation: 0 where the student answered and nothing right was found, None where
    nothing can be said."""
    return 0.0 if graded.status in COUNTED_AS_WRONG else graded.score


def find_truncated(settings: Params, results: pl.DataFrame) -> Iterator[str]:
    """A line about the benchmarks, if there are any, more than MOST_TRUNCATED of whose answers by one run the limit
    cut."""
    answers = results.filter(pl.col("finish_reason") != "error").group_by("benchmark", maintain_order=True)
    shares = answers.agg((pl.col("finish_reason") == "length").mean().alias("cut")).sort("benchmark")
    said, limits = list[str](), set[str]()
    for benchmark, share in shares.filter(pl.col("cut") > MOST_TRUNCATED).rows():
        said.append(f"{share:.0%} of {benchmark} at {settings.sampling_of(benchmark).max_tokens} tokens")
        changes = (settings.benchmarks or {}).get(benchmark)
        own = changes is not None and changes.max_tokens is not None
        limits.add(f"evaluate.{f'benchmarks.{benchmark}' if own else 'sampling'}.max_tokens")
    if said:
        way_out = f"raise {', '.join(sorted(limits))}"
        yield f"answers were cut off, {', '.join(said)}, and part of a gain may be brevity; {way_out}"


def find_failed(results: pl.DataFrame) -> Iterator[str]:
    """A line about the calls that failed, of the benchmarks that have any."""
    failed = results.group_by("benchmark").agg((pl.col("status") == "error").sum().alias("failed"), pl.len())
    of = [f"{count} of {asked} to {name}" for name, count, asked in failed.sort("benchmark").rows() if count]
    if of:
        yield f"calls failed, {', '.join(of)}: their prompts have no value in this run; {ASK_AGAIN}"


def _weights(settings: Params, name: str, student: Student, model: Path | None) -> tuple[str, weights.Weights]:
    """The revision that stands for the weights of run `name`, and what an engine is to load: the student, the student
    with the adapter in `model`, or the whole model there."""
    if model is None:
        return student.pinned, weights.Weights(student.model, student.pinned)
    require_finite(model, f"run {name}")
    trained, adapter = weights.fingerprint(model), (model / "adapter_config.json").exists()
    revision = revision_of(settings, student, trained, adapter)
    if adapter:
        return revision, weights.Weights(student.model, student.pinned, model)
    return revision, weights.Weights(str(model.resolve()), trained)
