"""Many runs evaluated: those that a model answers here side by side, all others one after the other."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.calls.budget import Params as Budget
from curation.calls.ledger import Ledger
from curation.calls.ledger import Params as LedgerSettings
from curation.calls.served import Served
from curation.core.messages import first_names
from curation.core.study import Study
from curation.core.text import say_count
from curation.models.student import Params as Student
from curation.training import evaluate
from curation.training.gold import find_unreadable
from curation.training.workers import Outcome, count_threads, one_by_one, side_by_side

if TYPE_CHECKING:
    from curation.judging.judges._kind import Judge


OF_SO_MANY, NUMBER, DETAILS = re.compile(r"^\d+ (of \d+ )?"), re.compile(r"\d+"), re.compile(r"[,;:] ")
MOST_NAMED = 3  # runs in a message


class Evaluated(NamedTuple):
    """The rows of `results` of a run, and what its replies took, as `Served` counts it."""

    results: pl.DataFrame
    served: Mapping[str, Mapping[str, int]]


class ToEvaluate(NamedTuple):
    """A run to evaluate on `prompts`: its weights lie in `model`, None are the student's own. The ledger keeps what is
    bought as it comes."""

    run: str
    settings: evaluate.Params
    student: Student
    model: Path | None
    judge: "Judge | None"
    prompts: pl.DataFrame
    ledger: LedgerSettings
    budget: Budget

    def on(self, device: str) -> "ToEvaluate":
        """The same, with an engine on a device of that kind on this one."""
        engine = self.settings.engine
        if engine.kind != "transformers" or engine.device.partition(":")[0] != device.partition(":")[0]:
            return self
        there = engine.model_copy(update={"device": device})
        return self._replace(settings=self.settings.model_copy(update={"engine": there}))

    def do(self) -> Evaluated:
        """Evaluate. Raises CurationError as `evaluate` does."""
        with Ledger(self.ledger, self.budget) as ledger:
            return self.evaluate(ledger)

    def evaluate(self, ledger: Ledger) -> Evaluated:
        """The same with a ledger that is open, which other runs may share."""
        settings, judge, ledger.served = self.settings, self.judge, Served()
        rows = evaluate.evaluate(settings, self.run, self.student, self.model, judge, self.prompts, ledger)
        return Evaluated(rows, ledger.served.metrics())

    def clear(self) -> None:
        """The ledger has what was bought; there is nothing else."""


def evaluate_all(study: Study, models: Mapping[str, Path | None], prompts: pl.DataFrame) -> Iterator[Outcome]:
    """What came of each run of `models`, by its weights: Evaluated, or its error, as they end: side by side as
    `execution.runs` says, where transformers loads the weights on this machine; others are asked one run after the
    other."""
    seen = Warned()
    for outcome in _evaluate_each(study, models, prompts):
        if outcome.error is None:
            seen.tell(outcome.run, evaluate.find_told(study.evaluate, outcome.value.results))
        yield outcome
    seen.tell_of_others()


class Warned:
    """What was told of runs on stderr: a line of the first that it is true of, as it comes, and one of all others."""

    def __init__(self) -> None:
        self.others = dict[str, list[str]]()

    def tell(self, run: str, lines: Iterable[str]) -> None:
        """Print those of the lines that no run had so far, whatever their numbers."""
        for line in lines:
            what = NUMBER.sub("some", OF_SO_MANY.sub("", DETAILS.split(line)[0]))
            if what in self.others:
                self.others[what].append(run)
            else:
                self.others[what] = []
                print(f"warning: evaluate {run}: {line}", file=sys.stderr, flush=True)

    def tell_of_others(self) -> None:
        """Print of each line of how many other runs it is true."""
        for what, runs in self.others.items():
            if runs:
                named = f"{say_count(len(runs), 'more run')}: {first_names(runs, MOST_NAMED)}"
                print(f"warning: evaluate: {what}, so in {named}", file=sys.stderr, flush=True)


def _evaluate_each(study: Study, models: Mapping[str, Path | None], prompts: pl.DataFrame) -> Iterator[Outcome]:
    judge = None if study.evaluate.judge is None else study.judges[study.evaluate.judge]
    held_out = prompts.filter(pl.col("split") != "train")
    for line in find_unreadable(held_out):
        print(f"warning: evaluate: {line}", file=sys.stderr, flush=True)
    jobs = [
        ToEvaluate(name, study.evaluate, study.student, model, judge, held_out, study.ledger, study.budget)
        for name, model in models.items()
    ]
    execution, settings = study.execution, study.execution.of_runs
    if study.evaluate.engine.kind != "transformers" or execution.engine != "local":
        with Ledger(study.ledger, study.budget, execution.distribute) as ledger:
            yield from one_by_one("evaluate", {job.run: partial(job.evaluate, ledger) for job in jobs}, None)
        return
    # of two runs with the same weights the second finds its answers in the ledger; beside the first it would buy them
    beside = set({job.model: job.run for job in jobs}.values()) if execution.runs else set()
    at_once = settings.model_copy(update={"parallel": settings.parallel if settings.engine == "local" else 1})
    yield from side_by_side("evaluate", [job for job in jobs if job.run in beside], at_once, study.student)
    alone = {job.run: job.do for job in jobs if job.run not in beside}
    yield from one_by_one("evaluate", alone, count_threads(settings, study.student.device))
