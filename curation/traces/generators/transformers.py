"""A generator that runs here, in transformers."""

from curation.models.engines import transformers
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, transformers.Params):
    """A generator of kind transformers."""


traces = sample_traces
