"""A formula with what it counts, and words."""

import re
from fractions import Fraction

from curation.judging.answers.reading.formulas import formula
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.tokens import CURRENCY
from curation.judging.answers.reading.units import canonical_unit
from curation.judging.answers.reading.values import (
    Apply,
    Number,
    Quantity,
    Text,
    Value,
)

SMALL_NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
ALIKE = {"yes": "true", "correct": "true", "no": "false", "incorrect": "false"}


def quantity(stream: Stream) -> Value:
    """A formula with a currency before it, or a unit or words behind it."""
    sign = stream.accept("-", "+") if stream.sign(1) in CURRENCY else ""
    currency = stream.accept(*CURRENCY)
    amount = formula(stream)
    if sign == "-":
        amount = Number(-amount.value) if isinstance(amount, Number) else Apply("neg", (amount,))
    unit = _unit(stream)
    if isinstance(amount, Apply) and amount.operation == "degrees":
        amount, unit = amount.arguments[0], f"°{unit}"
    elif (
        isinstance(amount, Apply)
        and amount.operation == "neg"
        and isinstance(amount.arguments[0], Apply)
        and amount.arguments[0].operation == "degrees"
    ):
        amount, unit = Apply("neg", amount.arguments[0].arguments), f"°{unit}"
    if currency:
        return Quantity(amount, CURRENCY[currency])
    return Quantity(amount, unit) if unit else amount


def _unit(stream: Stream) -> str:
    """What stands behind a formula: a percent sign, a currency, or words with their exponents; "" if nothing does."""
    if stream.accept("%", r"\%"):
        unit_words(stream)  # `25% of them`
        return "%"
    if sign := stream.accept(*CURRENCY):
        return CURRENCY[sign]
    return canonical_unit(" ".join(unit_words(stream)))


def unit_words(stream: Stream) -> list[str]:
    """Words, with names, exponents, `/` and `-` among them once a word has come."""
    words: list[str] = []
    while (token := stream.peek()) is not None:
        if token.kind == "word" or (words and token.kind == "name"):
            words.append(stream.take().text)
        elif words and stream.sign() == "^":
            stream.take()
            words[-1] += f"^{_raw_exponent(stream)}"
        elif (
            words
            and stream.sign() in ("/", "*", "-", "'")
            and (after := stream.peek(1))
            and after.kind in ("word", "name")
        ):
            words.append(stream.take().text)
        else:
            break
    return words


def _raw_exponent(stream: Stream) -> str:
    if stream.sign() == "{":
        return braced_text(stream)
    sign = stream.accept("-")
    return sign + stream.take().text


def braced_text(stream: Stream) -> str:
    stream.expect("{")
    parts = []
    while not stream.accept("}"):
        parts.append(stream.take().text)
    return "".join(parts)


def words_only(cleaned: str) -> Value | None:
    """`cleaned` as words, if it is no formula: two or more words, and no command but fonts."""
    plain = re.sub(r"\\(?:text|mathrm|textbf|mathbf|textit)\s*\{([^{}]*)\}", r" \1 ", cleaned)
    if re.search(r"\\[a-zA-Z]", plain) or not re.search(r"[^\W\d_]{2,}", plain):
        return None
    return spelt(plain)


def spelt(words: str) -> Value:
    """Words, or the number that they spell."""
    text = normal(words)
    return Number(Fraction(SMALL_NUMBERS.index(text))) if text in SMALL_NUMBERS else Text(text)


def normal(text: str) -> str:
    """Words in lower case, with single blanks, without quotation marks and the punctuation at their end."""
    text = re.sub(r"[\"“”]", "", text).casefold()
    text = re.sub(r"\s+", " ", text).strip(" .,;:!'")
    return ALIKE.get(text, text)
