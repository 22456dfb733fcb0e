"""A generator behind any OpenAI-compatible server."""

from curation.models.engines import openai
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, openai.Params):
    """A generator of kind openai."""


traces = sample_traces
