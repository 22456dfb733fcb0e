"""Where two texts differ, word by word."""

import re
from typing import NamedTuple

WORD = re.compile(r"\w+|\s+|[^\w\s]")
MOST_COMPARED = 400_000_000  # words of one text times words of the other, of what is between their common ends


class Part(NamedTuple):
    """Some words of a text, and whether the other text has them at that place."""

    text: str
    same: bool


def mark_differences(left: str, right: str) -> tuple[list[Part], list[Part]]:
    """The parts of either text, in order; together they are the text. Of texts that are too long to compare word by
    word, all between what they begin and end with differs."""
    first, second = WORD.findall(left), WORD.findall(right)
    start = _count_common(first, second)
    end = _count_common(first[start:][::-1], second[start:][::-1])
    middles = [words[start : len(words) - end] for words in (first, second)]
    blocks = _find_blocks(*middles)
    sides = []
    for side, (words, middle) in enumerate(zip((first, second), middles, strict=True)):
        parts, at = [(words[:start], True)], 0
        for block in blocks:
            parts += [(middle[at : block[side]], False), (middle[block[side] : block[side] + block[2]], True)]
            at = block[side] + block[2]
        sides.append(_join([*parts, (words[len(words) - end :], True)]))
    return sides[0], sides[1]


def _count_common(first: list[str], second: list[str]) -> int:
    """How many words both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def _find_blocks(first: list[str], second: list[str]) -> list[tuple[int, int, int]]:
    """Where the same words stand in both, and how many; the last is at both ends. Spaces alone are no match."""
    blocks = list[tuple[int, int, int]]()
    if len(first) * len(second) <= MOST_COMPARED:
        from rapidfuzz.distance import LCSseq

        for block in LCSseq.opcodes(first, second).as_matching_blocks():
            if not "".join(first[block.a : block.a + block.size]).isspace():
                blocks.append((block.a, block.b, block.size))
    return [*blocks, (len(first), len(second), 0)]


def _join(parts: list[tuple[list[str], bool]]) -> list[Part]:
    """The parts that have words, neighbours of one kind as one."""
    joined = list[Part]()
    for words, same in parts:
        if words and joined and joined[-1].same == same:
            joined[-1] = Part(joined[-1].text + "".join(words), same)
        elif words:
            joined.append(Part("".join(words), same))
    return joined
