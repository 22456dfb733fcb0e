"""What a run would ask and what that would cost, before anything is asked."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from curation.calls.call import Call, Engine, Reply
from curation.calls.ledger import Ledger
from curation.core.metrics import Interval
from curation.core.progress import progress
from curation.core.study import Study
from curation.judging.judge import judge
from curation.judging.prefer import prefer
from curation.models import weights
from curation.pairs.pair import pair
from curation.prompts.collect import collect
from curation.tables.contracts import PAIRS, empty
from curation.traces.generate import generate

CHARS_PER_TOKEN = 4.0  # where there is neither a tokenizer nor a history
ENOUGH = 5  # replies that make a history


class Stage(NamedTuple):
    """One generate, judge or prefer stage. `calls` are distinct; it is exact unless `at_most`: traces not written yet
    may turn out equal.

    Tokens and dollars are of the calls to make. `basis` says what they are estimated from.
    """

    stage: str
    name: str
    model: str
    calls: int
    in_ledger: int
    to_make: int
    at_most: bool
    prompt_tokens: int
    completion_tokens: int
    usd: float
    usd_low: float
    usd_high: float
    basis: str


class Asks(NamedTuple):
    """The calls of one stage: all distinct ones by key, and those the ledger has no reply to. `at_most` as in Stage."""

    stage: str
    name: str
    settings: Any
    distinct: dict[str, Call]
    missing: list[Call]
    at_most: bool


class _Forecast(Ledger):
    """A ledger that asks nothing: a call without a reply is noted, and answered by a text no other call has."""

    distinct: dict[str, Call]
    lacking: list[Call]

    def forget(self) -> None:
        """Begin another stage, which may ask more than once."""
        self.distinct, self.lacking = {}, []

    def fulfil(self, calls: list[Call], ask: Engine, stage: str, name: str) -> Iterator[Reply]:
        self.lacking += [call for call in self.missing(calls) if call.key not in self.distinct]
        self.distinct |= {call.key: call for call in calls}
        return (self.find(call) or Reply(f"not written yet: {call.key}", "stop") for call in calls)


def asks(study: Study) -> list[Asks]:
    """The calls of every generate, judge and prefer stage that calls a model, in the order they run. Calls none."""
    found, stages = list[Asks](), [*study.generators, *study.judges, *study.pairwise_judges]
    with _Forecast(study.ledger, study.budget) as ledger, progress("plan", len(stages), "stages") as shown:
        prompts, _ = collect(study.sources, study.decontaminate)
        written = []
        for name, settings in study.generators.items():
            ledger.forget()
            written.append(generate(name, settings, prompts, ledger))
            if hasattr(settings, "model"):
                found.append(Asks("generate", name, settings, ledger.distinct, ledger.lacking, False))
            shown.advance(note=name)
        traces = pl.concat(written)
        unwritten = any(one.missing for one in found)
        for name, rater in study.judges.items():
            if hasattr(rater, "model"):
                ledger.forget()
                judge(name, rater, traces, prompts, ledger)
                found.append(
                    Asks("judge", name, rater, ledger.distinct, ledger.lacking, unwritten and bool(ledger.lacking))
                )
            shown.advance(note=name)
        pairs = pair(study.pair, traces) if study.pairwise_judges else empty(PAIRS)
        for name, comparer in study.pairwise_judges.items():
            if hasattr(comparer, "model"):
                ledger.forget()
                prefer(name, comparer, pairs, traces, prompts, ledger)
                found.append(
                    Asks("prefer", name, comparer, ledger.distinct, ledger.lacking, unwritten and bool(ledger.lacking))
                )
            shown.advance(note=name)
    return found


def plan(study: Study) -> list[Stage]:
    """A row per generate, judge and prefer stage that calls a model, in the order they run. Calls none."""
    with Ledger(study.ledger, study.budget) as ledger:
        return [_stage(ledger, one) for one in asks(study)]


def _stage(ledger: Ledger, asked: Asks) -> Stage:
    model, missing = asked.settings.model, asked.missing
    history = ledger.history(asked.stage, asked.name, model) or ledger.history(asked.stage, None, model)
    prompt, how = _prompt_tokens(asked.settings, missing, history)
    completion = _completion_tokens(missing, history)
    low, mean, high = (ledger.budget.usd(model, p, c) for p, c in zip(_ends(prompt), _ends(completion), strict=True))
    basis = f"{how}, {len(history)} replies" if len(history) >= ENOUGH else f"{how}, max_tokens"
    return Stage(
        asked.stage, asked.name, model, len(asked.distinct), len(asked.distinct) - len(missing), len(missing), asked.at_most,
        round(prompt.mean), round(completion.mean), mean, low, high, basis if missing else "",
    )  # fmt: skip


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.mean, interval.high


def _prompt_tokens(settings: Any, missing: list[Call], history: list[tuple[str, int, int]]) -> tuple[Interval, str]:
    """The tokens of all prompts: counted by the model's own tokenizer where its weights are here, else by tokens per
    character so far."""
    if missing and settings.kind in ("transformers", "vllm") and weights.locate(settings.model) is not None:
        tokenizer = weights.tokenizer(settings.model, settings.revision)
        total = sum(
            len(tokenizer.apply_chat_template(call.messages, add_generation_prompt=True, return_dict=False))
            for call in missing
        )
        return Interval(total, total, total, len(missing)), "tokenizer"
    characters = float(sum(_characters(call.messages) for call in missing))
    if len(history) >= ENOUGH and missing:
        rates = np.array(
            [tokens / max(_characters(json.loads(request)["messages"]), 1) for request, tokens, _ in history]
        )
        return _total(rates * characters / len(missing), len(missing)), "history"
    guess = characters / CHARS_PER_TOKEN
    return Interval(guess, guess / 2, guess * 2, 0), "4 characters a token"


def _characters(messages: list[dict[str, str]]) -> int:
    return sum(len(message["content"]) for message in messages)


def _completion_tokens(missing: list[Call], history: list[tuple[str, int, int]]) -> Interval:
    """The tokens of all replies: as many a call as so far, or all that max_tokens allows where there is no history."""
    if len(history) >= ENOUGH and missing:
        return _total(np.array([tokens for _, _, tokens in history], dtype=float), len(missing))
    most = float(sum(call.max_tokens or 0 for call in missing))
    return Interval(most, 0.0, most, 0)


def _total(seen: np.ndarray, draws: int) -> Interval:
    """The sum of `draws` more like those `seen`, with its 95 % prediction interval (Student's; the mean's own error
    included)."""
    from scipy import stats

    n, mean = len(seen), float(seen.mean())
    half = float(stats.t.ppf(0.975, n - 1) * seen.std(ddof=1) * math.sqrt(draws + draws**2 / n))
    return Interval(draws * mean, max(draws * mean - half, 0.0), draws * mean + half, n)
