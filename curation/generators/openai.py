"""A generator behind any OpenAI-compatible server."""

from typing import Literal

import polars as pl

from curation.calls.chat import Endpoint, ask
from curation.calls.ledger import Ledger
from curation.generators._rows import Described, trace_rows
from curation.sampling import Sampling, answered, calls_for


class Params(Described):
    """A generator of kind openai. `revision` names the weights (a file hash or a hub commit) and is part of every call's key."""

    kind: Literal["openai"]
    model: str
    revision: str
    system: str | None
    sampling: Sampling
    endpoint: Endpoint


def traces(settings: Params, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample; calls the server for those the ledger does not have."""
    calls = calls_for(prompts, settings.model, settings.revision, settings.system, settings.sampling)
    replies = ledger.fulfil(calls, lambda missing, heard: ask(settings.endpoint, missing, heard), "generate", name)
    return trace_rows(answered(prompts, settings.sampling, replies), name, settings)
