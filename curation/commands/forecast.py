"""What a run would ask of models, and what that would cost."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from curation.calls.call import Call
from curation.calls.dry import AsksModel
from curation.calls.extra import OWN_SAMPLING
from curation.calls.ledger import Ledger
from curation.commands.outstanding import StageCalls, stage_calls
from curation.core.canonical import canonical
from curation.core.metrics import Interval
from curation.core.study import Study
from curation.models import weights
from curation.models.call_rendering import render_call

SUMMED = (
    "calls",
    "in_ledger",
    "to_make",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "usd",
    "usd_low",
    "usd_high",
)
CHARS_PER_TOKEN = 4.0  # where there is neither a tokenizer nor a history
BATCHED = ("generate", "judge")  # the stages that `curation batch` writes
FEWEST_REPLIES = 5  # that make a history


@runtime_checkable
class Scores(Protocol):
    """The settings of a judge whose model writes nothing, and scores what it reads."""

    def count_tokens(self, calls: Sequence[Call]) -> int | None:
        """The tokens that it would read, by its own tokenizer; None where that is not on this machine."""
        ...


class Stage(NamedTuple):
    """One generate, judge or prefer stage. `calls` are distinct; it is exact unless `at_most`: traces not written yet
    may turn out equal.

    Tokens and dollars are of the calls to make; `usd_batched` is what they cost as a batch, null where that is not
    known. `basis` says what they are estimated from.
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
    cached_tokens: int
    usd: float
    usd_low: float
    usd_high: float
    usd_batched: float | None
    basis: str


def plan(study: Study) -> list[Stage]:
    """A row per generate, judge and prefer stage that asks a model, in the order they run. Asks none."""
    return forecast(study, stage_calls(study))


def forecast(study: Study, stages: list[StageCalls]) -> list[Stage]:
    """A row for each of the stages, with what its outstanding calls would take."""
    with Ledger(study.ledger, study.budget) as ledger:
        return [forecast_stage(ledger, calls) for calls in stages]


def forecast_stage(ledger: Ledger, calls: StageCalls) -> Stage:
    """The row of one stage: its calls counted, and what the outstanding ones would take."""
    model, missing = calls.settings.model, calls.missing
    history = _history(ledger, calls)
    prompt, how = _prompt_tokens(calls.settings, missing, history)
    writes = not isinstance(calls.settings, Scores)
    completion = _completion_tokens(missing, history) if writes else Interval(0.0, 0.0, 0.0, len(missing))
    ends, share = list(zip(_ends(prompt), _ends(completion), strict=True)), _cached_share(history)
    low, mean, high = (ledger.budget.usd(model, read, said, share * read) for read, said in ends)
    price = ledger.budget.prices.get(model)
    batched = ledger.budget.usd(model, *ends[1], share * prompt.mean, batched=True)
    can_batch = writes and calls.stage in BATCHED and price is not None and price.batch is not None
    known = f"{len(history)} replies" if len(history) >= FEWEST_REPLIES else "max_tokens"
    basis = f"{how}, {known}" if writes else how
    return Stage(
        stage=calls.stage,
        name=calls.name,
        model=model,
        calls=len(calls.distinct),
        in_ledger=len(calls.distinct) - len(missing),
        to_make=len(missing),
        at_most=calls.at_most,
        prompt_tokens=round(prompt.mean),
        completion_tokens=round(completion.mean),
        cached_tokens=round(share * prompt.mean),
        usd=mean,
        usd_low=low,
        usd_high=high,
        usd_batched=batched if can_batch else None,
        basis=basis if missing else "",
    )


def _history(ledger: Ledger, calls: StageCalls) -> list[tuple[str, int, int, int]]:
    """The replies that say what the outstanding ones will take: of this stage and name, else of another name, and asked
    for with the same declared fields, since another effort to reason is another price."""
    declared = _declared(calls.missing[0].sampling) if calls.missing else {}
    for name in (calls.name, None):
        rows = ledger.history(calls.stage, name, calls.settings.model)
        if alike := [row for row in rows if _declared(json.loads(row[0])["sampling"]) == declared]:
            return alike
    return []


def _cached_share(history: list[tuple[str, int, int, int]]) -> float:
    """Of the tokens of prompts so far, those that the server had kept."""
    read = sum(tokens for _, tokens, *_ in history)
    return sum(cached for *_, cached in history) / read if len(history) >= FEWEST_REPLIES and read else 0.0


def _declared(sampling: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sampling.items() if name not in OWN_SAMPLING}


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.mean, interval.high


def _prompt_tokens(
    settings: AsksModel, missing: list[Call], history: list[tuple[str, int, int, int]]
) -> tuple[Interval, str]:
    """The tokens of all prompts: counted by the model's own tokenizer where its weights are here, else by tokens per
    character so far."""
    if missing and has_tokenizer(settings):
        tokenizer = weights.tokenizer(settings.model, settings.revision)
        texts = [render_call(tokenizer, call) for call in missing]
        total = sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
        return Interval(total, total, total, len(missing)), "tokenizer"
    characters = float(sum(_characters(call.messages, call.tools) for call in missing))
    if len(history) >= FEWEST_REPLIES and missing:
        asked = [json.loads(request) for request, *_ in history]
        read = [max(_characters(one["messages"], one.get("tools")), 1) for one in asked]
        rates = np.array([tokens for _, tokens, *_ in history]) / np.array(read)
        return _total(rates * characters / len(missing), len(missing)), "history"
    guess = characters / CHARS_PER_TOKEN
    return Interval(guess, guess / 2, guess * 2, 0), "4 characters a token"


def _characters(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> int:
    """The characters of what a call says; of what is no text, those of its JSON."""
    said = [value for message in messages for name, value in message.items() if name != "role"]
    return sum(len(value if isinstance(value, str) else canonical(value)) for value in [*said, *(tools or [])])


def _completion_tokens(missing: list[Call], history: list[tuple[str, int, int, int]]) -> Interval:
    """The tokens of all replies: as many a call as so far, or all that max_tokens allows where there is no history."""
    if len(history) >= FEWEST_REPLIES and missing:
        return _total(np.array([tokens for _, _, tokens, _ in history], dtype=float), len(missing))
    most = float(sum(call.max_tokens or 0 for call in missing))
    return Interval(most, 0.0, most, 0)


def _total(seen: np.ndarray, draws: int) -> Interval:
    """The sum of `draws` more like those `seen`, with its 95 % prediction interval (Student's; the mean's own error
    included)."""
    from scipy import stats

    n, mean = len(seen), float(seen.mean())
    half = float(stats.t.ppf(0.975, n - 1) * seen.std(ddof=1) * math.sqrt(draws + draws**2 / n))
    return Interval(draws * mean, max(draws * mean - half, 0.0), draws * mean + half, n)


def has_tokenizer(settings: AsksModel) -> bool:
    """Whether the model is loaded on this machine, from files that are on it."""
    return settings.kind in ("transformers", "vllm") and weights.locate(settings.model) is not None
