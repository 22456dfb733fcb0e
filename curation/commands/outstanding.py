"""The calls of every stage that asks a model, and which of them the ledger has no reply to; asks nothing."""

from typing import NamedTuple

import polars as pl

from curation.calls.call import Call
from curation.calls.dry import UNWRITTEN, AsksModel, DryLedger
from curation.core.progress import progress
from curation.core.study import Study
from curation.judging.judge import judge
from curation.judging.prefer import prefer
from curation.pairs.pair import pair
from curation.prompts.collect import collect
from curation.tables.contracts import PAIRS, empty
from curation.traces.delimiters import find_unread_by_generator
from curation.traces.generate import generate


class StageCalls(NamedTuple):
    """The calls of one stage: all distinct ones by key, and those the ledger has no reply to.

    `at_most`: some are about traces that are not written yet, which may turn out equal; then there are fewer.
    """

    stage: str
    name: str
    settings: AsksModel
    distinct: dict[str, Call]
    missing: list[Call]
    at_most: bool


class Known(NamedTuple):
    """What is known before anything is asked: the calls of each stage, in the order they run, the traces that there are
    replies for, what they have of delimiters that no rule read, and the prompts. `drafts` are all traces, with a text
    of their own in the place of replies to come; `listed_pairs` are those of preference sets."""

    stages: list[StageCalls]
    traces: pl.DataFrame
    unread: list[str]
    prompts: pl.DataFrame
    drafts: pl.DataFrame
    listed_pairs: pl.DataFrame


WRITTEN = ~pl.col("completion").str.starts_with(UNWRITTEN).fill_null(False)


def stage_calls(study: Study) -> list[StageCalls]:
    """The calls of every generate, judge and prefer stage that asks a model, in the order they run."""
    return known_calls(study).stages


def known_calls(study: Study) -> Known:
    """The calls of every stage that asks a model, and what their replies so far are."""
    stages, count = list[StageCalls](), len(study.generators) + len(study.judges) + len(study.pairwise_judges)
    with DryLedger(study.ledger, study.budget) as ledger, progress("plan", count, "stages") as shown:

        def note(stage: str, name: str, settings: object, unwritten: bool) -> None:
            """Keep what the stage asked, if it asks a model at all."""
            if isinstance(settings, AsksModel):
                at_most = unwritten and bool(ledger.lacking)
                stages.append(StageCalls(stage, name, settings, ledger.distinct, ledger.lacking, at_most))
            ledger.forget()
            shown.advance(note=name)

        ledger.forget()
        collected = collect(study.sources, study.decontaminate)
        prompts = collected.prompts
        parts, unread = list[pl.DataFrame](), list[str]()
        for name, generator in study.generators.items():
            parts.append(generate(name, generator, prompts, ledger, collected.responses))
            unread += find_unread_by_generator(name, study, parts[-1].filter(WRITTEN))
            note("generate", name, generator, False)
        traces, unwritten = pl.concat(parts), any(stage.missing for stage in stages)
        for name, rater in study.judges.items():
            if isinstance(rater, AsksModel):
                judge(name, rater, traces, prompts, ledger)
            note("judge", name, rater, unwritten)
        pairs = pair(study.pair, traces, collected.listed_pairs) if study.pairwise_judges else empty(PAIRS)
        for name, comparer in study.pairwise_judges.items():
            if isinstance(comparer, AsksModel):
                prefer(name, comparer, pairs, traces, prompts, ledger)
            note("prefer", name, comparer, unwritten)
    return Known(stages, traces.filter(WRITTEN), unread, prompts, traces, collected.listed_pairs)
