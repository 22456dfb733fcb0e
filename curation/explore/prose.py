"""A text of a model as it would be read: formulas drawn, code in a block of its own, all else as it stands. It is no
reader of markdown: lists, headings and stress stay the signs that they are."""

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from curation.core.text import neutralize
from curation.explore.mathematics import MOST_LETTERS, draw_formula

if TYPE_CHECKING:
    from markupsafe import Markup

LONGEST = 200_000  # letters of a text that is looked through
MOST_DRAWN = 50_000  # letters of its formulas that are drawn, so that a page is made in seconds whatever a text is
WITHIN = rf"{{1,{MOST_LETTERS}}}?"
BRACED = r"[^{}]*+"  # what stands in braces, with braces in it
for _ in range(6):
    BRACED = rf"(?:[^{{}}]++|\{{{BRACED}\}})*+"
ENVIRONMENTS = "equation|align|gather|alignat|eqnarray|cases|[bBpvV]?matrix|array|split"
PIECES = re.compile(
    rf"""
    ^[ ]{{0,3}}(?P<fence>`{{3,}}|~{{3,}})(?P<language>[^\n`]*)\n(?P<block>(?s:.)*?)
        (?:^[ ]{{0,3}}(?P=fence)[`~]*[ ]*$|\Z)
    | (?P<ticks>(?<!`)`{{1,2}}(?!`))(?P<code>[^\n]+?)(?<!`)(?P=ticks)(?!`)
    | (?<!\\)\$\$(?P<dollars>(?:[^$\\]|\\(?s:.)){WITHIN})\$\$
    | (?<!\\)\\\[(?P<brackets>(?:[^\\]|\\(?![\[\]])(?s:.)){WITHIN})\\\]
    | (?<!\\)\\\((?P<parentheses>(?:[^\\]|\\(?![()])(?s:.)){WITHIN})\\\)
    | (?P<environment>\\begin\{{(?P<name>(?:{ENVIRONMENTS})\*?)\}}(?s:.){WITHIN}\\end\{{(?P=name)\}})
    | (?P<boxed>\\boxed[ ]?\{{{BRACED}\}})
    | (?<![\\$\w])\$(?P<dollar>(?![\s$])(?:[^$\\\n`]|\\.|\n(?!\s*\n)){WITHIN})(?<!\s)\$(?![\dA-Z_$])
    """,
    re.VERBOSE | re.MULTILINE,
)
BLOCKS, INLINE = ("dollars", "brackets", "environment"), ("parentheses", "boxed", "dollar")
COMMANDS = re.compile(r"\\(?:text|mathrm|operatorname|mbox)[a-z]*\s*\{[^{}]*\}|\\[a-zA-Z]+")
WORDS = re.compile(r"[a-zA-Z]{2,}\s+[a-zA-Z]{2,}|^\d(?s:.)*\s[a-zA-Z]{2,}(?:\s|$)")  # of prose: two, or after an amount


class Piece(NamedTuple):
    """A part of a text, what kind it is, and how it stands there."""

    kind: str  # "text", "code", "block of code", "formula", "block of formula"
    inner: str
    source: str


def split(text: str) -> Iterator[Piece]:
    """The pieces of a text in order; together their sources are the text."""
    at = 0
    for found in PIECES.finditer(text):
        piece = _read(found)
        if piece is None:
            continue
        if at < found.start():
            yield Piece("text", text[at : found.start()], text[at : found.start()])
        yield piece
        at = found.end()
    if at < len(text):
        yield Piece("text", text[at:], text[at:])


def _read(found: re.Match[str]) -> Piece | None:
    """The piece that is found; None where dollars stand around words: they are money."""
    parts = found.groupdict()
    if parts["fence"]:
        return Piece("block of code", parts["block"], found[0])
    if parts["ticks"]:
        return Piece("code", parts["code"], found[0])
    if parts["dollar"] and WORDS.search(COMMANDS.sub(" ", parts["dollar"])):
        return None
    for kind, names in (("block of formula", BLOCKS), ("formula", INLINE)):
        for name in names:
            if parts[name]:
                return Piece(kind, parts[name], found[0])
    return None


def typeset(text: str | None) -> "Markup | None":
    """The text for a page, every piece of it escaped; None where that would be the text itself: nothing in it is code
    or a formula, or it is longer than LONGEST."""
    from markupsafe import Markup, escape

    if not text or len(text) > LONGEST:
        return None
    pieces = list(split(text))
    made = list(_typeset(pieces))
    if not any(made):
        return None
    shown = list[Markup]()
    for at, (piece, one) in enumerate(zip(pieces, made, strict=True)):
        source = piece.source
        if at and made[at - 1] is not None and pieces[at - 1].kind.startswith("block"):
            source = source.removeprefix("\n")  # a block has lines of its own, without the ends of line around it
        if at + 1 < len(pieces) and made[at + 1] is not None and pieces[at + 1].kind.startswith("block"):
            source = source.removesuffix("\n")
        shown.append(escape(neutralize(source)) if one is None else one)
    return Markup("").join(shown)


def _typeset(pieces: Iterable[Piece]) -> Iterator["Markup | None"]:
    """Code and formulas as they are shown; None for what stays the text that it is."""
    from markupsafe import Markup

    drawn = 0
    for kind, inner, _ in pieces:
        if kind == "block of code":
            yield Markup("<pre><code>{}</code></pre>").format(neutralize(inner.removesuffix("\n")))
        elif kind == "code":
            yield Markup("<code>{}</code>").format(neutralize(inner))
        elif kind != "text" and drawn + len(inner) <= MOST_DRAWN:
            drawn += len(inner)
            yield draw_formula(inner, kind == "block of formula")
        else:
            yield None
