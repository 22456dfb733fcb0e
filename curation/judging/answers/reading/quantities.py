"""A formula with what it counts, and words."""

import re
from fractions import Fraction

from curation.judging.answers.reading.formulas import formula
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.tokens import CURRENCY
from curation.judging.answers.reading.units import canonical_unit
from curation.judging.answers.reading.values import (
    Apply,
    Formula,
    Name,
    Number,
    Quantity,
    Text,
    UnreadableError,
    Value,
)

SMALL_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
MULTIPLES = {
    "dozen": 12, "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
CALCULATIONS = {
    "squared", "cubed", "factorial", "plus", "minus", "times", "over", "divided", "choose", "mod", "modulo", "is",
    "not", "isn't", "half", "halves", "thirds", "fourths", "fifths",
}  # fmt: skip
ALIKE = {"yes": "true", "correct": "true", "no": "false", "incorrect": "false", "dne": "does not exist"}


def quantity(stream: Stream) -> Value:
    """A formula with a currency before it, or a unit or words behind it."""
    sign = stream.accept("-", "+") if stream.sign(1) in CURRENCY else ""
    currency = CURRENCY.get(stream.accept(*CURRENCY), "")
    amount = formula(stream)
    if sign == "-":
        amount = Number(-amount.value) if isinstance(amount, Number) else Apply("neg", (amount,))
    if (token := stream.peek()) and token.text in MULTIPLES:
        stream.take()
        amount = Apply("*", (amount, Number(Fraction(MULTIPLES[token.text]))))
    unit = _unit(stream)
    amount, degrees = _degrees(amount)
    unit = currency or degrees + unit
    return Quantity(amount, unit) if unit else amount


def _degrees(amount: Formula) -> tuple[Formula, str]:
    """A formula without the degree sign behind it, and that sign with its scale, as in 30°C; "" if it has none."""
    match amount:
        case Apply("degrees", (inner,)):
            return inner, "°"
        case Apply("neg", (Apply() as inner,)) if _degrees(inner)[1]:
            return Apply("neg", (_degrees(inner)[0],)), _degrees(inner)[1]
        case Apply("*", (Apply("degrees", (inner,)), Name("C" | "F" as scale))):
            return inner, f"°{scale}"
    return amount, ""


def _unit(stream: Stream) -> str:
    """What stands behind a formula: a percent sign, a currency, or words with their exponents; "" if nothing does.
    Raises UnreadableError where the words go on calculating."""
    if stream.accept("%", r"\%"):
        unit_words(stream)  # `25% of them`
        return "%"
    if sign := stream.accept(*CURRENCY):
        return CURRENCY[sign]
    words = unit_words(stream)
    if words and words[0].lower() in CALCULATIONS:
        raise UnreadableError(f"{words[0]!r} behind a number")
    return canonical_unit(" ".join(words))


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
            stream.sign() in ("/", "*", "-", "'")
            and (after := stream.peek(1))
            and (after.kind == "word" or (words and after.kind == "name"))
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
