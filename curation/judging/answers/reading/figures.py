"""Letters side by side: a word, a product of names, or the corners of a figure, with its sign or without."""

import re

from curation.judging.answers.reading.values import Apply, Formula, Name

FIGURE = re.compile(r"(?:overline|overrightarrow|overleftrightarrow|hat)\(([A-Z]{2,})\)|[a-z]+ ([A-Z]{2,})")


def same_letters(text: str, formula: Formula) -> bool:
    """Words against a formula: letters side by side, as a product; the corners of a figure, without its sign."""
    if _corners(formula) == text.upper():
        return True
    letters = [Name(letter) for letter in text]
    if len(letters) == 1:
        return isinstance(formula, Name) and formula.name.casefold() == text
    return len(letters) in (2, 3) and text.isalpha() and text.isascii() and formula == _side_by_side(letters)


def _corners(formula: Formula) -> str:
    """The corners that the sign of a figure is written over or before: AB of the segment AB; "" of what is none."""
    match = FIGURE.fullmatch(formula.name) if isinstance(formula, Name) else None
    return match[1] or match[2] if match else ""


def same_corners(one: Formula, other: Formula) -> bool:
    """Whether one is a figure, and the other its corners without its sign, which reads as a product."""
    return any(
        corners and product == _side_by_side([Name(letter) for letter in corners])
        for corners, product in ((_corners(one), other), (_corners(other), one))
    )


def _side_by_side(letters: list[Name]) -> Formula:
    return Apply("*", tuple(letters))
