"""A pairwise judge that asks a model which of two traces is better, once in each order."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict, create_model

from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.judging import prompting
from curation.judging.marks import DATA_NOTICE, SOLUTIONS, fence, format_message
from curation.judging.probabilities import score_probabilities
from curation.tables.contracts import ORDERS, PREFERENCE

FIRST, SECOND, NEITHER = 1, 2, 0  # digits, which are one token to every tokenizer


class Params(prompting.ModelJudgeParams):
    """A pairwise judge of kind verdict. `ties` lets it say that neither is better."""

    kind: Literal["verdict"]
    ties: bool

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts come to."""
        return [PREFERENCE]


class Preference(NamedTuple):
    """What one reply says of a pair. `strength`, from -1 to 1, is the probability that chosen is better less that of
    rejected."""

    verdict: str | None
    strength: float | None
    p_tie: float | None
    status: str
    rationale: str | None


def prefer(settings: Params, name: str, pairs: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Two rows per pair and repeat, one for each order. `pairs` has pair_id, and problem, answer, chosen and rejected
    as text. The same two texts in the same order are one call, whichever of them is called chosen."""
    call_for, slots, calls = make_caller(settings), [], []
    for pair_id, problem, answer, chosen, rejected in pairs.select(
        "pair_id", "problem", "answer", "chosen", "rejected"
    ).iter_rows():
        for order, texts in zip(ORDERS, ((chosen, rejected), (rejected, chosen)), strict=True):
            for repeat in range(settings.repeats):
                slots.append((pair_id, order, repeat))
                calls.append(call_for(problem, answer, texts, repeat))
    replies = ledger.fulfil(calls, HttpEngine(settings.endpoint, reply_model(settings)), "prefer", name)
    rows = [(*slot, *parse(settings, reply, slot[1])) for slot, reply in zip(slots, replies, strict=True)]
    real = {"strength": pl.Float64, "p_tie": pl.Float64}
    columns = {
        "pair_id": pl.Int64,
        "order": pl.String,
        "repeat": pl.Int32,
        "verdict": pl.String,
        **real,
        "status": pl.String,
        "rationale": pl.String,
    }
    return pl.DataFrame(rows, schema=columns, orient="row")


def make_caller(settings: Params) -> Callable[[str, str | None, tuple[str, str], int], Call]:
    """A function from problem, reference answer, two completions in the order shown, and repeat to the call that
    compares the two."""
    schema = reply_model(settings).model_json_schema()
    form_call = prompting.make_caller(settings, instructions(settings))

    def call_for(problem: str, answer: str | None, texts: tuple[str, str], repeat: int) -> Call:
        def layout(seal: str) -> str:
            solutions = enumerate(texts, 1)
            return "\n\n".join(f"Solution {number} ({DATA_NOTICE}):\n{fence(text, seal)}" for number, text in solutions)

        user = format_message(problem, answer if settings.reference else None, texts, layout, SOLUTIONS)
        return form_call(user, repeat, schema)

    return call_for


def instructions(settings: Params) -> str:
    """The system message: the instructions, then what each verdict means."""
    verdicts = [
        f"  {FIRST}: solution 1 is better",
        f"  {SECOND}: solution 2 is better",
        *([f"  {NEITHER}: neither is better"] if settings.ties else []),
    ]
    return "\n".join([settings.instructions.strip(), "", "better: Which solution is better?", *verdicts])


def reply_model(settings: Params) -> type[BaseModel]:
    """The schema of a reply: a rationale, if the settings ask for one, then the number of the better solution."""
    fields: dict[str, Any] = {"rationale": (str, ...)} if settings.rationale else {}
    fields["better"] = (Literal[_valid_numbers(settings)], ...)
    return create_model("Verdict", __config__=ConfigDict(extra="forbid"), **fields)


def _valid_numbers(settings: Params) -> tuple[int, ...]:
    return (NEITHER, FIRST, SECOND) if settings.ties else (FIRST, SECOND)


def parse(settings: Params, reply: Reply, order: str) -> Preference:
    """The verdict of a reply about two traces shown in `order`; None where the reply is not a valid one."""
    body, status = prompting.parse_reply(reply)
    if body is None:
        return Preference(None, None, None, status, None)
    better = prompting.valid_number(body, "better", _valid_numbers(settings))
    if better is None:
        return Preference(None, None, None, "unparsable", prompting.read_rationale(body))
    chosen, rejected = (FIRST, SECOND) if order == "chosen_first" else (SECOND, FIRST)
    verdict = {chosen: "chosen", rejected: "rejected", NEITHER: "tie"}[better]
    by_name = score_probabilities(reply, {"better": _valid_numbers(settings)})
    probability = by_name.get("better")
    strength = None if probability is None else probability.get(chosen, 0.0) - probability.get(rejected, 0.0)
    p_tie = None if probability is None else probability.get(NEITHER, 0.0)
    return Preference(verdict, strength, p_tie, "scored", prompting.read_rationale(body))
