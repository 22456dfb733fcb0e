"""A generator that runs in vLLM, in a process of its own."""

from curation.models.engines import vllm
from curation.traces.generators._rows import ModelGeneratorParams, sample_traces


class Params(ModelGeneratorParams, vllm.Params):
    """A generator of kind vllm."""


traces = sample_traces
