"""What the answer judge costs: 30,000 traces of mathematics, as of ten models on 500 problems, and 40,000 of what code
prints, in one process and in two.

python -m bench.grading
"""

import random
import resource
import time
from collections.abc import Callable, Iterator

from curation.judging.judges.answer import Params, Question, find_answers
from curation.judging.verification import Case, verify_all

REASONING = (
    "We add the terms $a_{1} + \\frac{n(n-1)}{2}$ of the row, so that 12 + 30 = 42, and go on to the next one.\n"
)
SENTENCES = 12  # of REASONING, which makes some 1,200 characters
PROBLEMS, PER_PROBLEM = 500, 60
PROGRAMS, PER_PROGRAM = 1000, 40
OTHER = 0.4  # share of the answers that are others than the reference


def mathematics(draw: random.Random) -> Iterator[Question]:
    """Numbers, fractions, roots, intervals and expressions in boxes, as models write them."""
    forms: list[Callable[[int, int], tuple[str, str]]] = [
        lambda a, b: (f"{a * b}", f"{a * b:,}"),
        lambda a, b: (f"\\frac{{{a}}}{{{b}}}", f"\\dfrac{{{a}}}{{{b}}}"),
        lambda a, b: (f"{a}\\sqrt{{{b}}}", f"{a} \\sqrt{{{b}}}"),
        lambda a, b: (f"(-\\infty, {a}]", f"(-\\infty,{a}]"),
        lambda a, b: (f"x^2+{2 * a}x+{a * a}", f"(x+{a})^2"),
        lambda a, b: (f"{a}, {b}", f"{b}, {a}"),
    ]
    for number in range(PROBLEMS):
        a, b = draw.randrange(2, 100), draw.randrange(2, 100)
        reference, _ = forms[number % len(forms)](a, b)
        for trace in range(PER_PROBLEM):
            off = draw.choice((1, 2, 3, 5, 10)) if draw.random() < OTHER else 0
            answer = draw.choice(forms[number % len(forms)](a + off, b))
            yield Question(f"{trace} {REASONING * SENTENCES}So it is $\\boxed{{{answer}}}$.", [reference], "math", None)


def code_outputs(draw: random.Random) -> Iterator[Question]:
    """Lists and dictionaries of Python, in a fence after a marker."""
    for _ in range(PROGRAMS):
        value = {"rows": [draw.randrange(1000) for _ in range(12)], "name": "x" * draw.randrange(9), "ok": True}
        for trace in range(PER_PROGRAM):
            off = draw.randrange(4) if draw.random() < OTHER else 0
            answer = value | {"rows": [part + off for part in value["rows"]]}  # type: ignore[attr-defined]
            printed = draw.choice((repr(answer), repr(answer).replace(" ", "")))
            text = f"{trace} {REASONING * SENTENCES}Output: `{printed}`"
            yield Question(text, [repr(value)], "literal", None)


def cpu() -> float:
    """Seconds of CPU of this process and of those that it has waited for."""
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def main() -> None:
    after = {"kind": "after", "marker": "Output:", "match": "last", "until": "line", "take": "all"}
    sets = {"mathematics": (mathematics, {"kind": "boxed", "match": "last"}), "code outputs": (code_outputs, after)}
    for name, (make, extraction) in sets.items():
        body = {"kind": "answer", "extract": [extraction], "missing_answer": "wrong", "pass_at": 0.99}
        settings = Params.model_validate(body)
        questions = list(make(random.Random(0)))  # noqa: S311, it draws no secret
        started = cpu()
        answers = find_answers(settings.extract, [question.completion for question in questions])
        print(f"{name}: {len(questions)} traces, answers found in {cpu() - started:.1f} s of CPU")
        cases = [
            Case(answer, question.references[0], question.verifier or "", None)
            for answer, question in zip(answers, questions, strict=True)
            if answer is not None
        ]
        verdicts = {}
        for processes in (1, 2):
            started, began = cpu(), time.monotonic()
            verdicts[processes] = verify_all(cases, name, processes)
            took = f"{cpu() - started:.1f} s of CPU, {time.monotonic() - began:.1f} s"
            print(f"  {len(verdicts[processes])} distinct cases in {processes} process(es): {took}")
        assert verdicts[1] == verdicts[2]


if __name__ == "__main__":
    main()
