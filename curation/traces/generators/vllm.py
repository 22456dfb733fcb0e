"""A generator that runs in vLLM, in a process of its own."""

from collections.abc import Iterator

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.study import Study
from curation.models.engines import vllm
from curation.models.local import find_model_faults, find_too_long
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, vllm.Params):
    """A generator of kind vllm."""

    def mistakes(self, study: Study) -> Iterator[str]:
        """Replies that leave no room for a prompt."""
        yield from (f"sampling.max_tokens: {line}" for line in self.find_too_long(self.sampling.max_tokens))

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the model and of the engine is not there."""
        yield from find_model_faults(self.model, self.revision)
        yield from find_too_long("sampling.max_tokens", self.sampling.max_tokens, self.model)
        yield from self.find_unmet()


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; starts the engine only if the ledger lacks a reply."""
    return sample_traces(settings, settings.engine(settings.weights), name, prompts, ledger)
