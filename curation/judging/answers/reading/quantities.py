"""A formula with what it counts, and words."""

import re
from fractions import Fraction

from curation.judging.answers.reading.forms import ALIKE
from curation.judging.answers.reading.formulas import formula
from curation.judging.answers.reading.numbers import spelt_number
from curation.judging.answers.reading.sets import named_set
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.tokens import CURRENCY, tokens
from curation.judging.answers.reading.units import canonical_unit, factor
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

MULTIPLES = {
    "dozen": 12, "hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
CALCULATIONS = {
    "squared", "cubed", "factorial", "plus", "minus", "times", "over", "divided", "choose", "mod", "modulo", "is",
    "not", "isn't",
}  # fmt: skip
PARTS = {
    "half": 2, "halves": 2, "thirds": 3, "fourths": 4, "quarters": 4, "fifths": 5, "sixths": 6, "sevenths": 7,
    "eighths": 8, "ninths": 9, "tenths": 10,
}  # fmt: skip
SENTENCE = re.compile(
    r"[A-Z][A-Za-z']*(?: [A-Z][a-z']*)*(?: [a-z][a-z'-]*)+ ([$€£]?-?\d[\d,]*(?:\.\d+)?%?(?: [A-Za-z' -]+)?)"
)
DENIALS = re.compile(
    r"(?i)(?:\b(?:"
    r"not|cannot|no|never|none|unable|doubt|lacks?|wrong|incorrect|except|than|least|most|between|over|"
    r"under|above|below|or|if|unless|but|without|nearly|almost|to|step|part|question|problem|number|room|"
    r"base|mod|minus|plus|times|half|dozen|squared|cubed"
    r")|n't)\b"
)
OPENING = re.compile(
    r"(?:(?:the|this) (?:statement|claim|assertion|proposition|answer) is|it is|it's) "
    r"(?=(?:true|false|correct|incorrect)\Z)|"
    r"there (?:is|are) (?=no )|(?<=\Ano solution) exists\Z|(?<=\Ano solutions) exist\Z"
)


def quantity(stream: Stream) -> Value:
    """A formula with a currency before it or a unit or words behind it; `5 feet 6 inches` is one in feet."""
    total = _one_quantity(stream)
    while isinstance(total, Quantity):
        start = stream.place
        comma = stream.accept(r"\and", ",") == ","
        token = stream.peek()
        part = _one_quantity(stream) if token and token.kind == "number" else None
        ratio = factor(part.unit, total.unit) if isinstance(part, Quantity) else None
        is_part = ratio is not None and ratio < 1 and not (comma and set(str(1 / ratio)) <= {"1", "0"})
        if not isinstance(part, Quantity) or not ratio or not is_part:  # `2 m, 30 cm` are two
            stream.place = start
            return total
        is_negative = isinstance(total.amount, Number) and total.amount.value < 0
        ratio = -ratio if is_negative else ratio  # `-5 feet 6 inches`
        total = Quantity(Apply("+", (total.amount, Apply("*", (Number(ratio), part.amount)))), total.unit)
    return total


def _one_quantity(stream: Stream) -> Value:
    sign = stream.accept("-", "+") if stream.sign(1) in CURRENCY else ""
    currency = CURRENCY.get(stream.accept(*CURRENCY), "")
    amount = formula(stream)
    if sign == "-":
        amount = Number(-amount.value) if isinstance(amount, Number) else Apply("neg", (amount,))
    if (token := stream.peek()) and token.text in MULTIPLES:
        stream.take()
        amount = Apply("*", (amount, Number(Fraction(MULTIPLES[token.text]))))
    elif token and (token.text in PARTS or (amount == Number(Fraction(1)) and f"{token.text}s" in PARTS)):
        stream.take()
        amount = Apply("/", (amount, Number(Fraction(PARTS.get(token.text) or PARTS[f"{token.text}s"]))))
    unit = _unit(stream)
    amount, degrees = _degrees(amount)
    unit = currency or degrees + unit
    if isinstance(amount, Number) and (modulus := re.fullmatch(r"mod ([1-9]\d*)", unit)):
        amount = Number(amount.value % int(modulus[1]))
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
    return _sentence_number(plain) or spelt(plain)


def _sentence_number(plain: str) -> Value | None:
    """The one number that a sentence gives, with what it counts; None for what is no sentence, or says what is not."""
    match = SENTENCE.fullmatch(plain.strip())
    if not match or DENIALS.search(plain):
        return None
    stream = Stream(tokens(match[1]))
    try:
        value = _one_quantity(stream)
    except UnreadableError:
        return None
    return value if stream.peek() is None else None


def spelt(words: str) -> Value:
    """Words, or the number or the set that they spell."""
    text = normal(words)
    if (named := named_set(text)) is not None:
        return named
    number = spelt_number(text)
    return Text(text) if number is None else Number(number)


def normal(text: str) -> str:
    """Words in lower case, with single blanks, without quotation marks and the punctuation at their end."""
    text = re.sub(r"[\"“”]", "", text).casefold()
    text = re.sub(r"\s+", " ", text).strip(" .,;:!'")
    text = OPENING.sub("", text)
    return ALIKE.get(text, text)
