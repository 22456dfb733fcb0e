"""Texts as they are read on a page: formulas and code, and nothing that a model writes acts.

Kinds of fault: money or code taken for a formula; a formula that hides, adds or loses what it says; an element or an
attribute that was not allowed; a text that takes a page minutes, or more elements in each other than a browser has."""

from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.explore import mathematics, prose
from curation.explore.mathematics import draw_formula
from curation.explore.prose import split, typeset


def kinds(text: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.inner) for piece in split(text) if piece.kind != "text"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so $x^2$ is", [("formula", "x^2")]), (r"so \(x\) is", [("formula", "x")]),
        ("$$\nx\n$$", [("block of formula", "\nx\n")]), (r"\[x\]", [("block of formula", "x")]),
        (r"it is \boxed{\frac{\sqrt{x^{2}}}{3}}.", [("formula", r"\boxed{\frac{\sqrt{x^{2}}}{3}}")]),
        (r"\begin{align*}a&=b\end{align*}", [("block of formula", r"\begin{align*}a&=b\end{align*}")]),
        ("```py\na = '$x$'\n```\n$y$", [("block of code", "a = '$x$'\n"), ("formula", "y")]),
        ("use `a $b$` and ``a`b``", [("code", "a $b$"), ("code", "a`b")]),
        ("~~~\ncut short", [("block of code", "cut short")]),
        ("$5$ apples, $n$-th, $2n$.", [("formula", "5"), ("formula", "n"), ("formula", "2n")]),
        (r"$\text{the rest if } x > 2$", [("formula", r"\text{the rest if } x > 2")]),
        ("$ab = ba$", [("formula", "ab = ba")]),
    ],
)  # fmt: skip
def test_what_is_a_formula_and_what_is_code(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


MONEY = (
    "$5 and $6", "$5-$6", "$5 and 6$", "$1,000.00 to $2,000.00", r"\$5 and \$6", "US$5 or US$6", "$ x $",
    "cost $5\n\nor 6$",
    "he has $cats and dogs$", r"\\(x\\)", "$PATH/$HOME",
    "a $5 `b$` c",
)  # fmt: skip


@pytest.mark.parametrize("text", MONEY)
def test_money_and_escapes_are_no_formula(text: str) -> None:
    assert not [kind for kind, _ in kinds(text) if kind.endswith("formula")]


@given(st.lists(st.sampled_from([*r"$\()[]{}`~ab1 ", "\n", "$$", "```", r"\boxed{", r"\begin{align}"]), max_size=60))
def test_the_pieces_are_the_text(parts: list[str]) -> None:
    assert "".join(piece.source for piece in split("".join(parts))) == "".join(parts)


@pytest.mark.parametrize(
    ("tex", "has"),
    [
        (r"\frac12", "<mfrac><mn>1</mn><mn>2</mn></mfrac>"), (r"\boxed{42}", '<mrow class="boxed">'),
        ("50% of x", "<mi>%</mi>"), (r"a \\% b" "\n c", None), (r"\begin{aligned}a&=b\\c&=d\end{aligned}", "<mtable"),
        (r"\begin{pmatrix}1&2\end{pmatrix}", "<mtable"), (r"\begin{cases}1&x\\2&y\end{cases}", "<mtable"),
        (r"\phantom{seen}", "<mi>s</mi>"), (r"\rlap{over}", "over"), (r"\text{a<b>}", "a&lt;b&gt;"),
        (r"\unicode{x202e}", r"\u202e"),
        (r"\frac{1}", None), (r"\unknown x", None), (r"\left( x", None), ("}{", None), ("", None), ("x_1_2", None),
        (r"\newcommand{\a}{\b\b}\a", None), (r"\def\a{b}\a", None), ("a & b", None),
        (r"x \\ y", None), ("x" * 2001, None),
    ],
)  # fmt: skip
def test_a_formula_says_what_its_source_says_or_stays_text(tex: str, has: str | None) -> None:
    drawn = draw_formula(tex, True)
    assert drawn is None if has is None else drawn is not None and has in drawn


class Whitelist(HTMLParser):
    """Fails at an element or attribute that no text may bring to a page; `deepest` is how many stood in each other."""

    depth = deepest = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in mathematics.ELEMENTS | {"code", "pre"}, tag
        for name, value in attrs:
            if name == "class":
                assert value in mathematics.LINES.values()
            else:
                assert value is not None and mathematics.ATTRIBUTES[name].fullmatch(value)
        self.depth += 1
        self.deepest = max(self.depth, self.deepest)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def check(text: str) -> Whitelist:
    parser = Whitelist()
    parser.feed(str(typeset(text) or ""))
    assert parser.depth == 0
    return parser


TEX = (
    r"\frac", r"\sqrt", r"\left(", r"\right)", r"\text{<script>alert(1)</script>}", r"\href{javascript:alert(1)}{x}",
    r"\style{background:url(//x)}{y}", r'\class{" onclick="alert(1)}{y}', r"\color{red}{x}",
    r"\begin{matrix}", r"\end{matrix}", "{", "}", "<svg>", "%", "'",
    r"\hspace{999em}", r"\rule{9em}{9em}", r'\operatorname{"><img src=x>}', "&", r"\\", "_", "^",
    r"\verb|</math>|", r"\unicode{x3c}", "x", "1", "&lt;", "&#x3c;", r"\mathbf{b}", r"\phantom{x}", "]", "[",
    r"\tag{1}",
    "<annotation-xml>", "\0", "\x1b", "\u202e", "\ud83d",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(TEX), max_size=30), st.sampled_from(["${}$", "$${}$$", r"\[{}\]", "```\n{}\n```", "`{}`"])
)
def test_only_what_is_listed_comes_on_a_page(parts: list[str], around: str) -> None:
    check(around.replace("{}", "".join(parts)))


HUGE = {
    "formulas": "$x$ " * 40_000, "one long formula": "$" + "x" * 190_000 + "$", "dollars": "$a" * 90_000,
    "braces": "$" + "{" * 900 + "}" * 900 + "$ " + "{" * 190_000, "roots": ("$" + r"\sqrt" * 390 + "x$ ") * 90,
    "long formulas": ("$" + "x" * 1990 + "$ ") * 90, "begins": r"\begin{align}" * 14_000, "boxes": r"\boxed{" * 26_000,
    "open box": r"\boxed{" + r"\boxed{}" * 20_000, "ticks": "`a" * 90_000, "fences": "```\n~~~\n" * 20_000,
    "a megabyte": "$x$" * 350_000, "fractions": ("$" + r"\frac{" * 30 + "1" + "}{2}" * 30 + "$ ") * 700,
}  # fmt: skip


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_what_is_drawn_is_bounded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = 0

    def draw(tex: str, block: bool) -> Any:
        nonlocal letters
        letters += len(tex)
        return draw_formula(tex, block)

    monkeypatch.setattr(prose, "draw_formula", draw)
    assert check(text).deepest <= mathematics.DEEPEST + 3
    assert letters <= prose.MOST_DRAWN


def test_what_is_too_long_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert typeset("$x$ " * (prose.LONGEST // 4 + 1)) is None and typeset("plain") is None and typeset(None) is None
    monkeypatch.setattr(prose, "MOST_DRAWN", 3)
    shown = typeset("$ab$ $cd$ `e`")
    assert shown is not None and shown.count("<math") == 1 and "$cd$" in shown and "<code>e</code>" in shown
