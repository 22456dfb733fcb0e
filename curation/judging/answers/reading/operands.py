"""What a formula is made of: numbers, names, groups in brackets, LaTeX commands, functions."""

from fractions import Fraction

from curation.judging.answers.reading.series import SERIES, series
from curation.judging.answers.reading.stream import Stream
from curation.judging.answers.reading.values import Apply, Formula, Name, Number, UnreadableError

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Sigma",
    "Phi",
    "Psi",
    "Omega",
    "ell",
    "hbar",
]
CONSTANTS = {"pi": "π", "infty": "∞"}
PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|"}
ROUND = {"lfloor": "rfloor", "lceil": "rceil"}
FIGURES = {"angle", "triangle", "odot", "square"}
ACCENTS = {
    "overline": "overline", "bar": "overline", "vec": "overrightarrow", "overrightarrow": "overrightarrow",
    "hat": "hat", "widehat": "hat", "tilde": "tilde", "widetilde": "tilde", "overleftrightarrow": "overleftrightarrow",
}  # fmt: skip


def primary(stream: Stream) -> Formula:
    token = stream.peek()
    if token is None:
        raise UnreadableError("it ends too early")
    if token.kind == "number":
        return _number(stream)
    if token.kind == "name":
        stream.take()
        return _name(stream, token.text)
    if token.kind == "command":
        return _command(stream)
    if token.text == "|":
        stream.take()
        stream.bars += 1
        inner = _whole(stream)
        stream.bars -= 1
        stream.expect("|")
        return Apply("abs", (inner,))
    if token.text in PAIRS:
        return group(stream)
    raise UnreadableError(f"{token.text!r}")


def _whole(stream: Stream) -> Formula:
    from curation.judging.answers.reading.formulas import formula  # which is made of operands

    return formula(stream)


def group(stream: Stream) -> Formula:
    """What stands in a pair of brackets."""
    opening = stream.take().text
    inner = _whole(stream)
    stream.expect(PAIRS[opening])
    return inner


def _number(stream: Stream) -> Formula:
    """A number, or a mixed one: a whole number and a proper fraction of whole numbers."""
    token = stream.take()
    whole = Number(token.value)
    if not token.text.isdigit():
        return whole
    start = stream.place
    part = _plain_fraction(stream)
    if part is not None and 0 <= part < 1:
        return Number(token.value + part)
    if stream.place > start and stream.tokens[start].kind != "command":  # `4 10/3`, `4 4/0`: no number
        return Name(" ".join(token.text for token in stream.tokens[start - 1 : stream.place]))
    stream.place = start
    return whole


def _plain_fraction(stream: Stream) -> Fraction | None:
    """A fraction of whole numbers, written `2/3` after a blank or `\\frac{2}{3}`; else None."""
    top, over, bottom = (stream.peek(ahead) for ahead in range(3))
    if top and top.kind == "number" and top.gap and top.text.isdigit() and over and over.text == "/":
        stream.place += 3
        is_whole = bottom is not None and bottom.kind == "number" and bottom.text.isdigit() and bottom.value
        return top.value / bottom.value if bottom is not None and is_whole else None
    if stream.accept(r"\frac"):
        try:
            upper, lower = _fraction_parts(stream)
        except UnreadableError:
            return None
        if isinstance(upper, Number) and isinstance(lower, Number) and lower.value:
            return upper.value / lower.value
    return None


def _name(stream: Stream, name: str) -> Formula:
    """A variable with its subscript and its primes."""
    if stream.accept("_"):
        if stream.counters and (index := _counted(stream)) is not None:
            return Apply("term", (Name(name), index))
        name += f"_{_subscript(stream)}"
    while stream.accept("'"):
        name += "'"
    return Name(name)


def _counted(stream: Stream) -> Formula | None:
    """A subscript as a formula, if a counter of the sums around stands in it; else None, with nothing taken."""
    start = stream.place
    index = unmixed(stream)
    if any(token.text in stream.counters for token in stream.tokens[start : stream.place]):
        return index
    stream.place = start
    return None


def _subscript(stream: Stream) -> str:
    if not stream.accept("{"):
        token = stream.take()
        if token.kind not in ("number", "name", "word", "command"):
            raise UnreadableError(f"{token.text!r} as a subscript or under an accent")
        return token.text
    parts = []
    while not stream.accept("}"):
        parts.append(stream.take().text)
    return "".join(parts)


def _command(stream: Stream) -> Formula:
    token = stream.take()
    name = token.text
    if name in CONSTANTS:
        return Name(CONSTANTS[name])
    if name in GREEK:
        return _name(stream, name)
    if name == "frac":
        return Apply("/", _fraction_parts(stream))
    if name in SERIES:
        return series(stream, name)
    if name == "binom":
        return Apply("binomial", _fraction_parts(stream))
    if name == "sqrt":
        index: Formula = Number(Fraction(2))
        if stream.accept("["):
            index = _whole(stream)
            stream.expect("]")
        return Apply("root", (_argument(stream), index))
    if name in FIGURES:
        corners = []
        while (corner := stream.peek()) and corner.kind in ("name", "word") and corner.text.isupper():
            corners.append(stream.take().text)
        return Name(f"{name} {''.join(corners)}")
    if name in ROUND:
        inner = _whole(stream)
        stream.expect(f"\\{ROUND[name]}")
        return Apply(name[1:], (inner,))
    if name in ACCENTS:
        under = _subscript(stream)
        return Name(under if under in ("i", "j", "k") and ACCENTS[name] == "hat" else f"{ACCENTS[name]}({under})")
    raise UnreadableError(f"\\{name}")


def _argument(stream: Stream) -> Formula:
    """The argument of a command: a group, or the next primary."""
    return group(stream) if stream.sign() in ("{", "(") else primary(stream)


def _fraction_parts(stream: Stream) -> tuple[Formula, Formula]:
    """Numerator and denominator. `\\frac34` is three quarters: outside braces an argument is one digit."""
    token = stream.peek()
    if token and token.kind == "number" and token.text.isdigit() and len(token.text) > 1:
        stream.take()
        top, rest = int(token.text[0]), token.text[1:]
        if len(rest) > 1:
            raise UnreadableError("a fraction whose parts are not clear")
        return Number(Fraction(top)), Number(Fraction(int(rest)))
    return unmixed(stream), unmixed(stream)


def unmixed(stream: Stream) -> Formula:
    """A group, or the next primary; a number is no mixed one."""
    if stream.sign() == "{":
        return group(stream)
    token = stream.peek()
    if token and token.kind == "number":
        stream.take()
        return Number(token.value)
    return primary(stream)
