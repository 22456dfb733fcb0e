"""A formula's text as tokens: numbers, names, commands, words, signs."""

import re
from dataclasses import dataclass
from fractions import Fraction

from curation.judging.answers.reading.notation import DOLLAR, FONTS, closing, unfont
from curation.judging.answers.reading.numbers import Found, number_at, parse_number
from curation.judging.answers.reading.values import (
    LimitError,
    UnreadableError,
)

MOST_TOKENS = 2_000
FUNCTIONS = (
    "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "ln", "log", "exp", "gcd",
    "lcm", "max", "min",
)  # fmt: skip
COMMANDS = {
    *FUNCTIONS, "sqrt", "frac", "pi", "theta", "alpha", "beta", "pm", "infty", "infinity", "inf", "oo", "and", "or",
    "union", "arcsin", "arccos", "arctan",
}  # fmt: skip
SPELT_OUT = {
    "infinity": "infty", "inf": "infty", "oo": "infty", "union": "cup", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan",
}  # fmt: skip
UNITS = {
    "cm", "mm", "km", "kg", "mg", "ml", "mL", "ft", "in", "lb", "lbs", "oz", "hr", "hrs", "min", "mins", "sec",
    "secs", "mph", "kph", "yd",
    "mi", "Hz", "kW", "kJ", "GB", "MB", "KB", "kB", "am", "pm", "AM", "PM", "USD", "EUR", "GBP", "deg", "rad", "dm",
    "nm", "cc", "sq", "pct",
}  # fmt: skip
SHORT_WORDS = {
    "is", "of", "to", "by", "an", "no", "if", "as", "at", "on", "it", "so", "we", "he", "be", "do", "per", "why", "day",
    "days",
}  # fmt: skip
COMMAND = re.compile(r"\\([a-zA-Z]+)\*?")
LETTERS = re.compile(r"[^\W\d_]+(?:(?<=[^\W\d_]{2})(?:['-][a-z]+)+|(?:\.[a-z])+(?![a-z]))?")  # x-axis, a.m
SIGN = re.compile(r"\*\*|<=|>=|!=|==|\\\\|\\[{}%$&#_|;]|[^\sA-Za-z0-9\\]|\\.")
APPLIED = re.compile(r"\s*[({\[_]")  # behind a function: the min of (2, 3), no 3 min
UNIT_ENDS = re.compile(r"\s*(?:$|[/^]|(?:and )?\d|[a-zA-Z]+\^\{?-\d)")  # behind the unit of one letter: 2 h 15 min
OPENING, CLOSING = {"(", "[", r"\{", r"\langle"}, {")", "]", r"\}", r"\rangle"}
CURRENCY = {"$": "$", DOLLAR: "$", "€": "€", "£": "£", "¥": "¥", "₹": "₹"}


@dataclass(frozen=True)
class Token:
    """`kind` is number, based (its `text` is the base), name, command, word or sign; `gap` says whether a blank stands
    before it."""

    kind: str
    text: str
    gap: bool
    value: Fraction = Fraction(0)


def tokens(text: str) -> list[Token]:
    """The tokens of a cleaned text. Raises UnreadableError at what is none, LimitError if there are too many."""
    is_latex = bool(re.search(rf"\\(?!text\b|%|\$|(?:{FONTS})\b)[a-zA-Z{{]", text))
    result: list[Token] = []
    place = depth = 0
    while place < len(text):
        start = place
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text):
            break
        found, place = _next(text, place, depth, is_latex, result)
        gap = place > start and text[start].isspace()
        result += [Token(kind, word, gap and index == 0, value) for index, (kind, word, value) in enumerate(found)]
        last = result[-1].text if result else ""
        depth += (last in OPENING) - (last in CLOSING)
        if len(result) > MOST_TOKENS:
            raise LimitError(f"more than {MOST_TOKENS} signs")
    return result


def _next(text: str, place: int, depth: int, is_latex: bool, before: list[Token]) -> tuple[Found, int]:
    """The tokens that start at `place`, which is no blank, and where they end."""
    if text[place] in ".0123456789" and (found := number_at(text, place, depth)):
        return found
    if match := COMMAND.match(text, place):
        return _command(text, match)
    if match := LETTERS.match(text, place):
        attached = bool(before) and before[-1].kind == "number" and place > 0 and not text[place - 1].isspace()
        after_number = bool(before) and (before[-1].kind == "number" or before[-1].text == "}")
        return _letters(match[0], is_latex, attached, after_number, text[match.end() :]), match.end()
    match = SIGN.match(text, place)
    if not match:
        raise UnreadableError(f"{text[place]!r}")
    return [("sign", match[0], Fraction(0))], match.end()


def _command(text: str, match: re.Match[str]) -> tuple[Found, int]:
    """The token of a LaTeX command; of a font, what stands in it."""
    name, end = match[1], match.end()
    opening = re.compile(r"\s*\{").match(text, end)
    if name in FONTS.split("|") and opening and (close := closing(text, opening.end() - 1)) > 0:
        inner = text[opening.end() : close].strip()
        while (deeper := unfont(inner)) is not None:
            inner = deeper.strip()
        if inner in UNITS and not APPLIED.match(text, close + 1):
            return [("word", inner, Fraction(0))], close + 1
        return _lettered(name, inner), close + 1
    return [("command", name, Fraction(0))], end


def _lettered(font: str, inner: str) -> Found:
    """What stands in a font command: a separator, a name, or words."""
    none = Fraction(0)
    plain = inner.strip(" ,.").lower()
    if plain in ("and", "or", "union"):
        return [("command", SPELT_OUT.get(plain, plain), none)]
    if inner in FUNCTIONS:
        return [("command", inner, none)]
    if not font.startswith("text") and font != "mbox" and len(inner) == 1 and (font != "mathrm" or inner in "ie"):
        return [("name", inner, none)] if inner.isalpha() else [("word", inner, none)]
    if font in ("mathbf", "boldsymbol", "bm", "mathit", "underline", "emph") and re.fullmatch(r"\\?[a-z]+|\d+", inner):
        return [("number", inner, parse_number(inner))] if inner.isdigit() else [("name", inner, none)]
    if inner.isdigit():
        return [("number", inner, parse_number(inner))]
    if match := re.fullmatch(r"(.+\S)\s+(and|or)", inner):  # \text{ dollars and } 25
        return [("word", match[1], none), ("command", match[2], none)]
    return [("word", inner, none)] if inner else []


def _letters(run: str, is_latex: bool, attached: bool, after_number: bool, rest: str) -> Found:
    """A run of letters: a function, a word, a unit, or names side by side."""
    none = Fraction(0)
    if run in COMMANDS and not (after_number and run in UNITS and not APPLIED.match(rest)):
        return [("command", SPELT_OUT.get(run, run), none)]
    if len(run) == 1:
        is_unit = not is_latex and after_number and not attached and run in "mgshL" and UNIT_ENDS.match(rest)
        return [("word" if is_unit else "name", run, none)]
    if is_word(run, is_latex, attached) or (after_number and run in UNITS):
        return [("word", run, none)]
    return [("name", letter, none) for letter in run]


def is_word(run: str, is_latex: bool, attached: bool) -> bool:
    """Whether letters in a row are a word and no product of names."""
    if not run.isascii() or not run.isalpha() or run.lower() in SHORT_WORDS or (run.isupper() and not is_latex):
        return True
    has_vowel = re.search("[aeiouyAEIOUY]", run) is not None
    return has_vowel and len(run) >= (4 if is_latex or attached else 3)
