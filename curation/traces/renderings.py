"""Each trace as the student will learn from it: how many tokens that is, and what of it reaches the target."""

import polars as pl

from curation.core.params import Strict
from curation.core.progress import progress
from curation.models import weights
from curation.tables.contracts import RENDERINGS, empty

TEXTS_PER_BATCH = 1000


class Params(Strict):
    """`renderings` in params.yaml: whether traces are rendered with the student's tokenizer, which budgets in tokens
    and expressions of `chosen.tokens` need."""

    count: bool


def renderings(settings: Params, student: weights.Params, traces: pl.DataFrame) -> pl.DataFrame:
    """The rows of `renderings`: each completion's number of tokens, without those that open or end a text; null where
    nothing is counted or there is no completion."""
    counts: list[int | None] = [None] * traces.height
    if settings.count:
        tokenizer = weights.tokenizer(student.model, student.pinned)
        with progress("renderings", traces.height, "texts") as shown:
            for start in range(0, traces.height, TEXTS_PER_BATCH):
                texts = traces["completion"][start : start + TEXTS_PER_BATCH]
                encoded = tokenizer([text or "" for text in texts], add_special_tokens=False)["input_ids"]
                counts[start : start + len(texts)] = [
                    None if text is None else len(ids) for text, ids in zip(texts, encoded, strict=True)
                ]
                shown.advance(len(texts))
    counted = traces.select("trace_id", pl.Series("tokens", counts, dtype=pl.Int32)).with_columns(
        completion_tokens="tokens"
    )
    return pl.concat([empty(RENDERINGS), counted], how="diagonal")
