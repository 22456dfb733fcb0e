"""Whether the benchmarks' own answers can be read by what compares answers with them."""

from collections.abc import Iterator

import polars as pl

from curation.core.messages import show_value
from curation.judging.judges.answer import read_questions
from curation.judging.verification import Case, verify_all


def find_unreadable(held_out: pl.DataFrame) -> Iterator[str]:
    """A line about each benchmark with prompts none of whose answers its verifier takes for itself: whatever a run
    answers there is wrong. `held_out` has the columns of `prompts`."""
    prompts = held_out.filter(pl.col("verifier").is_not_null()).sort("source", "prompt_id")
    questions = read_questions(prompts.with_columns(pl.col("answer").alias("completion")))
    of_prompt = [
        [Case(reference, reference, question.verifier or "", question.entry) for reference in question.references]
        for question in questions
    ]
    verdicts = verify_all((case for cases in of_prompt for case in cases), "read the benchmarks' answers")
    lost = [bool(cases) and not any(verdicts[case].score for case in cases) for cases in of_prompt]
    for (source,), rows in prompts.with_columns(pl.Series("lost", lost)).group_by("source", maintain_order=True):
        if count := int(rows["lost"].sum()):
            first = rows.filter("lost")["answer"][0]
            yield (
                f"{source}: {rows['verifier'][0].partition(':')[0]} cannot read the answer of {count} of {rows.height} "
                f"prompts, the first {show_value(first)}: whatever is answered there is wrong; correct it, or leave "
                "such rows out by `where`"
            )
