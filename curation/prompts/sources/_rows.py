"""What every source gives."""

from collections.abc import Iterable, Sequence

import polars as pl

from curation.tables.contracts import PROMPTS, empty


def prompt_frame(rows: Iterable[tuple[str, str, Sequence[str], str | None, str | None]]) -> pl.DataFrame:
    """Rows of (task, user text, accepted answers, verifier, entry) as the columns of `prompts`, each text as one user
    message. `answer` is the first of the answers, if there is one, `answers` all of them, if there are several."""
    schema = empty(PROMPTS).schema
    columns = {name: schema[name] for name in ("task", "prompt", "answer", "answers", "verifier", "entry")}
    return pl.DataFrame(
        [
            (
                task,
                [{"role": "user", "content": text}],
                answers[0] if answers else None,
                answers if len(answers) > 1 else None,
                verifier,
                entry,
            )
            for task, text, answers, verifier, entry in rows
        ],
        schema=columns,
        orient="row",
    )
