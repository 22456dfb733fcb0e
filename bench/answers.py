"""The verifiers of answers beside version 0.1, math-verify and a plain comparison of texts; and what they cost.

python -m bench.answers [GOLDS.txt] [--list]

Three sets: the cases of tests/data/answers, with their stated verdicts; golds in the style of MATH (or yours, one a
line) in other spellings, which are right, and changed in a digit, a sign, a bracket or an item, which are wrong; Python
values, the same and changed. `--list` prints where math-verify differs from `math`.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from bench.spellings import LITERALS, changed_literal, perturbed, respelt, respelt_literal
from curation.core.kinds import verifier_kind
from curation.judging.answers import literal, math, number

DATA = Path("tests/data/answers")
TIMED = 5_000  # verdicts, scaled to 10,000
SAMPLE = 25  # one in so many changed golds goes through math-verify


class Case(NamedTuple):
    """An answer, a reference, and whether they are the same answer."""

    answer: str
    reference: str
    right: bool


def ours(case: Case) -> float | None:
    return math.verify(math.PLAIN, case.answer, case.reference, "", None).score


def same_text(case: Case) -> float | None:
    return float(case.answer.strip() == case.reference.strip())


def math_verify(case: Case) -> float | None:
    """math-verify's own verdict, with its own defaults and both sides between dollars."""
    from math_verify import parse, verify

    return float(verify(parse(f"${case.reference}$"), parse(f"${case.answer}$")))


def version_0_1(case: Case) -> float | None:
    """What the verifier `math` of version 0.1 said."""
    from math_verify import parse, verify

    left, right = _plain_number(case.answer), _plain_number(case.reference)
    if left is not None and right is not None:
        return float(left == right)
    forms: tuple[Callable[[str], str], ...] = (_in_dollars, str)
    return float(any(verify(parse(form(case.reference)), parse(form(case.answer))) for form in forms))


def _in_dollars(text: str) -> str:
    bare = re.sub(r"\\?\$", "", text)
    return f"${bare}$"


def _plain_number(text: str) -> Decimal | Fraction | None:
    if match := re.fullmatch(r"\s*(-?\d{1,99})\s*/\s*(\d{0,99}[1-9]\d{0,99})\s*", text):
        return Fraction(int(match[1]), int(match[2]))
    try:
        found = Decimal(re.sub(r"[$£€,%\s]", "", text).rstrip("."))
    except InvalidOperation:
        return None
    return found if found.is_finite() else Decimal("NaN")


def literals(case: Case) -> float | None:
    return literal.verify(literal.PLAIN, case.answer, case.reference, "", None).score


def stated() -> list[Case]:
    """The cases of `math` that are right or wrong, but for those that no clock could end."""
    rows = [json.loads(line) for line in (DATA / "cases.jsonl").read_text().splitlines()]
    return [
        Case(row["answer"], row["reference"], row["want"] == 1)
        for row in rows
        if row["verifier"] == {"kind": "math", "order": "free"} and row["want"] is not None
        if row["kind"] != "no clock, no hang"
    ]


def spelt(golds: list[str]) -> Iterator[Case]:
    for gold in golds:
        yield from (Case(text, gold, True) for text in dict.fromkeys(respelt(gold)) if text != gold)
        yield from (Case(text, gold, False) for text in dict.fromkeys(perturbed(gold)) if text != gold)


def spelt_literals() -> Iterator[Case]:
    for text in LITERALS:
        yield from (Case(other, text, True) for other in dict.fromkeys(respelt_literal(text)) if other != text)
        yield from (Case(other, text, False) for other in dict.fromkeys(changed_literal(text)) if other != text)


def tally(cases: list[Case], judge: Callable[[Case], float | None]) -> str:
    """Of the right ones the share called right, of the wrong ones the share called right, and the unscored."""
    scores = [(case.right, judge(case)) for case in cases]
    right = [score for is_right, score in scores if is_right]
    wrong = [score for is_right, score in scores if not is_right]
    unscored = sum(score is None for _, score in scores)
    shares = (f"{sum(score == 1 for score in side)} of {len(side)}" for side in (right, wrong))
    return f"{' | '.join(shares)} | {unscored}"


def differences(cases: list[Case]) -> Iterator[str]:
    for case in cases:
        if (mine := ours(case)) != (theirs := math_verify(case)):
            yield f"{case.answer}\t{case.reference}\t{mine}\t{theirs}\tstated {float(case.right)}"


def seconds(verifier: str, cases: list[Case]) -> float:
    """CPU seconds for 10,000 verdicts on distinct cases."""
    module = verifier_kind(verifier)
    plain = module.PLAIN or number.Params(kind="number", tolerance=0.01, relative=False, units="same")
    chosen = (cases * (TIMED // len(cases) + 1))[:TIMED]
    began = time.process_time()
    for place, case in enumerate(chosen):
        blank = " " * (place // len(cases))  # so that no text is read twice
        module.verify(plain, case.answer + blank, blank + case.reference, "", None)
    return (time.process_time() - began) * 10_000 / TIMED


def main() -> None:
    files = [argument for argument in sys.argv[1:] if argument != "--list"]
    golds = Path(files[0] if files else DATA / "golds.txt").read_text().splitlines()
    changed = list(spelt(golds))
    few = changed[::SAMPLE] if len(changed) > 10_000 else changed
    judges = {"math": ours, "0.1": version_0_1, "math-verify": math_verify, "text": same_text}
    print("| set | verdict of | right called right | wrong called right | unscored |\n|---|---|---|---|---|")
    for name, cases in (("cases", stated()), (f"{len(golds)} golds", few)):
        for label, judge in judges.items():
            print(f"| {name} | {label} | {tally(cases, judge)} |", flush=True)
    if len(few) < len(changed):
        print(f"| {len(golds)} golds, all | math | {tally(changed, ours)} |")
    values = list(spelt_literals())
    for label, judge in (("literal", literals), ("0.1", version_0_1), ("text", same_text)):
        print(f"| Python values | {label} | {tally(values, judge)} |", flush=True)
    if "--list" in sys.argv:
        print(*differences(stated()), sep="\n")
        return
    plain = [Case(str(n * 37 % 9973), str(n), False) for n in range(TIMED)]
    print("\n| verifier | CPU seconds for 10,000 verdicts |\n|---|---|")
    for name, verifier, cases in (
        ("math, whole numbers", "math", plain),
        ("math, golds", "math", changed),
        ("number", "number", plain),
        ("choice", "choice", [Case("(A)", "B", False), Case("C: this", "C", True)]),
        ("exact", "exact", plain),
        ("literal", "literal", values),
    ):
        print(f"| {name} | {seconds(verifier, cases):.2f} |", flush=True)


if __name__ == "__main__":
    main()
