"""A generator that runs in vLLM, in a process of its own."""

import polars as pl

from curation.calls.ledger import Ledger
from curation.models.engines import vllm
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, vllm.Params):
    """A generator of kind vllm."""


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; starts the engine only if the ledger lacks a reply."""
    return sample_traces(settings, settings.engine(settings.weights), name, prompts, ledger)
