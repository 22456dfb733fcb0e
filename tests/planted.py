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
from curation.tables.ids import content_id
from curation.traces import generate

PROMPTS, SAMPLES = 120, 2  # traces of each of two generators
SD_LOG_LENGTH = 0.5  # standard deviation of the log of a trace's length
SCALE, MIDDLE = 10, 50  # of a score from 1 to 99: what a right answer is worth, and half way
PER_LOG_LENGTH, OWN_FAMILY_BONUS = 0.8, 0.6  # what `wordy` and `clan` add, before SCALE
SD_REPEAT, SECOND_REPEAT = 0.5, -0.2  # standard deviation between repeats; the second repeat less the first
SHARE_FIRST = 0.6  # of the verdicts of `leaning`, that go to the first whatever it is
STATED, RIGHT_SHARE = 0.95, 0.7  # the probability that `overconfident` states, and how often it is right
ACCURACY = 0.9  # of each verdict of `fair`

REPEATS: dict[str, int] = {  # of each pointwise judge
    "fine": 1,
    "second": 1,
    "wordy": 1,
    "clan": 1,
    "random": 1,
    "coarse": 1,
    "forgetful": 2,
    "drifting": 2,
}
PAIRWISE = ("fair", "leaning", "first", "overconfident")
# whose agreement is known: these rate one dimension, the others each its own, because every two of a dimension are
# compared
SAME_DIMENSION = ("fine", "second")
DIMENSIONS = {
    "answer": ["correct"],
    **{name: ["quality" if name in SAME_DIMENSION else f"quality_{name}"] for name in REPEATS},
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
        "wordy": PER_LOG_LENGTH * log(length / 400),
        "clan": OWN_FAMILY_BONUS * (family == "own"),
    }.get(judge, 0.0)
    if judge in ("forgetful", "drifting"):
        second = judge == "drifting" and seed == seed_of(1)
        value = own + SD_REPEAT * draw(judge, text, seed).gauss() + SECOND_REPEAT * second
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
        chance = {"fair": shown < ACCURACY, "leaning": coin < 0.5, "overconfident": coin < RIGHT_SHARE}[judge]
        steady = right if chance else wrong
    if judge == "leaning" and shown < SHARE_FIRST:
        return 1
    return 1 if steady == first else 2


def stated(judge: str) -> float:
    """The probability that a pairwise judge gives its own verdict."""
    return STATED if judge == "overconfident" else ACCURACY


def answer(request: Request) -> Answer:
    """What the server says: the model's name is the judge's."""
    judge, texts = request.body["model"], re.findall(r"<trace-\w+>\n(.*?)\n</trace", request.last_message, re.DOTALL)
    if judge in REPEATS:
        return good(json.dumps({DIMENSIONS[judge][0]: score(judge, texts[0], request.body["seed"])}))
    verdict = better(judge, *texts)
    other = 3 - verdict
    spelled = [(piece, {piece: 0.0}) for piece in ('{"', "better", '":', " ")]
    tops = {str(verdict): log(stated(judge)), str(other): log(1 - stated(judge))}
    return good(json.dumps({"better": verdict}), logprobs=[*spelled, (str(verdict), tops), ("}", {"}": 0.0})])


def traces(seed: int) -> pl.DataFrame:
    """PROMPTS prompts, SAMPLES traces of `ours`, whose family is the judges', and of `theirs`; each right or wrong, of
    its own length."""
    source = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for prompt in range(PROMPTS):
        for generator, family in (("ours", "own"), ("theirs", "alien")):
            for sample in range(SAMPLES):
                right, length = int(source.random() < 0.5), max(int(400 * np.exp(SD_LOG_LENGTH * source.normal())), 40)
                text = f"{right} {family} {seed}.{prompt}.{sample} ".ljust(length, "x")
                rows.append(
                    {
                        "trace_id": content_id(seed, prompt, generator, sample),
                        "prompt_id": prompt,
                        "generator": generator,
                        "sample_index": sample,
                        "family": family,
                        "completion": text,
                        "finish_reason": "stop",
                    }
                )
    return generate.add_text_columns(world.rows_of(contracts.TRACES, rows))


def judgments(judge: str, written: pl.DataFrame) -> pl.DataFrame:
    """A pointwise judge's rows, as it answers; or those of `answer`, which knows."""
    rows = []
    for trace, text in written.select("trace_id", "completion").rows():
        for repeat in range(REPEATS.get(judge, 1)):
            value = int(text[0]) if judge == "answer" else score(judge, text, seed_of(repeat))
            rows.append(
                {
                    "trace_id": trace,
                    "judge": judge,
                    "dimension": DIMENSIONS[judge][0],
                    "repeat": repeat,
                    "score": float(value),
                    "status": "scored",
                }
            )
    return world.rows_of(contracts.JUDGMENTS, rows)


def preferences(judge: str, pairs: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """A pairwise judge's rows, as it answers."""
    texts, rows = dict(written.select("trace_id", "completion").rows()), []
    for pair, chosen, rejected in pairs.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows():
        for order, shown in zip(contracts.ORDERS, ((chosen, rejected), (rejected, chosen)), strict=True):
            winner = shown[better(judge, texts[shown[0]], texts[shown[1]]) - 1]
            sign = 1 if winner == chosen else -1
            rows.append(
                {
                    "pair_id": pair,
                    "judge": judge,
                    "dimension": "preference",
                    "order": order,
                    "repeat": 0,
                    "verdict": "chosen" if sign > 0 else "rejected",
                    "strength": sign * (2 * stated(judge) - 1),
                    "p_tie": 0.0,
                    "status": "scored",
                }
            )
    return world.rows_of(contracts.PREFERENCES, rows)


SHARE_OF_4 = float(0.5 * stats.norm.sf(0.5) + 0.5 * stats.norm.sf(1.5))  # the share of 4s, by whether a trace is right
FINE_DELTA = stats.norm(SCALE, SCALE * np.sqrt(2))  # of right less wrong; scores are whole numbers
SD_BY_LENGTH = PER_LOG_LENGTH * SD_LOG_LENGTH  # of what `wordy` adds
TRUE: dict[tuple[str, str, str], float] = {  # judge, measure, against: what it is
    ("fine", "pairwise_accuracy", "answer"): stats.norm.cdf(1 / np.sqrt(2)),
    ("fine", "auroc", "answer"): stats.norm.cdf(1.0),
    ("fine", "length_correlation_equally_right", "answer"): 0.0,
    ("fine", "self_preference", "own"): 0.0,
    ("fine", "undecided_rate", "answer"): FINE_DELTA.cdf(0.5) - FINE_DELTA.cdf(-0.5),
    ("fine", "reversal_rate", "answer"): FINE_DELTA.cdf(-0.5) / (FINE_DELTA.cdf(-0.5) + FINE_DELTA.sf(0.5)),
    ("fine", "longer_preferred_rate", "length"): 0.5,
    ("fine", "kappa", "second"): 2 * 1.25 / (1.25 + 2.25),  # the variance of right + own is 1/4 + 1
    ("wordy", "length_correlation_equally_right", "answer"): SD_BY_LENGTH / np.sqrt(1 + SD_BY_LENGTH**2),
    ("wordy", "length_slope_equally_right", "answer"): SCALE * PER_LOG_LENGTH,
    ("clan", "self_preference", "own"): SCALE * OWN_FAMILY_BONUS,
    ("random", "pairwise_accuracy", "answer"): 0.5,
    ("random", "auroc", "answer"): 0.5,
    ("coarse", "zero_delta_rate", ""): SHARE_OF_4**2 + (1 - SHARE_OF_4) ** 2,
    ("forgetful", "repeat_alpha", "repeats"): 1 / (1 + SD_REPEAT**2),
    ("forgetful", "noise", "repeats"): SCALE * SD_REPEAT,  # of a delta of two means of two repeats
    ("drifting", "drift", "repeats"): SCALE * SECOND_REPEAT,
    ("first", "first_position_rate", "order"): 1.0,
    ("first", "position_inconsistency", "order"): 1.0,
    ("leaning", "first_position_rate", "order"): SHARE_FIRST + (1 - SHARE_FIRST) / 2,
    ("leaning", "position_inconsistency", "order"): SHARE_FIRST**2 + SHARE_FIRST * (1 - SHARE_FIRST),
    ("fair", "first_position_rate", "order"): 0.5,
    # 2 p (1 - p) of the half of pairs with one right
    ("fair", "position_inconsistency", "order"): ACCURACY * (1 - ACCURACY),
    ("fair", "undecided_rate", "answer"): 2 * ACCURACY * (1 - ACCURACY),  # its two orders say two things
    ("fair", "reversal_rate", "answer"): (1 - ACCURACY) ** 2 / (ACCURACY**2 + (1 - ACCURACY) ** 2),
    ("fair", "verdict_accuracy", "answer"): ACCURACY,
    ("overconfident", "undecided_rate", "answer"): 0.0,
    ("overconfident", "reversal_rate", "answer"): 1 - RIGHT_SHARE,
    ("overconfident", "ece", "answer"): STATED - RIGHT_SHARE,
    ("overconfident", "overconfidence", "answer"): STATED - RIGHT_SHARE,
    ("overconfident", "verdict_accuracy", "answer"): RIGHT_SHARE,
}
