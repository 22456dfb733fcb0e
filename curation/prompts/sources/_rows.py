"""What every source gives."""

from collections.abc import Iterable

import polars as pl

from curation.tables.contracts import PROMPTS, empty


def prompt_frame(rows: Iterable[tuple[str, str, str | None, str | None, str | None]]) -> pl.DataFrame:
    """Rows of (task, user text, answer, verifier, entry) as the columns of `prompts`, each text as one user message."""
    schema = empty(PROMPTS).schema
    columns = {name: schema[name] for name in ("task", "prompt", "answer", "verifier", "entry")}
    return pl.DataFrame(
        [(t, [{"role": "user", "content": text}], *rest) for t, text, *rest in rows], schema=columns, orient="row"
    )
