"""The prompts of a study, from all its sources."""

from typing import Any

import polars as pl

from curation.params import kind
from curation.tables import PROMPTS, content_id, empty


def collect(sources: dict[str, Any]) -> pl.DataFrame:
    """The rows of `prompts`. Sources are read in their order, and no text comes twice, so no prompt is in two splits."""
    taken: set[str] = set()
    parts = [empty(PROMPTS)]
    for name, settings in sources.items():
        part = kind("sources", settings.kind).prompts(settings, taken)
        texts = [messages[-1]["content"] for messages in part["prompt"]]
        taken.update(texts)
        ids = pl.Series("prompt_id", [content_id(name, text) for text in texts], dtype=pl.Int64)
        parts.append(part.with_columns(ids, pl.lit(name).alias("source"), pl.lit(settings.split).alias("split")).select(PROMPTS.schema.names))
    return pl.concat(parts)
