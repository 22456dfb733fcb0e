"""Texts compared letter by letter, after the changes that the settings declare and no other."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from curation.core.params import Strict
from curation.judging.answers._kind import Verdict

# a sign and a point belong to their number (-5 is not 5, nor 1.5 15), as does what stands between digits (1/2, 3:10)
PUNCTUATION = re.compile(
    r"((?<!\w)-(?=\.?\d)|(?<![A-Za-z])\.(?=\d)|(?<=\d)(?!,\d{3}(?!\d))[/:,_-](?=\d))|[!\"'(),\-./:;?\[\\\]_`{}]"
)
QUOTED = re.compile(r"\A\s*(?:(['\"`])(.*)\1|“(.*)”|‘(.*)’|«\s*(.*?)\s*»)\s*\Z", re.DOTALL)
CHANGES: dict[str, Callable[[str], str]] = {
    "unicode": lambda text: unicodedata.normalize("NFC", text),
    "case": str.casefold,
    "quotes": lambda text: QUOTED.sub(r"\2\3\4\5", text),
    "punctuation": lambda text: PUNCTUATION.sub(r"\1", text),
    "articles": lambda text: re.sub(r"(?<![\w'-])(?:a|an|the)\s+(?=\S)", "", text, flags=re.IGNORECASE),
    "blanks": lambda text: " ".join(text.split()),
}


class Params(Strict):
    """A verifier of kind exact. `ignore` names the differences that do not count: `unicode` (composed or not), `case`,
    `quotes` (one pair around all), `punctuation` (marks of ASCII, but for those of a number; `+`, `#`, `%` and `<` are
    signs), `articles` (a, an, the, before a word), `blanks` (how many, which, and those outside)."""

    kind: Literal["exact"]
    ignore: Annotated[
        list[Literal["unicode", "case", "quotes", "punctuation", "articles", "blanks"]],
        Field(json_schema_extra={"uniqueItems": True}),
    ]


PLAIN = Params(kind="exact", ignore=[])


def verify(settings: Params, answer: str, reference: str, task: str, entry: str | None) -> Verdict:
    """Whether the two are the same text: 1 or 0."""
    left, right = (_change(text, settings.ignore) for text in (answer, reference))
    same = left == right
    return Verdict(float(same), left, right, "the texts are the same" if same else "the texts differ")


def _change(text: str, ignored: Sequence[str]) -> str:
    """`text` without the differences that do not count, always in the same order."""
    for name, change in CHANGES.items():
        if name in ignored:
            text = change(text)
    return text
