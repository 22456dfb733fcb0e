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
RATIO = re.compile(r"(\d{1,6})\s+to\s+(\d{1,6})")
HOUR = re.compile(r"(\d{1,2})\s*([ap])\.?\s?m\.?", re.IGNORECASE)
BASED = re.compile(r"(-?)\(?([0-9A-Za-z]+)(?:\.([0-9A-Za-z]+))?\)?_\{?(\d{1,2}|[a-z]+)\}?")
BASE_BEHIND = re.compile(r"(-?)([0-9A-Z]+)(?:\.([0-9A-Z]+))?,?\s+\(?\s*(?:in )?base[\s-]+(\d{1,2}|[a-z]+)\s*\)?")
BASES = dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "sixteen"],
        [*range(2, 13), 16],
        strict=True,
    )
)
ALIKE = {"yes": "true", "correct": "true", "no": "false", "incorrect": "false", "dne": "does not exist"}
FONT = re.compile(r"\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
OPTIONS = (
    r"(?i:option|choice)\s*\(?([A-Z])\)?",
    r"\(\s*([A-Z])\s*\)",
    r"\(\s*([A-Z])\s*\)\s*(?P<text>[\w$\\\"'-].*)",
    r"([A-Z])\s*[:.)]\s*(?P<text>\S.*)",
    r"([A-Z])[:.)]",
    r"([A-Z])\s+-\s+(?P<text>(?:[A-Za-z]+ )+[A-Za-z]{3,}[^+*/=^]*|[A-Za-z]{4,})",
)
SAYS = re.compile(
    r"(?i)(yes|no|true|false)\s*[,.;-]\s+(?!.*\b(?:but|if|unless|except|only|maybe|depends|yes|no|true|false)\b)"
    r"[a-z][^\d\\=]*"
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
    if match := RATIO.fullmatch(plain):
        return Colon((int(match[1]), int(match[2])), match[0], "")
    if match := HOUR.fullmatch(plain):
        return Colon((int(match[1]), 0), f"{match[1]}:00", f"{match[2].lower()}m")
    if match := BASED.fullmatch(plain) or BASE_BEHIND.fullmatch(plain):
        return _based(*match.groups())
    if match := SAYS.fullmatch(plain):  # `No, it is not.`
        return Text(ALIKE.get(match[1].lower(), match[1].lower()))
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


def is_time(parts: tuple[int, ...], written: str, half: str) -> bool:
    """Whether whole numbers with colons may be a time of day."""
    return bool(half) or (
        ":" in written
        and parts[0] < 25
        and all(part < 60 for part in parts[1:])
        and all(len(part) == 2 for part in written.split(":")[1:])
    )


def equal_colons(one: Colon, other: Colon) -> bool:
    """Whether two ratios, or two times of day, are the same."""
    one, other = _with_half(one, other.half), _with_half(other, one.half)
    if one.parts == other.parts:
        return one.half == other.half or "" in (one.half, other.half)
    if len(one.parts) != len(other.parts) or (
        is_time(one.parts, one.written, one.half) and is_time(other.parts, other.written, other.half)
    ):
        return False
    pairs = zip(one.parts, other.parts, strict=True)
    return (
        any(one.parts)
        and any(other.parts)
        and all(a * other.parts[0] == b * one.parts[0] for a, b in pairs)
        and one.parts[0] != 0
    )


def _with_half(time: Colon, half: str) -> Colon:
    """A time on a clock of 24 hours, such as 15:45 or 0:30, on one of 12 if the other time is (`half`)."""
    hour = time.parts[0]
    if not half or time.half or not (hour == 0 or 12 < hour < 24):
        return time
    return Colon((hour - 12 if hour else 12, *time.parts[1:]), time.written, "pm" if hour else "am")
