"""What every source gives."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import polars as pl

from curation.tables.contracts import PROMPTS, empty
from curation.tables.messages import Message, message_columns

# task, the user's text or all messages, accepted answers, verifier, entry
Row: TypeAlias = tuple[str, str | Sequence[Message], Sequence[str], str | None, str | None]


def prompt_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """The rows as the columns of `prompts`, a text as one user message. `answer` is the first of the answers, if there
    is one, `answers` all of them, if there are several."""
    schema = empty(PROMPTS).schema
    columns = {name: schema[name] for name in ("task", "prompt", "messages", "answer", "answers", "verifier", "entry")}
    return pl.DataFrame(
        [
            (
                task,
                *message_columns([{"role": "user", "content": said}] if isinstance(said, str) else said),
                answers[0] if answers else None,
                answers if len(answers) > 1 else None,
                verifier,
                entry,
            )
            for task, said, answers, verifier, entry in rows
        ],
        schema=columns,
        orient="row",
    )
