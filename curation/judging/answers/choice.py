"""The letter of an option, alone or with the option's text."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict
from curation.judging.answers.reading.answer import LONGEST
from curation.judging.answers.reading.forms import FONT
from curation.judging.answers.reading.notation import clean
from curation.judging.answers.reading.quantities import normal

NAMED = r"(?:(?i:options?|choices?|letter|answer|it is|it's|i (?:choose|pick))\s+)?"
LETTER = NAMED + r"(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|<([A-Za-z])>|([A-Za-z]))"
ALONE = re.compile(rf"{LETTER}\s*[.:)]?")
WITH_TEXT = re.compile(rf"(?:{LETTER}\s*[.:)]+\s*|\(\s*([A-Za-z])\s*\)\s*|([A-Za-z])\s+[-–—]\s+)(\S.*)", re.DOTALL)
SEVERAL = re.compile(r"\s*(?:,|;|&|/|\band\b|\bor\b)\s*(?:(?:and|or)\b\s*)?")
BOTH = re.compile(r"(?i)\A(?:both|either)\s+")
RULED_OUT = re.compile(
    r"(?i)(?:\A(?:it is|it's)?\s*|\s*[,(]?\s*(?:and\s+|but\s+)?)\bnot\s+(?:option\s+)?\(?[A-Za-z]\)*\s*\Z|"
    r"\Anone of (?:the above|these|them)\Z|\Aneither\b.*\Z"
)


def _letters(text: str) -> str:
    if not text.isascii() or not text.isalpha() or text != text.upper() or len(set(text)) < len(text):
        raise ValueError(f"{text!r} is no row of different capital letters")
    return text


class Params(Strict):
    """A verifier of kind choice. `letters` are those of the options, e.g. ABCD."""

    kind: Literal["choice"]
    letters: Annotated[str, AfterValidator(_letters)]


PLAIN = Params(kind="choice", letters="ABCDEFGHIJ")


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two name the same options: 1, 0, or None where the reference has no letter of `letters`, or the
    answer neither names or rules out an option nor has the reference's text."""
    (wanted, text), (given, said) = _read(reference, settings.letters), _read(answer, settings.letters)
    shown = _show(given, said), _show(wanted, text)
    if not wanted or not wanted <= set(settings.letters):
        return Verdict(None, *shown, f"the reference names no option of {settings.letters}")
    if given:
        same = given == wanted
        return Verdict(float(same), *shown, "the letters are the same" if same else "the letters differ")
    if text and said == text:
        return Verdict(1.0, *shown, "the answer is the option's text")
    if RULED_OUT.search(said):
        return Verdict(0.0, *shown, "the answer rules options out and names none")
    return Verdict(None, *shown, f"the answer names no option of {settings.letters}")


def _read(text: str, letters: str) -> tuple[frozenset[str], str]:
    """The letters that `text` names, and the text behind one letter, or all of it if it names none."""
    plain = text[:LONGEST] if r"\(" in text else text[:LONGEST].replace(r"\)", ")")
    cleaned = FONT.sub(r"\1", clean(plain.replace("**", ""))).strip()
    cleaned = RULED_OUT.sub("", cleaned) or cleaned
    parts = [ALONE.fullmatch(part) for part in SEVERAL.split(BOTH.sub("", cleaned))]
    if all(parts):
        return frozenset(_first(part.groups()).upper() for part in parts if part), ""
    if set(cleaned) <= set(letters) and list(cleaned) == sorted(set(cleaned)):  # AC
        return frozenset(cleaned), ""
    if (match := WITH_TEXT.fullmatch(cleaned)) and (letter := _first(match.groups()[:-1]).upper()) in letters:
        return frozenset({letter}), normal(match.groups()[-1])
    return frozenset(), normal(cleaned)


def _first(groups: tuple[str | None, ...]) -> str:
    return next(group for group in groups if group)


def _show(letters: frozenset[str], text: str) -> str:
    return f"{', '.join(sorted(letters)) or 'no letter'}{f' ({text[:60]})' if text else ''}"
