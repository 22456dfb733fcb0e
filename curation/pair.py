"""Candidate pairs: which two traces of a prompt stand against each other, and which of them is chosen."""

from typing import Literal

import polars as pl

from curation.db import query
from curation.errors import CurationError
from curation.params import Strict
from curation.tables import PAIRS


class Params(Strict):
    """`pair` in params.yaml.

    `order` decides which trace is chosen: `ladder` the one whose generator stands first in `ladder`, `scale` the one with
    more parameters, `both` makes a pair of each order. `within_generator` adds the pairs of one generator's own samples, in
    both orders. `samples` pairs sample i with sample i only (`matched`) or with all.
    """

    order: Literal["ladder", "scale", "both"]
    ladder: list[str]
    within_generator: bool
    samples: Literal["matched", "all"]


def pair(settings: Params, traces: pl.DataFrame) -> pl.DataFrame:
    """The rows of `pairs`; traces without a completion are in none. Two equal texts are a tie: a row, never kept by a selection.

    Raises CurationError if the ladder names a generator that wrote nothing.
    """
    written = set(traces["generator"])
    if unknown := [name for name in settings.ladder if settings.order == "ladder" and name not in written]:
        raise CurationError(f"params.yaml: pair.ladder: {unknown[0]!r} wrote no trace; generators are {', '.join(sorted(written))}")
    columns = traces.select("trace_id", "prompt_id", "generator", "sample_index", "scale_b", "completion")
    rows = query("pairs", {"traces": columns}, order=settings.order, ladder=settings.ladder, within=settings.within_generator, samples=settings.samples)
    return rows.select(PAIRS.schema.names)


def counts(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs, prompts with a pair, and ties there are."""
    return {"pairs": pairs.height, "prompts": pairs["prompt_id"].n_unique(), "ties": int(pairs["tie"].sum())}
