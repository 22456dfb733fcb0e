"""Which verifier reads the gold answers of a file, and where completions state theirs: both are tried on the rows."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from curation.core.inner_kinds import parse_verifier, read_extraction, read_verifier, write_verifier
from curation.judging.answers._kind import Verdict
from curation.judging.judges.answer import find_answers

TRIED = 200  # golds, or completions, that are tried
MARK = "####"  # before the final answer of a solution, as in GSM8K
LONGEST = 120  # characters of an answer that a verifier compares
MOST_READ = 0.9  # of the golds that a verifier has to read
CHOICE = re.compile(r"\s*\(?([A-J])\)?[.:)]?\s*")
LAST_LETTER = r"(?:^|[^A-Za-z])\(?([A-J])\)?(?:[^A-Za-z']|$)"
FEWEST_LETTERS = "D"  # of options, unless an answer is a later one; `I` is a word too
WAYS: tuple[dict[str, Any], ...] = (
    {"kind": "boxed", "match": "last"},
    {"kind": "after", "marker": "####", "match": "last", "until": "line", "take": "all"},
    {"kind": "after", "marker": "nswer is", "match": "last", "until": "line", "take": "all"},
    {"kind": "after", "marker": "nswer:", "match": "last", "until": "line", "take": "all"},
)
LAST: dict[str, dict[str, Any]] = {
    "choice": {"kind": "regex", "pattern": LAST_LETTER, "match": "last"},
    "math": {"kind": "last_number"},
}


class Verifier(NamedTuple):
    """A verifier by its name or with settings, null where none reads the golds; and why."""

    settings: Any
    why: str


def guess_verifier(golds: Sequence[str]) -> Verifier:
    """The verifier that reads the golds."""
    texts = list(dict.fromkeys(golds))[:TRIED]
    if not texts:
        return Verifier(None, "")
    letters = sum(CHOICE.fullmatch(text) is not None for text in texts)
    if letters >= MOST_READ * len(texts):
        return Verifier("choice", f"guessed: {_share(letters, texts)} answers are letters of options")
    if sum(len(text) > LONGEST or "\n" in text for text in texts) > (1 - MOST_READ) * len(texts):
        return Verifier(
            None, "guessed: the answers are long texts, which no verifier compares; map a column of final answers"
        )
    read = sum(_reads_itself(text) for text in texts)
    if read >= MOST_READ * len(texts):
        return Verifier("math", f"guessed: it reads {_share(read, texts)} answers; or exact")
    settings = {"kind": "exact", "ignore": ["case", "blanks", "punctuation"]}
    return Verifier(settings, f"guessed: math reads {read} of {len(texts)} answers only, so they are compared as texts")


def _reads_itself(text: str) -> bool:
    """Whether math reads a text, which written another way is the same answer then."""
    return verify("math", f"${text}$", text).score == 1


def verify(verifier: Any, answer: str, gold: str) -> Verdict:
    """The verdict on one answer."""
    return parse_verifier(write_verifier(read_verifier(verifier))).verify(answer, gold, None)


def guess_extractions(verifier: Any, cases: Sequence[tuple[str, str]]) -> tuple[list[dict[str, Any]], str]:
    """Where completions state their answers, the surest way first, of `cases` of a completion and its gold; and how
    many of them are right so."""
    cases = cases[:: max(1, len(cases) // TRIED)][:TRIED]
    name = verifier if isinstance(verifier, str) else verifier["kind"]
    last = LAST.get(name, {"kind": "after", "marker": ":", "match": "last", "until": "line", "take": "all"})
    if name == "choice":
        letters = [letter[1] for _, gold in cases if (letter := CHOICE.fullmatch(gold))]
        last = last | {"pattern": LAST_LETTER.replace("A-J", f"A-{max([FEWEST_LETTERS, *letters])}")}
    completions = [completion for completion, _ in cases]
    found = {number: find_answers([read_extraction(way)], completions) for number, way in enumerate((*WAYS, last))}
    scores = {number: _count(verifier, answers, cases) for number, answers in found.items()}
    ways = [number for number in range(len(WAYS)) if scores[number][0]]
    ways.sort(key=lambda number: (-scores[number][0] / scores[number][1], number))
    extract = [*(WAYS[number] for number in ways), last]
    right, _ = _count(verifier, find_answers([read_extraction(way) for way in extract], completions), cases)
    return (
        extract,
        f"guessed: of {len(cases)} completions tried, {right} are right so; try others with `curation grade`",
    )


def _count(verifier: Any, answers: Sequence[str | None], cases: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """How many are right, and how many were found."""
    said = [(answer, gold) for answer, (_, gold) in zip(answers, cases, strict=True) if answer is not None]
    return sum(verify(verifier, answer, gold).score == 1 for answer, gold in said), len(said)


def _share(count: int, texts: Sequence[str]) -> str:
    return f"all {len(texts)}" if count == len(texts) else f"{count} of {len(texts)}"
