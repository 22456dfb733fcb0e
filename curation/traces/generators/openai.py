"""A generator behind any OpenAI-compatible server."""

import polars as pl

from curation.calls.ledger import Ledger
from curation.models.engines import openai
from curation.traces.generators._rows import Sampled, sampled


class Params(Sampled, openai.Params):
    """A generator of kind openai."""


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; calls the server for those the ledger does not have."""
    return sampled(settings, settings.engine(settings.weights), name, prompts, ledger)
