"""A gold answer of mathematics in other spellings, and changed so that it is another answer."""

import re
from collections.abc import Iterator


def perturbed(gold: str) -> Iterator[str]:
    """The gold with another digit, sign, relation, bracket, order, or with an item more or less: never the same."""
    for match in re.finditer(r"\d", gold):
        for step in (1, 4):
            yield f"{gold[: match.start()]}{(int(match[0]) + step) % 10}{gold[match.end() :]}"
    for match in re.finditer(r"(?<=[\w}) ])[+-](?=[\s\w\\])", gold):
        yield f"{gold[: match.start()]}{'-' if match[0] == '+' else '+'}{gold[match.end() :]}"
    if re.match(r"[-\d.]|\\(d|t)?frac|\\sqrt", gold) and gold not in ("0",) and not re.search("[,:_]", gold):
        yield gold[1:] if gold.startswith("-") else f"-{gold}"
    for sign, other in (("<", ">"), (r"\le", r"\ge"), (r"\ge", r"\le"), (r"\cup", r"\cap"), ("+ y^2", "- y^2")):
        if re.search(rf"{re.escape(sign)}(?![a-z])", gold):
            yield gold.replace(sign, other, 1)
    if re.fullmatch(r"(\\left)?\s?[(\[].*,.*[)\]]", gold):
        yield re.sub(r"[(\[]", lambda match: "[" if match[0] == "(" else "(", gold, count=1)
        yield re.sub(r",(.*?)(\s?\\right)?([)\]])$", r",\1, 41\2\3", gold)
    if match := re.fullmatch(r"\(([^,]*),([^,]*)\)", gold):
        yield f"({match[2]},{match[1]})"
    if re.fullmatch(r"[^\[\](){}]*, [^\[\](){}]*", gold):
        yield gold.rpartition(", ")[0]
        yield f"{gold}, 41"
    for part in (r"\pi", r"\sqrt", r"\pm", "i", "x", "n", "^2", "!", r"\cdot"):
        if gold.endswith(part) or (part[0] == "\\" and re.search(rf"{re.escape(part)}(?![a-z])", gold)):
            yield gold.replace(part, "", 1).strip()


def respelt(gold: str) -> Iterator[str]:
    """The same gold, written in another way."""
    yield from (f"${gold}$", rf"\({gold}\)", f"**{gold}**", f"{gold}.", f" {gold} ", rf"\boxed{{{gold}}}")
    yield from (rf"\displaystyle {gold}", f"The answer is ${gold}$.", f"Answer: {gold}", f"`{gold}`")
    yield re.sub(r"\\[dt]?frac", r"\\cfrac", gold)
    yield gold.replace("-", "−").replace(r"\pi", "π").replace(r"\infty", "∞")
    if not re.search(r"\\left|text|begin", gold):
        yield re.sub(r"([(\[])(.*)([)\]])", r"\\left\1 \2 \\right\3", gold)
        yield re.sub(r"(?<=[^a-zA-Z\d ,]) | (?=[-+=<>])", "", gold)
    if re.fullmatch(r"[-\d\\]\S*", gold) and "text" not in gold:
        yield f"x = {gold}"
    if match := re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", gold):
        top, bottom = int(match[2]), int(match[3])
        yield from (
            f"{match[1]}{top}/{bottom}",
            f"{match[1]}{3 * top}/{3 * bottom}",
            rf"\frac{{{match[1]}{top}}}{bottom}",
        )


LITERALS = (
    "1", "-7", "0", "3.5", "-0.25", "True", "False", "None", "'a'", "'hello world'", "''", "'10'", "'it is 5'", "[]",
    "[1]", "[1, 2, 3]", "[3, 1, 2]", "['a', 'b']", "[[1, 2], [3, 4]]", "[True, False]", "[None, 1]", "(1,)", "(1, 2)",
    "('a', 1)", "((1, 2), 3)", "{'a': 1}", "{'a': 1, 'b': 2}", "{1: 'x', 2: 'y'}", "{'k': [1, 2]}", "{'k': {'m': 5}}",
    "{1, 2, 3}", "{'x'}", "[{'a': 1}, {'a': 2}]", "[(1, 'a'), (2, 'b')]", "[-1, 0, 1]", "[1.5, 2.5]", "123456789",
    "'2024-03-01'", "['10', 10]", "b'ab'",
)  # fmt: skip


def respelt_literal(text: str) -> Iterator[str]:
    """The same Python value, written in another way."""
    if "'" not in text or " " not in text:
        yield text.replace(", ", ",").replace(": ", ":")
    yield from (f" {text}\n", f"```python\n{text}\n```", f"`{text}`", text.replace("'", '"'))
    yield re.sub(r"^([\[(])(.*[^,])([\])])$", r"\1 \2, \3", text)


def changed_literal(text: str) -> Iterator[str]:
    """Another Python value: another digit, sign, letter or type, an item less or more."""
    for match in re.finditer(r"\d", text):
        yield f"{text[: match.start()]}{(int(match[0]) + 1) % 10 or 2}{text[match.end() :]}"
    for match in re.finditer(r"(?<=')[a-z]", text):
        yield f"{text[: match.start()]}{match[0].upper()}{text[match.end() :]}"
    for one, other in (
        ("True", "False"),
        ("False", "True"),
        ("True", "1"),
        ("None", "0"),
        ("None", "'None'"),
        (" ", "  "),
    ):
        if one in text and (one != " " or re.fullmatch("'[^']*'", text)):
            yield text.replace(one, other, 1)
    if re.fullmatch(r"-?[\d.]+", text):
        yield from (f"'{text}'", f"[{text}]", *([text[1:]] if text[0] == "-" else [f"-{text}"] if text != "0" else []))
    if re.fullmatch(r"\[.+\]", text):
        yield from (f"({text[1:-1]},)", f"[{text}]", f"{text[:-1]}, 41]", text[:-1])
    if re.fullmatch(r"\(.+\)", text):
        yield from (f"[{text[1:-1]}]", f"{text[:-1].rstrip(',')}, 41)")
    if re.fullmatch(r"'\d+'", text):
        yield text[1:-1]
