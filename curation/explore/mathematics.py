"""TeX as MathML, which browsers draw without a script. What a model writes is data: of what the converter makes, only
elements and attributes that are listed here come on a page, and a formula that is not understood whole stays text."""

import re
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING

from curation.core.text import neutralize

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from markupsafe import Markup

MOST_LETTERS, DEEPEST = 2000, 60  # of a formula, and of the elements in each other that it becomes
CHILDREN = {  # how many parts an element has, where a browser needs so many
    "mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3,
}  # fmt: skip
ELEMENTS = {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mstyle", "msqrt", "mtable", "mtr", "mtd", *CHILDREN}
PLAIN = {"mpadded", "mphantom"}  # move or hide what is in them: shown as a row
LINES = {"box": "boxed", "updiagonalstrike": "struck", "downdiagonalstrike": "struck"}  # `menclose`, by our style
YES_OR_NO = re.compile(r"true|false")
ATTRIBUTES = {
    "display": re.compile(r"inline|block"),
    "displaystyle": YES_OR_NO, "stretchy": YES_OR_NO, "fence": YES_OR_NO, "largeop": YES_OR_NO, "accent": YES_OR_NO,
    "movablelimits": YES_OR_NO,
    "form": re.compile(r"prefix|infix|postfix"),
    "scriptlevel": re.compile(r"[+-]?[0-3]"),
    "mathvariant": re.compile(r"[a-z]+(-[a-z]+){0,2}"),
    "columnalign": re.compile(r"left|right|center"),
    "linethickness": re.compile(r"0(px|em)?"),
    "width": re.compile(r"[0-2]?(\.\d+)?em"),
    "minsize": re.compile(r"[0-3](\.\d+)?em"), "maxsize": re.compile(r"[0-3](\.\d+)?em"),
}  # fmt: skip
DEFINES = re.compile(r"\\(?:(?:re|provide)?newcommand|providecommand|[gex]?def|let|verb|ce)(?![a-zA-Z])")
PERCENT = re.compile(r"(?<!\\)((?:\\\\)*)%")  # a comment in TeX, a percent sign to models
ALIGNED = re.compile(r"\\(begin|end)\{(?:align|aligned|gather\*?|gathered|eqnarray\*?|alignat\*?)\}")
ENTITY = re.compile(r"&#x[0-9A-Fa-f]{1,6};")


class NotUnderstood(Exception):
    """A formula that cannot be drawn as it was meant."""


@lru_cache(4096)
def draw_formula(tex: str, block: bool) -> "Markup | None":
    """The formula as MathML that is safe on a page, on lines of its own if `block`; None where it is too long, not
    understood whole, or defines words of its own."""
    from latex2mathml.converter import Converter
    from markupsafe import Markup

    if not tex.strip() or len(tex) > MOST_LETTERS or DEFINES.search(tex):
        return None
    source = ALIGNED.sub(r"\\\1{align*}", PERCENT.sub(r"\1\\%", tex))
    try:
        made = Converter(display="block" if block else "inline").convert_to_element(source)
        return Markup("".join(_write(made, 0)))  # noqa: S704  # _write escapes each text
    except Exception:  # of a text that is no TeX the converter raises whatever it stumbles over, as RecursionError
        return None


def _write(element: "Element", depth: int) -> Iterator[str]:
    """The element as text of a page. Raises NotUnderstood for one that is not listed, or lacks a part."""
    from markupsafe import escape

    tag, named = element.tag, {key: value for key, value in element.attrib.items() if _is_safe(key, value)}
    if tag == "menclose" and (line := LINES.get(element.get("notation", ""))):
        tag, named = "mrow", {"class": line}
    elif tag in PLAIN:
        tag, named = "mrow", {}
    text = ENTITY.sub(lambda found: unescape(found[0]), element.text or "")
    unknown = tag not in ELEMENTS or len(element) != CHILDREN.get(tag, len(element)) or "linebreak" in element.attrib
    if unknown or depth > DEEPEST or (tag == "mi" and (element.text == "&" or text.startswith("\\"))):
        raise NotUnderstood(tag)
    yield "".join([f"<{tag}", *(f' {key}="{value}"' for key, value in named.items()), ">"])
    yield str(escape(neutralize(text)))
    for child in element:
        yield from _write(child, depth + 1)
    yield f"</{tag}>"


def _is_safe(key: str, value: str) -> bool:
    allowed = ATTRIBUTES.get(key)
    return allowed is not None and allowed.fullmatch(value) is not None
