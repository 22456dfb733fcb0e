"""Traces that a preference set holds: the responses of a source of kind `pairs`, each of the model that its file
names."""

import sys
from collections.abc import Iterator
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, show_value
from curation.core.params import Strict
from curation.core.references import Refers
from curation.core.study import Study
from curation.models.reasoning import Rule
from curation.tables.contracts import TRACES
from curation.tables.preference_sets import find_set_fault
from curation.traces.generators._rows import Scale


class Model(Strict):
    """What is known of a model that wrote responses: its family and its billions of parameters, null where unknown."""

    family: str | None
    scale_b: Scale | None


class Params(Strict):
    """A generator of kind listed: who wrote the responses of `source`, of kind pairs. `family` and `scale_b` hold for
    every model that `models` does not name; `models` may be left out."""

    kind: Literal["listed"]
    source: Annotated[str, Refers("sources")]
    family: str | None
    scale_b: Scale | None
    models: Annotated[dict[str, Model], Field(min_length=1)] | None = None

    @property
    def reasoning(self) -> Rule | None:
        """Nothing: the source declares the rule, and responses come split."""
        return None

    def mistakes(self, study: Study) -> Iterator[str]:
        """A source that is no preference set."""
        yield from find_set_fault(self.source, study)


def traces(settings: Params, name: str, prompts: pl.DataFrame, responses: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """The source's responses, as they are. Calls no model. A model of `models` that wrote none is named on stderr: its
    rows may all have been left out.

    Raises CurationError if there is none.
    """
    rows = responses.filter(source=settings.source)
    if rows.is_empty():
        raise CurationError(
            f"generator {name}: source {settings.source} has no response; `dvc repro collect` reads them"
        )
    models = settings.models or {}
    _name_silent(settings, name, rows["generator"].unique().sort().to_list())
    known = pl.DataFrame(
        [(model, one.family, one.scale_b) for model, one in models.items()],
        schema={"generator": pl.String, "family": pl.String, "scale_b": pl.Float64},
        orient="row",
    )
    is_known = pl.col("generator").is_in(known["generator"].implode())
    defaults = {"family": pl.lit(settings.family, pl.String), "scale_b": pl.lit(settings.scale_b, pl.Float64)}
    return (
        rows.join(known, on="generator", how="left", maintain_order="left")
        .with_columns(
            pl.when(is_known).then(column).otherwise(value).alias(column) for column, value in defaults.items()
        )
        .with_columns(pl.lit(None, pl.Int32).alias("n_tokens"))
        .select(column for column in TRACES.schema.names if column in {*rows.columns, *defaults, "n_tokens"})
    )


def _name_silent(settings: Params, name: str, writers: list[str]) -> None:
    """Say on stderr which of `models` wrote no response."""
    for model in settings.models or {}:
        if model not in writers:
            print(
                f"{name}: models: {show_value(model)} wrote no response of {settings.source}"
                f"{did_you_mean(model, writers)}",
                file=sys.stderr,
            )
