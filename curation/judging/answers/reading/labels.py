"""What stands left of a relation and only names what was asked for: `x`, `f(x)`, `(x, y)`, words."""

import re

from curation.judging.answers.reading.operands import GREEK
from curation.judging.answers.reading.tokens import Token

NAME = rf"(?:[A-Za-z]|\\(?:{'|'.join(GREEK)}))(?:_(?:\w|{{\w+}}))?'*"
LABELS = (
    NAME,
    rf"{NAME}(?:\^(?:-1|{{-1}}))?\([\w,]+\)",
    rf"\({NAME}(?:,{NAME})+\)",
    r"[A-Z]{2,4}",
    r"m?\\angle[A-Z]+",
    r"\\(?:vec|overrightarrow|hat){\w+}",
    r"\\frac{d[a-z]}{d[a-z]}",
)


def label(left: list[Token]) -> str | None:
    """The left side of a relation if it only names something: words, a name, `f(x)` or `(x, y)`; else None."""
    text = "".join(f"\\{token.text}" if token.kind == "command" else token.text for token in left)
    has_word = any(token.kind == "word" for token in left)
    if has_word and all(token.kind in ("word", "name") or token.text in "-'/," for token in left):
        return text
    if len({token.text for token in left if token.kind == "name"}) > 1 and all(
        token.kind == "name" or token.text in ("+", "-", "*") for token in left
    ):
        return text  # `m + n`: what was asked for
    return text if any(re.fullmatch(pattern, text) for pattern in LABELS) else None
