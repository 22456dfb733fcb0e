"""The letter of an option, alone, with the option's text, or in a sentence that names it.

What a sentence says is read by its form: what leads up to a letter, the letter, what is said of it. A letter is never
picked out of a text, so that neither the article in `a car` nor the pronoun in `I think` is an option.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict
from curation.judging.answers.reading.answer import LONGEST
from curation.judging.answers.reading.forms import FONT
from curation.judging.answers.reading.notation import clean
from curation.judging.answers.reading.quantities import normal

LEADS = re.compile(  # what leads up to a letter, one after the other
    r"(?i)\A(?:(?:so|thus|therefore|hence|then|and|but|leaving|which leaves|we (?:get|have)|that (?:is|leaves))[,:]?|"
    r"(?:the|my)(?=(?: [a-z]+){0,2} (?:answer|option|choice|letter|statement|one)s?\b)|"
    r"(?:correct|right|best|final|only|most likely|definitely|certainly|clearly|surely|probably)|"
    r"(?:answer|option|choice|letter|statement|one)s?[:=]?|"
    r"is|are|was|it is|it's|(?:it )?(?:must|should|would|will|has to) be|both|either|"
    r"I(?:'d|'ll| would| will)? (?:think|believe|choose|pick|select|say|go with)(?: that)?)\s+"
)
LETTER = r"(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|<([A-Za-z])>|([A-Za-z]))"
ALONE = re.compile(rf"{LETTER}\s*[.:)!]?")
WITH_TEXT = re.compile(rf"(?:{LETTER}\s*[.:)]+\s*|\(\s*([A-Za-z])\s*\)\s*|([A-Za-z])\s+[-–—=]\s+)(\S.*)", re.DOTALL)
BEHIND_TEXT = re.compile(r"([^()]*\s)\(([A-Z])\)")
SEVERAL = re.compile(r"\s*(?:,|;|&|/|\+|\band\b|\bor\b)\s*(?:(?:and|or)\b\s*)?|(?<=\b[A-Z])\s+(?=[A-Z]\b)")
SAID_OF_IT = re.compile(  # behind a letter, where it changes nothing
    r"(?i)\s*(?:[\s,]because\b.*|\s(?:is|are)(?: (?:the )?"
    r"(?:(?:correct|right|true|best)(?: (?:answer|option|choice|one))?|answer|option|choice))?|"
    r"\sonly|\s\([^()]*\)|\s\[[^\[\]]*\])\Z",
    re.DOTALL,
)
CLAUSES = re.compile(  # but `B and C are wrong` belongs to the list before it
    r"[,;:.]\s+(?!\(?[A-Z]\)?,? (?:and|or) \(?[A-Z]\)? )|"
    r"(?<!thing)(?<!\b[Aa]ll)(?<!\b[Nn]one)\s+(?=(?:so|but|leaving|hence|therefore|thus)\s)"
)
ONE = r"(?:(?:the )?(?:options?|choices?|answers?) )?\(?[A-Za-z]\)?(?!\w)"
NO_OTHER = r"(?:(?!\b(?-i:[A-Z])\b).)*"
DENIED = re.compile(
    rf"(?i)(?:(?:it is|it's|is|are|and|but|definitely|certainly)\s+)*(?:not\s+{ONE}{NO_OTHER}|neither\b.*|"
    r"none of (?:the above|these|them)|(?:there is )?no (?:correct |right )?(?:option|answer|choice)s?\b.*|"
    r"(?:I am |I'm )?(?:not sure|unsure)\b.*|(?:(?:any|every)thing|all|none) (?:but|except)\b.*|"
    rf"(?:we )?(?:can )?(?:rul(?:e|es|ing) out|eliminat(?:e|es|ing)|exclud(?:e|es|ing)) {ONE}{NO_OTHER}|"
    rf"{ONE}(?:(?:,| and| or) {ONE})* (?:is|are|was|were|can|must|does|do)"
    rf"(?:n't| not\b| (?:wrong|incorrect|false|out|impossible|eliminated)\b){NO_OTHER}|"
    r"(?:I |we )?(?:do not|don't|cannot|can't) (?:know|tell|say|decide).*)",
    re.DOTALL,
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
    if all(map(_denies, CLAUSES.split(said))):
        return Verdict(0.0, *shown, "the answer rules options out and names none")
    return Verdict(None, *shown, f"the answer names no option of {settings.letters}")


def _read(text: str, letters: str) -> tuple[frozenset[str], str]:
    """The letters that `text` names, and the text behind one letter, or all of it if it names none."""
    plain = text[:LONGEST] if r"\(" in text else text[:LONGEST].replace(r"\)", ")")
    cleaned = FONT.sub(r"\1", clean(plain.replace("**", ""))).strip()
    if (found := _named(cleaned, letters)) is not None:
        return found
    clauses = [clause for clause in CLAUSES.split(cleaned) if re.search(rf"\b[{letters}]\b", clause)]
    naming = [clause for clause in clauses if not _denies(clause)]
    if len(naming) == 1 and (found := _named(naming[0], letters)) is not None:
        return found  # `not B, the answer is D`
    return frozenset(), normal(cleaned)


def _denies(clause: str) -> bool:
    return DENIED.fullmatch(clause.strip()) is not None


def _named(text: str, letters: str) -> tuple[frozenset[str], str] | None:
    """The letters that a text is made of, without what leads up to them and what is said of them, or the one letter
    and the text behind it; None if it is no such text."""
    while (match := LEADS.match(text)) and match.end() < len(text):
        text = text[match.end() :]
    bare = SAID_OF_IT.sub("", text)
    for row in dict.fromkeys((text, bare)):
        parts = [ALONE.fullmatch(part) for part in SEVERAL.split(row)]
        if all(parts):
            return frozenset(_first(part.groups()).upper() for part in parts if part), ""
    if bare and set(bare) <= set(letters) and len(set(bare)) == len(bare):  # AC
        return frozenset(bare), ""
    if (match := BEHIND_TEXT.fullmatch(text)) and not re.search(rf"\b[{letters}]\b", match[1]):
        return frozenset({match[2]}), normal(match[1])
    if (match := WITH_TEXT.fullmatch(text)) and (letter := _first(match.groups()[:-1]).upper()) in letters:
        return frozenset({letter}), normal(match.groups()[-1])
    return None


def _first(groups: tuple[str | None, ...]) -> str:
    return next(group for group in groups if group)


def _show(letters: frozenset[str], text: str) -> str:
    return f"{', '.join(sorted(letters)) or 'no letter'}{f' ({text[:60]})' if text else ''}"
