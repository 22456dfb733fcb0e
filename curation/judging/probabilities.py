"""How likely a judge found each score, from the log-probabilities of its reply."""

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from curation.calls.call import Reply
from curation.calls.foreign import MOST_DIGITS, log_probability
from curation.calls.structured import json_in, members, read_object

LEAST_MASS = 0.5  # of probability on valid scores; below it an expected score would rest on scraps
MOST_MASS = 1.01  # of probability in all: above it, beyond rounding, the numbers are no probabilities
MOST_ENDS = 2  # tokens after the text, such as a template's end of turn

Probabilities: TypeAlias = dict[str, dict[int, float]]  # by name, then by number


def score_probabilities(reply: Reply, valid: Mapping[str, Collection[int]]) -> Probabilities:
    """For each name the probability of each of its valid whole numbers, at the position of its value (G-Eval, arXiv
    2303.16634). They add up to 1.

    A name is left out where the log-probabilities do not spell the reply from there to its end, its value is more than
    one token, or its valid numbers hold less than half of the probability.
    """
    text = (reply.text or "").rstrip()
    answer = json_in(text, reply.mode)
    if not reply.logprobs or read_object(answer) is None:
        return {}
    positions, start = align(reply.logprobs, text), text.rindex(answer)
    probabilities: Probabilities = {}
    for name, _, begin, end in members(answer):
        if name in valid and text[start + begin : start + end].isdecimal():
            weights = _weights(positions.get((start + begin, start + end), {}), valid[name])
            mass = sum(weights.values())
            if mass >= LEAST_MASS:
                probabilities[name] = {number: weight / mass for number, weight in weights.items()}
    return probabilities


def align(logprobs: list[Any], text: str) -> dict[tuple[int, int], Mapping[str, Any]]:
    """The alternatives at each position that, with those after it, spells the end of `text`, by where its token begins
    and ends there without its blanks. Thinking that stands before the text needs no match."""
    spelled = "".join(token for token, _ in logprobs)
    end = len(spelled) if text.startswith(spelled) else len(text)  # some servers leave the last tokens out
    skipped, placed = 0, dict[tuple[int, int], Mapping[str, Any]]()
    for token, alternatives in reversed(logprobs):
        piece = token if placed else token.rstrip()
        start = end - len(piece)
        if start >= 0 and text[start:end] == piece:
            if piece:
                placed[start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())] = alternatives
            end = start
        elif placed or (skipped := skipped + 1) > MOST_ENDS:
            break
    return placed


def _weights(alternatives: Mapping[str, Any], valid: Collection[int]) -> dict[int, float]:
    """The probability of each valid number among the alternatives to a token; none where they are no probabilities."""
    weights: dict[int, float] = {}
    mass = 0.0
    for token, value in alternatives.items():
        logprob, number = log_probability(value), _number(token)
        if logprob is None:  # ledgers of earlier versions hold values that are none
            continue
        mass += math.exp(logprob)
        if number is not None and number in valid:
            weights[number] = weights.get(number, 0.0) + math.exp(logprob)
    return weights if mass <= MOST_MASS else {}


def _number(token: str) -> int | None:
    """The whole number that a token spells, or None; also None for thousands of digits, which `int` refuses."""
    return int(token) if token.strip().isdecimal() and len(token) <= MOST_DIGITS else None
