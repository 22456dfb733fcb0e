"""A generator that runs here, in transformers."""

import polars as pl

from curation.calls.ledger import Ledger
from curation.models.engines import transformers
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, transformers.Params):
    """A generator of kind transformers."""


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; loads the model only if the ledger lacks a reply."""
    return sample_traces(settings, settings.engine(settings.weights), name, prompts, ledger)
