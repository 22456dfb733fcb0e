"""What every generator's settings say of it, and the rows of `traces` it gives."""

import polars as pl

from curation.calls.call import Engine
from curation.calls.ledger import Ledger
from curation.core.params import Strict
from curation.models.weights import Weights, identity
from curation.tables.contracts import DERIVED, TRACES
from curation.traces.sampling import GenerationSampling, make_calls, make_rows


class GeneratorParams(Strict):
    """`family` and `scale_b` (billions of parameters) place a generator on the ladder; null where unknown."""

    family: str | None
    scale_b: float | None


class ModelGeneratorParams(GeneratorParams):
    """A generator that asks a model. `model` and `revision` name the weights, and both are part of every call's key.

    Where the weights are local, `model` is as `curation.models.weights` reads it and `revision` its hash; else a served
    model's name, and a file hash or hub commit.
    """

    model: str
    revision: str
    system: str | None
    sampling: GenerationSampling

    @property
    def weights(self) -> Weights:
        """What an engine is to load."""
        return Weights(self.model, self.revision)


def sample_traces(settings: ModelGeneratorParams, engine: Engine, name: str, prompts: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row per prompt and sample, all columns of `traces` but the derived; `engine` is asked for what the ledger
    does not have."""
    calls = make_calls(
        prompts,
        settings.model,
        identity(settings.revision, getattr(settings, "dtype", None)),
        settings.system,
        settings.sampling,
    )
    replies = ledger.fulfil(calls, engine, "generate", name)
    return (
        make_rows(prompts, settings.sampling, replies)
        .with_columns(
            pl.lit(name).alias("generator"),
            pl.lit(settings.family, pl.String).alias("family"),
            pl.lit(settings.scale_b, pl.Float64).alias("scale_b"),
        )
        .select(n for n in TRACES.schema.names if n not in DERIVED)
    )
