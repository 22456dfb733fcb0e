"""What every generator's settings hold, and the traces of one that asks a model."""

import sys
from collections.abc import Iterator
from typing import Annotated, Protocol

import polars as pl
from pydantic import Field

from curation.calls.call import Call
from curation.calls.ledger import Ledger
from curation.calls.upkeep import tell_of_lost_reasoning
from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.ranges import FilePath, Word
from curation.core.study import Study
from curation.models import weights
from curation.models.call_rendering import render_call
from curation.models.engines._kind import EngineParams
from curation.models.local import find_model_faults, find_too_long
from curation.models.reasoning import Rule
from curation.models.weights import Weights, identity
from curation.tables.contracts import DERIVED, TRACES
from curation.traces.delimiters import find_misread_opening
from curation.traces.sampling import GenerationSampling, make_calls, make_rows

Scale = Annotated[float, Field(ge=1e-6, le=1e6, description="billions of parameters, from a thousand of them")]


class GeneratorParams(Strict):
    """Settings of every generator: `family` and `scale_b` (billions of parameters), null where unknown.

    `reasoning` says by which delimiters its texts mark reasoning. Without it only fields and parts of their own count,
    and delimiters stay in the completion.
    """

    family: str | None
    scale_b: Scale | None
    reasoning: Rule | None = None


class ModelGeneratorParams(GeneratorParams):
    """Settings of a generator that asks a model. `model` and `revision` name the weights; both are in every call's key.

    Of local weights, `model` is as `curation.models.weights` reads it, and `revision` is their hash. Of a served model,
    `model` is the server's name for it, and `revision` a file's hash or a hub commit.
    """

    model: FilePath
    revision: Word
    system: str | None
    sampling: GenerationSampling

    def mistakes(self: "AskedGenerator", study: Study) -> Iterator[str]:
        """What of the sampling the engine cannot take."""
        found = self.find_mistakes(self.sampling.max_tokens, self.sampling.extra or {})
        yield from (f"sampling.{line}" for line in found)

    def unmet(self: "AskedGenerator", study: Study) -> Iterator[str]:
        """What of the model and of the engine is not there."""
        if self.runs_here:
            yield from find_model_faults(self.model, self.revision)
            yield from find_too_long("sampling.max_tokens", self.sampling.max_tokens, self.model)
        yield from self.find_unmet()

    @property
    def weights(self) -> Weights:
        """What an engine is to load."""
        return Weights(self.model, self.revision)


class AskedGenerator(EngineParams, Protocol):
    """A generator that asks a model: the settings of the generator and of the engine in one.

    Three of them stand in `_kind.Generator` too: to import it would make every stage of a generator run again when it
    is edited.
    """

    @property
    def family(self) -> str | None: ...
    @property
    def scale_b(self) -> float | None: ...
    @property
    def reasoning(self) -> Rule | None: ...
    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def system(self) -> str | None: ...
    @property
    def sampling(self) -> GenerationSampling: ...
    @property
    def weights(self) -> Weights: ...


def sample_traces(
    settings: AskedGenerator, name: str, prompts: pl.DataFrame, responses: pl.DataFrame, ledger: Ledger
) -> pl.DataFrame:
    """One row per prompt and sample, all columns of `traces` but the derived ones. The engine answers what the ledger
    does not have; a model is loaded, and an engine started, only for that."""
    revision = identity(settings.revision, getattr(settings, "dtype", None))
    calls = make_calls(prompts, settings.model, revision, settings.system, settings.sampling)
    if settings.runs_here and ledger.will_ask(calls):
        for line in look_at_prompt(name, settings.reasoning, settings.model, settings.revision, calls[0]):
            print(f"warning: {line}", file=sys.stderr, flush=True)
    replies = ledger.fulfil(calls, settings.engine(settings.weights, rule=settings.reasoning), "generate", name)
    tell_of_lost_reasoning(ledger, calls, "generate", name)
    return (
        make_rows(prompts, settings.sampling, replies, settings.reasoning)
        .with_columns(
            pl.lit(name).alias("generator"),
            pl.lit(settings.family, pl.String).alias("family"),
            pl.lit(settings.scale_b, pl.Float64).alias("scale_b"),
        )
        .select(n for n in TRACES.schema.names if n not in DERIVED)
    )


def look_at_prompt(name: str, rule: Rule | None, model: str, revision: str, call: Call) -> Iterator[str]:
    """What to say before generator `name`, whose weights are loaded on this machine, is asked: how its own template
    opens an answer, where its rule does not know that. Nothing where its tokenizer cannot be loaded here, or refuses
    the call: asking will tell."""
    try:
        prompt = render_call(weights.tokenizer(model, revision), call)
    except (CurationError, ImportError):  # vllm has packages of its own
        return
    line = find_misread_opening(f"generators.{name}.reasoning", rule, prompt)
    if line is not None:
        yield f"generator {name}: {line}"
