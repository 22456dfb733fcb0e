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
