"""Judges whose faults are known, as a model behind a server would show them: each answers from the text it is shown
and from nothing else."""

import json
import random
import re
from math import log
from typing import Any

import numpy as np
import polars as pl
import world
from scipy import stats
from server import Answer, Request, good

from curation.tables import contracts
from curation.tables.contracts import content_id

PROMPTS, EACH, SPREAD = 120, 2, 0.5  # prompts, traces of each of two generators, standard deviation of log length
SCALE, MIDDLE = 10, 50  # of a score from 1 to 99: what a right answer is worth, and half way
TASTE, BONUS, MOOD, LATER = (
    0.8,
    0.6,
    0.5,
    -0.2,
)  # for log length; for its own family; the spread of a repeat; the second repeat against the first
LEANING, SURE, OFTEN, STEADY = (
    0.6,
    0.95,
    0.7,
    0.9,
)  # share of verdicts for the first; said; as often right; right each time

POINTWISE: dict[str, int] = {
    "fine": 1,
    "second": 1,
    "wordy": 1,
    "clan": 1,
    "random": 1,
    "coarse": 1,
    "forgetful": 2,
    "drifting": 2,
}  # and repeats
PAIRWISE = ("fair", "leaning", "first", "overconfident")
ALIKE = (
    "fine",
    "second",
    # whose agreement is known: these rate one dimension, the others each its own, because every two of a dimension are
    # compared
)
DIMENSIONS = {
    "answer": ["correct"],
    **{name: ["quality" if name in ALIKE else f"quality_{name}"] for name in POINTWISE},
    **{name: ["preference"] for name in PAIRWISE},
}


def draw(*key: object) -> random.Random:
    """A source of numbers that follows from the key."""
    return random.Random(content_id(*key))


def seed_of(repeat: int) -> int:
    """The seed that a judge's settings with seed 0 send with a repeat."""
    return content_id(0, repeat) % 2**31


def score(judge: str, text: str, seed: int) -> int:
    """What a pointwise judge gives a text, from 1 to 99; `coarse` a 3 or a 4."""
    right, family, length = text[0] == "1", text[2:5], len(text)
    own = draw("quality", text).gauss()  # of the text itself: the same to every judge but `random`
    if judge == "random":
        return round(MIDDLE + SCALE * draw(judge, text, seed).gauss())
    if judge == "coarse":
        return 4 if right + own > 1.5 else 3
    value = right + own
    value += {
        "second": draw("second", text).gauss(),
        "wordy": TASTE * log(length / 400),
        "clan": BONUS * (family == "own"),
    }.get(judge, 0.0)
    if judge in ("forgetful", "drifting"):
        value = own + MOOD * draw(judge, text, seed).gauss() + LATER * (judge == "drifting" and seed == seed_of(1))
    return min(max(round(MIDDLE + SCALE * value), 1), 99)


def better(judge: str, first: str, second: str) -> int:
    """Which of two texts a pairwise judge prefers, 1 or 2, in the order shown."""
    if judge == "first":
        return 1
    low, high = sorted((first, second))
    coin = draw(judge, low, high).random()  # of the two texts, whatever their order
    shown = draw(judge, first, second).random()
    if first[0] == second[0]:
        steady = low if coin < 0.5 else high
    else:
        right, wrong = (first, second) if first[0] == "1" else (second, first)
        chance = {"fair": shown < STEADY, "leaning": coin < 0.5, "overconfident": coin < OFTEN}[judge]
        steady = right if chance else wrong
    if judge == "leaning" and shown < LEANING:
        return 1
    return 1 if steady == first else 2


def said(judge: str) -> float:
    """The probability that a pairwise judge gives its own verdict."""
    return SURE if judge == "overconfident" else STEADY


def answering(request: Request) -> Answer:
    """What the server says: the model's name is the judge's."""
    judge, texts = request.body["model"], re.findall(r"<trace-\w+>\n(.*?)\n</trace", request.last_message, re.DOTALL)
    if judge in POINTWISE:
        return good(json.dumps({DIMENSIONS[judge][0]: score(judge, texts[0], request.body["seed"])}))
    verdict = better(judge, *texts)
    other = 3 - verdict
    spelled = [(piece, {piece: 0.0}) for piece in ('{"', "better", '":', " ")]
    tops = {str(verdict): log(said(judge)), str(other): log(1 - said(judge))}
    return good(json.dumps({"better": verdict}), logprobs=[*spelled, (str(verdict), tops), ("}", {"}": 0.0})])


def traces(seed: int) -> pl.DataFrame:
    """PROMPTS prompts, EACH traces of `ours`, whose family is the judges', and of `theirs`; each right or wrong, of
    its own length."""
    source = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for prompt in range(PROMPTS):
        for generator, family in (("ours", "own"), ("theirs", "alien")):
            for sample in range(EACH):
                right, length = int(source.random() < 0.5), max(int(400 * np.exp(SPREAD * source.normal())), 40)
                text = f"{right} {family} {seed}.{prompt}.{sample} ".ljust(length, "x")
                rows.append(
                    (
                        content_id(seed, prompt, generator, sample),
                        prompt,
                        generator,
                        sample,
                        family,
                        None,
                        text,
                        "stop",
                        None,
                    )
                )
    return world.traced(rows)


def judgments(judge: str, written: pl.DataFrame) -> pl.DataFrame:
    """A pointwise judge's rows, as it answers; or those of `answer`, which knows."""
    texts = written.select("trace_id", "completion").rows()
    if judge == "answer":
        rows = [(trace, judge, "correct", 0, float(text[0]), None, "scored", None) for trace, text in texts]
    else:
        rows = [(trace, judge, DIMENSIONS[judge][0], repeat, float(score(judge, text, seed_of(repeat))), None, "scored", None)
                for trace, text in texts for repeat in range(POINTWISE[judge])]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty(contracts.JUDGMENTS).schema, orient="row")


def preferences(judge: str, pairs: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """A pairwise judge's rows, as it answers."""
    texts, rows = dict(written.select("trace_id", "completion").rows()), []
    for pair, chosen, rejected in pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows():
        for order, shown in zip(contracts.ORDERS, ((chosen, rejected), (rejected, chosen)), strict=True):
            winner = shown[better(judge, texts[shown[0]], texts[shown[1]]) - 1]
            sign = 1 if winner == chosen else -1
            rows.append(
                (
                    pair,
                    judge,
                    order,
                    0,
                    "chosen" if sign > 0 else "rejected",
                    sign * (2 * said(judge) - 1),
                    0.0,
                    "scored",
                    None,
                )
            )
    return pl.DataFrame(rows, schema=contracts.empty(contracts.PREFERENCES).schema, orient="row")


COARSE = float(0.5 * stats.norm.sf(0.5) + 0.5 * stats.norm.sf(1.5))  # the share of 4s, by whether a trace is right
TRUE: dict[tuple[str, str, str], float] = {  # judge, measure, against: what it is
    ("fine", "pairwise_accuracy", "answer"): stats.norm.cdf(1 / np.sqrt(2)),
    ("fine", "auroc", "answer"): stats.norm.cdf(1.0),
    ("fine", "length_correlation_equally_right", "answer"): 0.0,
    ("fine", "self_preference", "own"): 0.0,
    ("fine", "kappa", "second"): 2 * 1.25 / (1.25 + 2.25),  # the variance of right + own is 1/4 + 1
    ("wordy", "length_correlation_equally_right", "answer"): TASTE * SPREAD / np.sqrt(1 + (TASTE * SPREAD) ** 2),
    ("wordy", "length_slope_equally_right", "answer"): SCALE * TASTE,
    ("clan", "self_preference", "own"): SCALE * BONUS,
    ("random", "pairwise_accuracy", "answer"): 0.5,
    ("random", "auroc", "answer"): 0.5,
    ("coarse", "zero_delta_rate", ""): COARSE**2 + (1 - COARSE) ** 2,
    ("forgetful", "repeat_alpha", "repeats"): 1 / (1 + MOOD**2),
    ("forgetful", "noise", "repeats"): SCALE * MOOD,  # of a delta of two means of two repeats
    ("drifting", "drift", "repeats"): SCALE * LATER,
    ("first", "first_position_rate", "order"): 1.0,
    ("first", "position_inconsistency", "order"): 1.0,
    ("leaning", "first_position_rate", "order"): LEANING + (1 - LEANING) / 2,
    ("leaning", "position_inconsistency", "order"): LEANING**2 + LEANING * (1 - LEANING),
    ("fair", "first_position_rate", "order"): 0.5,
    ("fair", "position_inconsistency", "order"): STEADY
    * (1 - STEADY),  # 2 p (1 - p) of the half of pairs with one right
    ("fair", "verdict_accuracy", "answer"): STEADY,
    ("overconfident", "ece", "answer"): SURE - OFTEN,
    ("overconfident", "overconfidence", "answer"): SURE - OFTEN,
    ("overconfident", "verdict_accuracy", "answer"): OFTEN,
}
