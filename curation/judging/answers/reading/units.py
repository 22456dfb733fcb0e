"""Units and words behind a number: which are the same, and which can be converted."""

import re
from fractions import Fraction

SAME = {
    "percent": "%", "per cent": "%", "percentage": "%", "percentage points": "%", "pct": "%",
    "dollar": "$", "usd": "$", "us dollar": "$", "euro": "€", "eur": "€", "pound sterling": "£", "gbp": "£",
    "degree": "°", "deg": "°", "cent": "cent", "c.": "cent",
    "centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km",
    "millimeter": "mm", "millimetre": "mm", "inch": "in", "inche": "in", "foot": "ft", "feet": "ft", "yard": "yd",
    "mile": "mi",
    "gram": "g", "gramme": "g", "kilogram": "kg", "kilo": "kg", "milligram": "mg", "ounce": "oz", "lb": "pound",
    "tonne": "ton",
    "second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h", "L": "l", "mL": "ml", "liter": "l",
    "litre": "l", "milliliter": "ml", "millilitre": "ml",
    "mile per hour": "mi/h", "mph": "mi/h", "kph": "km/h", "kmh": "km/h", "radian": "rad",
    **dict.fromkeys(("celsius", "degree celsius", "degrees celsius", "degrees c", "deg c"), "°C"),
    **dict.fromkeys(("fahrenheit", "degree fahrenheit", "degrees fahrenheit", "degrees f", "deg f"), "°F"),
}  # fmt: skip
INCH, POUND = Fraction(254, 10_000), Fraction(45_359_237, 100_000)  # in meters and grams, exactly
SIZES = {
    "mm": ("length", Fraction(1, 1000)), "cm": ("length", Fraction(1, 100)), "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)),
    "in": ("length", INCH), "ft": ("length", 12 * INCH), "yd": ("length", 36 * INCH), "mi": ("length", 63_360 * INCH),
    "mg": ("mass", Fraction(1, 1000)), "g": ("mass", Fraction(1)), "kg": ("mass", Fraction(1000)),
    "oz": ("mass", POUND / 16), "pound": ("mass", POUND), "week": ("time", Fraction(604800)),
    "cup": ("cups", Fraction(1)), "pint": ("cups", Fraction(2)), "quart": ("cups", Fraction(4)),
    "gallon": ("cups", Fraction(16)),
    "s": ("time", Fraction(1)), "min": ("time", Fraction(60)), "h": ("time", Fraction(3600)), "day": ("time",
    Fraction(86400)),
    "ml": ("volume", Fraction(1, 1000)), "l": ("volume", Fraction(1)),
    "$": ("dollars", Fraction(1)), "cent": ("dollars", Fraction(1, 100)),
}  # fmt: skip
EMPTY = {
    "different", "distinct", "possible", "total", "unique", "more", "left", "remaining", "altogether", "each", "such",
    "of", "the", "in", "all", "exactly",
}  # fmt: skip  # words that do not change what is counted
SAID_OF = {"number", "integer", "function", "triangle", "quadrilateral", "polygon", "sequence", "series", "matrix"}
POWERS = {"square": 2, "sq": 2, "sq.": 2, "cubic": 3, "cu": 3}


def canonical_unit(words: str) -> str:
    """A unit in one spelling: singular, abbreviated, its exponent behind it; words that are no unit in lower case."""
    words = re.sub(r"\s+", " ", words.replace("\\", " ")).strip(" .,;:!")
    lower = words if len(words) == 1 else words.lower()
    lower = re.sub(r"\s*/\s*", "/", lower).replace("{", "").replace("}", "")
    lower = re.sub(r"\s*\^\s*", "^", lower)
    lower = re.sub(r"[ *]([^\W\d]+)\^-(\d)", r"/\1^\2", lower).replace("^1", "")  # m s^-1
    per = re.split(r"/| per (?!cent)", lower)
    return "/".join(_with_power(part.strip()) for part in per)


def _with_power(words: str) -> str:
    """One unit of a product or a ratio, with its exponent."""
    first, _, rest = words.partition(" ")
    if rest and first in POWERS:
        return f"{_singular(rest)}^{POWERS[first]}"
    if match := re.fullmatch(r"(.+?)(?:\^(\d)| (squared|cubed))", words):
        return f"{_singular(match[1])}^{match[2] or (2 if match[3] == 'squared' else 3)}"
    return _singular(words)


def _singular(word: str) -> str:
    one = word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
    return SAME.get(word, SAME.get(one, one))


def factor(unit: str, other: str) -> Fraction | None:
    """How many of `other` make one `unit`; None if neither is measured in the other."""
    parts, others = unit.split("/"), other.split("/")
    if unit == other or len(parts) != len(others):
        return Fraction(1) if unit == other else None
    ratio = Fraction(1)
    for place, (part, other_part) in enumerate(zip(parts, others, strict=True)):
        one = _factor(part, other_part)
        if one is None:
            return None
        ratio = ratio / one if place else ratio * one
    return ratio


def _factor(unit: str, other: str) -> Fraction | None:
    """The factor of two units without a slash."""
    if unit == other:
        return Fraction(1)
    (name, _, power), (other_name, _, other_power) = unit.partition("^"), other.partition("^")
    size, other_size = SIZES.get(name), SIZES.get(other_name)
    if not size or not other_size or size[0] != other_size[0] or power != other_power:
        return None
    return Fraction((size[1] / other_size[1]) ** int(power or 1))


def are_words(unit: str) -> bool:
    """Whether `unit` is a description, such as `different ways`, and no measure."""
    return all(
        part.partition("^")[0] not in SIZES and part not in ("%", "°", "€", "£", "¥", "₹", "rad")
        for part in unit.split("/")
    )


def same_words(text: str, other: str) -> bool:
    """Whether two texts are the same but for singular and plural, and for what an adjective is said of: `isosceles` and
    `isosceles triangle`."""
    one, two = (_described(words) for words in (text, other))
    return one == two


def _described(text: str) -> list[str]:
    words = [_singular(word) for word in text.split()]
    return words[:-1] if len(words) == 2 and words[-1] in SAID_OF else words


def describe_alike(unit: str, other: str) -> bool:
    """Whether one description says no more than the other: `ways` and `different ways`, no red and green apples."""
    one, two = ({_singular(word) for word in words.split()} - EMPTY for words in (unit, other))
    return bool(one & two) and (one <= two or two <= one)
