"""The many ways to write the same signs, brought to one: Unicode, markdown, LaTeX spacing and fonts, digit groups.

Nothing here joins or drops what has a meaning of its own: a blank between digits stays one unless both sides of it are
groups of three.
"""

import re

from curation.judging.answers.reading.numbers import in_digits

MOST_WRAPPERS = 40  # one in the other
DOLLAR = "\ue000"  # one that is money and no mark of a formula
SIGNS = {
    **dict.fromkeys("−–—‒﹣－", "-"), **dict.fromkeys("×∗⋅·•✕", "*"), **dict.fromkeys("÷∕⁄", "/"), "＋": "+", "＝": "=",
    **dict.fromkeys("\u00a0\u2009\u202f\u2002\u2003\u2007\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\ufeff\u2060\ue000", ""),
    "π": r"\pi ", "∞": r"\infty ", "√": r"\sqrt ", "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ",
    "±": r"\pm ", "∓": r"\mp ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "°": r"^\circ ",
    "≈": r"\approx ", "ℝ": r"\mathbb{R}", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "“": '"', "”": '"',
    "‘": "'", "’": "'", "′": "'", "″": '"', "¢": " cents ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    **dict.fromkeys("✅✓✔", ""),
    "（": "(", "）": ")", "，": ",", "：": ":", "％": "%", "．": ".", "。": ".", "…": "...", "＄": "$",
    **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}",
}  # fmt: skip
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
ALL_SIGNS = str.maketrans(SIGNS)
SPELLINGS = {
    "leq": "le", "geq": "ge", "leqslant": "le", "geqslant": "ge", "neq": "ne", "lt": "<", "gt": ">", "colon": ":",
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "div": "/", "cdot": "*",
    "times": "*", "ast": "*", "bullet": "*", "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]",
    "lvert": "|",
    "rvert": "|", "vert": "|", "mid": "|", "varnothing": "emptyset", "infin": "infty", "degree": r"^\circ ",
    "land": "wedge",
    "dots": "...", "ldots": "...", "cdots": "...", "to": "rightarrow", "approxeq": "approx", "sim": "approx",
    "bmod": "mod", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "lparen": "(", "rparen": ")",
    "backslash": "setminus",
    "varphi": "phi", "varepsilon": "epsilon", "thinspace": " ", "text": "text", "bigcup": "cup", "bigcap": "cap",
    "mathbb": "mathbb", "imath": "i", "jmath": "j",
}  # fmt: skip
FONTS = (
    "text|textbf|textit|textrm|texttt|textsf|textup|textnormal|mathrm|mathbf|mathit|mathsf|mathtt|mathcal|mbox|hbox|"
    "operatorname|boldsymbol|bm|emph|underline|boxed|fbox"
)
DROPPED = re.compile(  # a colour, a size, the mark of a model for the end of its text
    r"<\|\w+\|>|</s>|\\(?:text)?color\{[^{}]*\}|\\(?:left|right|middle|[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|phantom\{\}|hfill|strut|mathstrut|checkmark|tiny|small|normalsize|footnotesize|scriptsize|[lL]arge|LARGE|[hH]uge|bf|it|sf|tt)(?![a-zA-Z])\.?"
)
BLANKS = re.compile(r"(?<!\\)\\(?:[,;:> ]|quad\b|qquad\b|hspace\*?\{[^{}]*\}|enspace\b|space\b)|~")
GROUPED = re.compile(
    r"(?<![\d.])[1-9]\d{0,2}(?:(?:\s?(?:\{\s?,\s?\}|,\s?\\!)\s?|')\d{3})+(?!\d)|"
    r"(?<![\d.])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.])"
)
SPACED = re.compile(
    r"(?<![\d.,] )(?<![\d.,])[1-9]\d{0,2}(?:(?:\\[,;: !]|~| )\d{3})+(?![\d/])(?! ?/)(?! \d(?!\d*/\d))(?!\s*\\[dt]?frac)"
)
WRAPPERS = (
    (r"$$", r"$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("***", "***"), ("**", "**"), ("__", "__"), ("*", "*"),
    ("```", "```"), ("`", "`"), ('"', '"'), ("'", "'"),
)  # fmt: skip
LEAD = re.compile(
    r"(?i)(?:so|thus|therefore|hence),?\s+(?=[\w\\$(-])|"
    r"(?:the )?(?:final |correct )?answer\s*(?:is|:|=)\s*:?\s*|"
    r"(?:there (?:are|is|were|will be)|it is|it's|we (?:get|have)|(?:a|the) total of|exactly|approximately|approx\.?|"
    r"(?:the|his|her|their) (?:(?!not?\b|never\b)[a-z]+ ){1,6}(?:is|are|was|equals)|about|roughly|around)\s+"
    r"(?=[\d\\$])|"
    r"(?:(?:in )?(?:the )?year|in)\s+(?=\d{4}\Z)|"
    r"(?-i:(?!Wrong|Not|No|Incorrect)[A-Z][a-z]+(?: [a-z]+){0,3}:\s+)(?=[\d\\$-])|(?:=|\\approx(?![a-z]))\s*(?=\S)"
)
TEXT_FIRST = re.compile(r"\\text\{([a-zA-Z ,:]+)\}\s*(?=[\d\\$-])")  # \text{about } 17
REASON = re.compile(
    r"(?<=\S)(?:(?:[,;]|\s-)?\s+(?:since|because)|"
    r"(?:[,;]|\s-)\s+(?:this|that|which) is(?! (?:not?\b|wrong|incorrect)))\s.*|"
    r"(?<=\d)[,;]\s+(?:and )?not\s+\\?\$?-?[\d.,/]+\Z",
    re.DOTALL,
)
REMARK = re.compile(  # behind a number, where it changes nothing
    r"(?<=[\w%}])\s*\((?!\s*(?:in )?(?:base|mod|hundred|thousand|[mb]illion|dozen|wait|actually|not?|or|rather)\b)"
    r"[^()\\]*(?:=|[a-z]{4})[^()\\]*\)\Z"
)
EMPHASIS = re.compile(r"(?<![\w*)}\]])\*\*([^*\s][^*]*)\*\*(?![\w*({\[])")  # `**73** residents`
NUMBERED = re.compile(r"[-$]?\d[\d.,/]*(?: [a-z]+)*")
REWRITTEN = (
    (re.compile(r"(?:\\text)?\{\s*:\s*\}"), ":"),
    (re.compile(r"\\[dt]?frac\s*\{\s*\\(?:text|mathrm|mbox)\s*\{([a-zA-Z ]+)\}\s*\}\s*"
                r"\{\s*\\(?:text|mathrm|mbox)\s*\{([a-zA-Z ]+)\}(?:(\^)\{?(\d)\}?)?\s*\}"), r"\\text{\1/\2\3\4}"),
    (re.compile(r"\{([^{}\\]+)\\choose([^{}\\]+)\}|\A([^{}\\]+)\\choose([^{}\\]+)\Z"), r"\\binom{\1\3}{\2\4}"),
    (re.compile(r"\Aan? (?!squared|cubed|times|plus|minus|over|equals)(?=[a-z-]{4,}(?: [a-z-]+)*\Z)"), ""),
    (re.compile(r"\A(?i:on|in|at)\s+(?=[A-Z][a-z]+\Z)"), ""),
    (re.compile(rf"\A(?:\\text\{{\s*)?(USD|US\s?[${DOLLAR}]|EUR|GBP)\s?(?:\}}\s*)?(?=[\d.])"),
     lambda match: {"EUR": "€", "GBP": "£"}.get(match[1], "$")),
    (re.compile(r"\A(?i:minus|negative)\s+(?=[\d\\$])"), "-"),
    (re.compile(r"\\pmod\s*(?:\{\s*(\w+)\s*\}|(\d))|\(\s*(?:\\b?mod|mod|\\text\{\s*mod\s*\}|\\operatorname\{mod\})\s*(\w+)\s*\)"),
     lambda match: rf"\text{{mod {match[1] or match[2] or match[3]}}}"),
    (re.compile(r"(?<=[)\]}])\s*(?:U|\\text\{\s*U\s*\})\s*(?=[(\[]|\\\{)"), r" \\cup "),
    (re.compile(r"(?<=\d) [xX] (?=\d)|(?<=\d)[xX](?=10\^)"), " * "),
    (re.compile(r"(\d+)\s*\^\{?\s*\\circ\s*\}?\s*(\d+)\s*(?:'|\^\{?\\prime\s*\}?)(?:\s*(\d+(?:\.\d+)?)\s*(?:\"|''|\^\{?\\prime\s*\\prime\s*\}?))?"),
     lambda match: rf"({match[1]}+{match[2]}/60+{match[3] or 0}/3600)^\circ "),
    (re.compile(r"([\[\]])(\s*[^\[\](){},;]*[^\[\](){},;\s]\s*[,;]\s*[^\[\](){},;]*[^\[\](){},;\s]\s*)([\[\]])"),
     lambda match: f"{'[' if match[1] == '[' else '('}{match[2]}{']' if match[3] == ']' else ')'}"),  # ]-3, 5[
    (re.compile(r"(?<!\w)(\d+)\s?'\s?(\d+(?:\.\d+)?)\s?(?:\"|'')(?!\w)"), r"\1 feet \2 inches"),
    (re.compile(r"\A(\d+(?:\.\d+)?)\s?(?:\"|'')\Z"), r"\1 inches"),
    (re.compile(r"(?<=\d)(\s?(?:ft|in|yd|mi|lbs?|oz|hrs?|mins?|secs?))\.(?!\w)"), r"\1"),
    (re.compile(r"\A(\d+)\s?h\s?(\d+)\s?m(?:in)?\Z"), r"\1 hours \2 minutes"),
)  # fmt: skip


def clean(text: str) -> str:
    """`text` in one notation, without what only wraps it and without the full stop at its end."""
    text = _raise(text).translate(ALL_SIGNS).replace(r"\$", DOLLAR).replace(r"\textdollar", DOLLAR)
    text = DROPPED.sub("", text)
    for _ in range(MOST_WRAPPERS):
        before, text = text, _unwrap(_trim(text))
        if text == before:
            break
    text = in_digits(_without_remark(text))
    for pattern, written in REWRITTEN:
        text = pattern.sub(written, text)
    text = EMPHASIS.sub(r"\1", text)
    text = re.sub(r"(?<![\w\\])\$(?=\S)([^$]*\S)\$(?![\d])", r"\1", text)
    text = re.sub(r"(?<!\\)\\[()\[\]]", " ", text)
    text = GROUPED.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = SPACED.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = BLANKS.sub(" ", text.replace(r"\!", "").replace("{,}", ","))
    text = re.sub(r"\\([a-zA-Z]+)", _respell, text)
    return text.strip()


def _trim(text: str) -> str:
    """`text` without blanks around it and without the punctuation at its end; three full stops stay."""
    text = re.sub(r"\A:\s+|\\[,;:! ]?$", "", text.strip()).rstrip(" \t\r\n,;:")
    if text.count("**") % 2 and not text.startswith("**"):
        text = text.removesuffix("**")  # of `**Answer: 7**`
    return text[:-1] if text.endswith(".") and not text.endswith("..") else text


def unfont(text: str) -> str | None:
    """What `text` says if all of it stands in one font command, e.g. `\\text{Tuesday}`; else None."""
    if (match := re.match(rf"\\(?:{FONTS})\s*\{{", text)) and closing(text, match.end() - 1) == len(text) - 1:
        return text[match.end() : -1]
    return None


def closing(text: str, start: int) -> int:
    """The place of the brace that closes the one at `start`; -1 if none does."""
    depth = 0
    for place in range(start, len(text)):
        if text[place] in "{}" and (place == 0 or text[place - 1] != "\\"):
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return place
    return -1


def _unwrap(text: str) -> str:
    """`text` without the outermost wrapper, if all of it stands in one."""
    if (inner := unfont(text)) is not None:
        return inner
    for left, right in WRAPPERS:
        inner = text[len(left) : len(text) - len(right)]
        if (
            len(text) > len(left) + len(right)
            and text.startswith(left)
            and text.endswith(right)
            and _is_whole(inner, left)
        ):
            return inner
    if text.startswith("{") and closing(text, 0) == len(text) - 1:
        return text[1:-1]
    spoken = TEXT_FIRST.sub(r"\1 ", text, count=1) if text.startswith(r"\text{") else text
    if (match := LEAD.match(spoken)) and (spoken is text or match.end() >= text.index("}") - len(r"\text{")):
        return spoken[match.end() :]
    return text


def _without_remark(text: str) -> str:
    """A number without what is said about it: `12 (3 * 4 = 12)`, `12, since 3 * 4 = 12`."""
    head = REASON.sub("", text)
    bare = REMARK.sub("", head)
    return bare if bare != head and NUMBERED.fullmatch(bare) else head


def _is_whole(inner: str, left: str) -> bool:
    """Whether no wrapper of the same sort ends inside, as in `*a* and *b*`."""
    return left not in inner


def _raise(text: str) -> str:
    """Raised digits as exponents."""
    return re.sub(f"[{''.join(RAISED)}]+", lambda match: f"^{{{''.join(RAISED[sign] for sign in match[0])}}}", text)


def _respell(match: re.Match[str]) -> str:
    name = match[1]
    if name not in SPELLINGS:
        return match[0]
    spelt = SPELLINGS[name]
    return f"\\{spelt}" if spelt.isalpha() and len(spelt) > 1 else f" {spelt} " if spelt in "<>*/" else spelt
