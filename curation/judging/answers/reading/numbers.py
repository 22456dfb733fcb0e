"""Numbers as they are written: groups of three, repeating decimals, exponents, bases. All are exact."""

import re
from fractions import Fraction

from curation.judging.answers.reading.values import (
    LimitError,
)

MOST_DIGITS = 20_000  # of a number
MOST_BASED = 4_000  # of a number in another base
NUMBER = re.compile(r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+(?![\d.^]))?|\d+\.(?!\.)")
COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?![\d]|,\d|\.\d)")
UNDERSCORES = re.compile(r"[1-9]\d{0,2}(?:_\d{3})+(?![\d_])")
BASED = re.compile(r"(\d[\dA-Z]*)(?:\.([\dA-Z]+))?_(?:\{(\d{1,2})\}|(\d{1,2})(?!\d))")
REPEATING = re.compile(r"(\d*)\.(\d*)(?:\\(?:overline|bar|dot)\s*(?:\{(\d+)\}|(\d))|\((\d+)\))")
ENDS_DOTTED = re.compile(r"(\d*)\.(\d*)((?:\\dot\s*(?:\{\d\}|\d)\d*){2})(?!\d)")  # 0.\dot{4}2\dot{5}
DOTTED = re.compile(r"(\d*)\.(\d*?)(\d{1,6}?)\3{2,}\s?(?:\.\.\.)")
SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SPELT = dict(zip(SMALL, range(20), strict=True)) | dict(zip(TENS, range(20, 100, 10), strict=True))
Found = list[tuple[str, str, Fraction]]


def number_at(text: str, place: int, depth: int) -> tuple[Found, int] | None:
    if match := BASED.match(text, place):
        base = match[3] or match[4]
        value = in_base(match[1], match[2] or "", int(base))
        return [("word", match[0], Fraction(0)) if value is None else ("based", base, value)], match.end()
    if (match := ENDS_DOTTED.match(text, place)) and match[3][-1] in "}0123456789":
        digits = re.sub(r"\D", "", match[3])
        return [("number", "", _repeating(match[1], match[2], digits))], match.end()
    for pattern in (REPEATING, DOTTED):
        if match := pattern.match(text, place):
            whole, start, again = match[1], match[2], next(group for group in match.groups()[2:] if group)
            return [("number", "", _repeating(whole, start, again))], match.end()
    patterns = [UNDERSCORES, NUMBER] if depth else [COMMAS, UNDERSCORES, NUMBER]
    for pattern in patterns:
        if match := pattern.match(text, place):
            digits = re.sub(r"[,_]", "", match[0])
            return [("number", digits, parse_number(digits))], match.end()
    return None


def parse_number(digits: str) -> Fraction:
    """A decimal number as a fraction. Raises LimitError if it is too long."""
    mantissa, _, exponent = digits.lower().partition("e")
    whole, _, part = mantissa.partition(".")
    if len(mantissa) > MOST_DIGITS or len(exponent.lstrip("+-0")) > 5 or abs(int(exponent or 0)) > MOST_DIGITS:
        raise LimitError(f"a number of more than {MOST_DIGITS} digits")
    value = Fraction(whole_number(whole + part), 10 ** len(part))
    power = int(exponent or 0)
    return Fraction(value * 10**power if power >= 0 else value / 10**-power)


def whole_number(digits: str) -> int:
    """`int(digits)` of any length: Python itself refuses more than 4,300 digits."""
    value = 0
    for start in range(0, len(digits), 4000):
        part = digits[start : start + 4000]
        value = value * 10 ** len(part) + int(part)
    return value


WORDS = "|".join((*SPELT, "hundred", *SCALES))
WORDED = re.compile(rf"(?i)(?:(?:minus|negative)[ -])?(?:{WORDS})(?:(?:[ -]| and )(?:{WORDS}))*(?![\w-])")


def in_digits(text: str) -> str:
    """`text` with the number that it begins with in digits: `forty-two eggs` as `42 eggs`, `a hundred` as 100."""
    text = re.sub(rf"\Aan? (?=(?:hundred|dozen|{'|'.join(SCALES)})\b)", "1 ", text)
    match = WORDED.match(text)
    number = spelt_number(match[0].lower()) if match else None
    if match is None or number is None:
        return text
    return f"{number}{text[match.end() :].removeprefix(f' ({number})')}"  # `fourteen (14)`


def spelt_number(words: str) -> Fraction | None:
    """The whole number that words spell, `minus forty-two` or `three hundred and five`; None if they spell none."""
    parts = re.split(r"[ -]", words)
    sign = -1 if parts[0] in ("minus", "negative") else 1
    total = below = 0
    last = ""
    for word in parts[sign < 0 :]:
        if word in SPELT and (
            last == "" or last in ("and", "hundred", *SCALES) or (last in TENS and word in SMALL[1:10])
        ):
            below += SPELT[word]
        elif word == "hundred" and 0 < below < 100:
            below *= 100
        elif word in SCALES and 0 < below < 1000:
            total, below = total + below * SCALES[word], 0
        elif not (word == "and" and last in ("hundred", *SCALES)):
            return None
        last = word
    return None if last in ("", "and") else Fraction(sign * (total + below))


def in_base(whole: str, part: str, base: int) -> Fraction | None:
    """The value of digits in a base; None if they are none, or there is no such base."""
    if not 2 <= base <= 36 or len(whole + part) > MOST_BASED:
        return None
    try:
        return Fraction(int(whole + part, base), base ** len(part))
    except ValueError:
        return None


def _repeating(whole: str, start: str, again: str) -> Fraction:
    once: Fraction = Fraction(
        whole_number(start + again) - whole_number(start), 10 ** len(start) * (10 ** len(again) - 1)
    )
    return Fraction(whole_number(whole) + once)
