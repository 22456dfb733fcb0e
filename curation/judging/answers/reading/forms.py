"""Forms that have a notation of their own: dates, times, ratios, options, numbers in a base."""

import re
from fractions import Fraction

from curation.judging.answers.reading.numbers import in_base
from curation.judging.answers.reading.values import (
    Based,
    Choice,
    Colon,
    Date,
    Number,
    Text,
    Value,
)

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
MONTH = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
DATES = (
    rf"{MONTH}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?",
    rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{MONTH}(?:,?\s+(?P<year>\d{{4}}))?",
)
ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
COLON = re.compile(r"(\d{1,6}(?:\s?:\s?\d{1,6}){1,3})\s*([ap]\.?\s?m\.?)?", re.IGNORECASE)
HOUR = re.compile(r"(\d{1,2})\s*([ap])\.?\s?m\.?", re.IGNORECASE)
BASED = re.compile(r"(-?)\(?([0-9A-Za-z]+)(?:\.([0-9A-Za-z]+))?\)?_\{?(\d{1,2}|[a-z]+)\}?")
BASES = dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen"],
        [*range(2, 13), 16],
        strict=True,
    )
)
FONT = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
OPTIONS = (
    r"(?i:option|choice)\s*\(?([A-Z])\)?",
    r"\(\s*([A-Z])\s*\)",
    r"\(\s*([A-Z])\s*\)\s*(?P<text>[\w$\\\"'-].*)",
    r"([A-Z])\s*[:.)]\s*(?P<text>\S.*)",
    r"([A-Z])[:.)]",
)


def special_form(cleaned: str) -> Value | None:
    """A date, a time, a ratio, a number in a base, an option."""
    if match := ISO.fullmatch(cleaned):
        return Date(*map(int, match.groups()))
    if SLASHED.fullmatch(cleaned):
        return Text(cleaned)
    plain = FONT.sub(r"\1", cleaned)
    for pattern in DATES:
        if (match := re.fullmatch(pattern, plain.lower())) and (month := re.search(MONTH, plain.lower())):
            return Date(int(match["year"] or 0), MONTHS.index(month[1][:3]) + 1, int(match["day"]))
    if match := COLON.fullmatch(plain):
        parts = [part.strip() for part in match[1].split(":")]
        half = f"{match[2][0].lower()}m" if match[2] else ""
        return Colon(tuple(map(int, parts)), ":".join(parts), half)
    if match := HOUR.fullmatch(plain):
        return Colon((int(match[1]), 0), f"{match[1]}:00", f"{match[2].lower()}m")
    if match := BASED.fullmatch(plain):
        return _based(*match.groups())
    for pattern in OPTIONS:
        if match := re.fullmatch(pattern, plain, re.DOTALL):
            return Choice(match[1], match.groupdict().get("text") or "")
    return None


def _based(sign: str, whole: str, part: str | None, written: str) -> Value | None:
    """Digits with their base; None if they are none, as in the name `a_1`."""
    base = BASES.get(written) or (int(written) if written.isdigit() else 0)
    if whole.isalpha() and len(whole) == 1:
        return None
    value = in_base(whole, part or "", base)
    return None if value is None else in_base_value(-value if sign else value, base)


def in_base_value(value: Fraction, base: int) -> Value:
    return Number(value) if base == 10 else Based(value, base)
