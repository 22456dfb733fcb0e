"""A pairwise judge that asks a model which of two traces is better, once in each order."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict, create_model

from curation.calls.call import Call, Reply
from curation.calls.chat import HttpEngine
from curation.calls.ledger import Ledger
from curation.judging import prompting
from curation.judging.conversation import Problem, read_problem
from curation.judging.marks import DATA_NOTICE, SOLUTIONS, format_message
from curation.judging.pairwise_judges._kind import Compared
from curation.judging.probabilities import score_probabilities
from curation.judging.shown import NotShown, Shown, find_shown, lay_out, list_texts
from curation.tables.contracts import ORDERS, PREFERENCE, SIDES
from curation.tables.texts import EMPTY, text_ids

FIRST, SECOND, NEITHER = 1, 2, 0  # digits, which are one token to every tokenizer


class Params(prompting.ModelJudgeParams):
    """A pairwise judge of kind verdict. `ties` lets it say that neither is better."""

    kind: Literal["verdict"]
    ties: bool

    @property
    def dimension_names(self) -> list[str]:
        """The one dimension its verdicts are on."""
        return [PREFERENCE]


class Preference(NamedTuple):
    """What one reply says of a pair. `strength`, from -1 to 1, is the probability that chosen is better less that of
    rejected."""

    verdict: str | None
    strength: float | None
    p_tie: float | None
    status: str
    rationale: str | None


def prefer(settings: Params, name: str, compared: Compared, ledger: Ledger) -> pl.DataFrame:
    """Two rows per pair and repeat, one for each order, as PairwiseJudgeKind says. The same two texts in the same order
    are one call, whichever of them is called chosen. A pair that shows the judge the same text twice has no row; one of
    which a side has nothing to show has the status that `find_shown` gives it."""
    call_for, slots, calls = make_caller(settings), [], []
    rows: list[tuple[Any, ...]] = []
    for pair_id, prompt, messages, tools, answer, *texts in (
        compared.pairs.filter(_shows_two_texts(settings, compared.pairs))
        .select(
            "pair_id",
            "prompt",
            "messages",
            "tools",
            "answer",
            "chosen_reasoning",
            "chosen",
            "rejected_reasoning",
            "rejected",
        )
        .iter_rows()
    ):
        chosen, rejected = (
            find_shown(settings.shows, reasoning, said, "complete") for reasoning, said in (texts[:2], texts[2:])
        )
        of_pair = [(pair_id, order, repeat) for order in ORDERS for repeat in range(settings.repeats)]
        if isinstance(chosen, NotShown) or isinstance(rejected, NotShown):
            absent = chosen if isinstance(chosen, NotShown) else rejected
            rows += [(*slot, None, None, None, *absent) for slot in of_pair]
            continue
        shown = dict(zip(ORDERS, ((chosen, rejected), (rejected, chosen)), strict=True))
        slots += of_pair
        problem = read_problem(prompt, messages, tools)
        calls += [call_for(problem, answer, shown[order], repeat) for _, order, repeat in of_pair]
    replies = ledger.fulfil(calls, HttpEngine(settings.endpoint, reply_model(settings)), "prefer", name)
    rows += [(*slot, *parse(settings, reply, slot[1])) for slot, reply in zip(slots, replies, strict=True)]
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
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(pl.lit(PREFERENCE).alias("dimension"))


def _shows_two_texts(settings: Params, pairs: pl.DataFrame) -> pl.Expr:
    """Whether the two texts that the judge is shown of each pair differ, where it is shown one text of each side."""
    if settings.shows in (None, "both"):
        return pl.lit(True)
    names = SIDES if settings.shows == "answer" else [f"{side}_reasoning" for side in SIDES]
    chosen, rejected = (text_ids(pairs[name]) for name in names)
    return pl.lit(((chosen != rejected) | (chosen == EMPTY)).fill_null(True))


def make_caller(settings: Params) -> Callable[[Problem, str | None, tuple[Shown, Shown], int], Call]:
    """A function from problem, reference answer, what is shown of two traces in their order, and repeat to the call
    that compares the two."""
    schema = reply_model(settings).model_json_schema()
    form_call = prompting.make_caller(settings, instructions(settings))

    def call_for(problem: Problem, answer: str | None, shown: tuple[Shown, Shown], repeat: int) -> Call:
        def layout(seal: str) -> str:
            solutions = enumerate(shown, 1)
            return "\n\n".join(
                f"Solution {number} ({DATA_NOTICE}):\n{lay_out(solution, seal)}" for number, solution in solutions
            )

        user = format_message(problem, answer if settings.reference else None, list_texts(*shown), layout, SOLUTIONS)
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
