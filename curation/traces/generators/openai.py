"""A generator behind any OpenAI-compatible server."""

from collections.abc import Iterator

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.study import Study
from curation.models.engines import openai
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, openai.Params):
    """A generator of kind openai."""

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the engine is not there."""
        yield from self.find_unmet()


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; calls the server for those the ledger does not have."""
    return sample_traces(settings, settings.engine(settings.weights), name, prompts, ledger)
