"""Sets of real numbers that have a name or a notation of their own."""

import re
from collections.abc import Callable
from fractions import Fraction

from curation.judging.answers.reading.plain import INFINITY, MINUS, REALS
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.values import Items, Name, Number, Union, Value

POSITIVE = Items("(", (Number(Fraction(0)), INFINITY), ")")
NEGATIVE = Items("(", (MINUS, Number(Fraction(0))), ")")
EMPTY = Items(r"\{", (), r"\}")
NAMED: dict[str, Value] = {
    **dict.fromkeys(("real numbers", "reals"), REALS),
    **dict.fromkeys(("positive real numbers", "positive reals"), POSITIVE),
    **dict.fromkeys(("negative real numbers", "negative reals"), NEGATIVE),
    **dict.fromkeys(("empty set", "no solution", "no solutions", "no real solution", "no real solutions"), EMPTY),
}
HALVES = {"+": POSITIVE, "-": NEGATIVE}
ALL_BUT = re.compile(
    r"(?i)(?:\\text\{)?\s*all (?:the )?(?:real (?:numbers|values)|reals)(?: (?:of )?x)?,? "
    r"(?:except|but|other than|excluding)(?: for)?\s*\}?\s*(?:x\s*=\s*)?(\S.*)"
)


def named_set(words: str) -> Value | None:
    """The set that words in lower case name; None if they name none."""
    return NAMED.get(words.removeprefix("all ").removeprefix("the "))


def all_but(text: str, read: Callable[[str], Value]) -> Value | None:
    """`all real numbers except 2 and 3` as the reals without what `read` makes of the rest; None of other texts."""
    if not (match := ALL_BUT.fullmatch(text)):
        return None
    out = read(match[1])
    if not (isinstance(out, Items) and out.left):
        out = Items(r"\{", out.items if isinstance(out, Items) else (out,), r"\}")
    return Union("\\", (REALS, out))


def half(stream: Stream, name: Name) -> Value:
    r"""A set of numbers, or half of the reals where a sign follows, which is then taken: `\mathbb{R}^+`."""
    for index in ("^", "_"):
        for sign, value in HALVES.items():
            for signs in ((index, "{", sign, "}"), (index, sign)):
                if name == REALS and tuple(stream.sign(ahead) for ahead in range(len(signs))) == signs:
                    stream.place += len(signs)
                    return value
    return name
