"""Candidate pairs: which two traces of a prompt stand against each other, and which of them is chosen."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.study import Study
from curation.tables.contracts import PAIRS, content_ids

AT_ONCE = 4_000_000  # pairs looked at in one piece
READ = (
    "trace_id",
    "prompt_id",
    "generator",
    "sample_index",
    "scale_b",
    "text_id",
)  # the columns of `traces` that matter here


class Params(Strict):
    """`pair` in params.yaml.

    `order` decides which trace is chosen: `ladder` the one whose generator stands first in `ladder`, `scale` the one
    with more parameters, `both` makes a pair of each order. `chosen` and `rejected` name the generators that may write
    that side (null: all). `within_generator` adds the pairs of one generator's own samples, in both orders. `samples`
    pairs sample i with sample i only (`matched`) or with all. A pair of equal texts is identical: `identical` keeps
    such pairs as rows that no selection keeps, or leaves them out.
    """

    order: Literal["ladder", "scale", "both"]
    ladder: list[str]
    chosen: list[str] | None
    rejected: list[str] | None
    within_generator: bool
    samples: Literal["matched", "all"]
    identical: Literal["mark", "drop"]

    def mistakes(self, study: Study) -> Iterator[str]:
        """A ladder that names a generator twice, or less than two."""
        twice = [name for name in dict.fromkeys(self.ladder) if self.ladder.count(name) > 1]
        yield from (f"ladder: {name!r} is there twice" for name in twice)
        if self.order == "ladder" and len(self.ladder) < 2 and not self.within_generator:
            yield f"ladder: {self.ladder!r} has no two rungs, so there would be no pair"


def pair(settings: Params, traces: pl.DataFrame) -> pl.DataFrame:
    """The rows of `pairs`, by pair_id; traces without a completion are in none.

    Raises CurationError if the settings name a generator that wrote nothing.
    """
    named = {
        "ladder": settings.ladder if settings.order == "ladder" else [],
        "chosen": settings.chosen or [],
        "rejected": settings.rejected or [],
    }
    written = traces["generator"].unique().to_list()
    for field, names in named.items():
        if unknown := [name for name in names if name not in written]:
            raise CurationError(
                f"params.yaml: pair.{field}: {unknown[0]!r} wrote no trace; generators are {', '.join(sorted(written))}"
            )
    rows = traces.select(READ).drop_nulls("text_id").sort("prompt_id", "trace_id")
    found = list(_candidates(settings, rows))
    ends = {side: pl.Series(np.concatenate([part[number] for part in found]) if found else [], dtype=pl.UInt32)
            for number, side in enumerate(("chosen", "rejected"))}  # fmt: skip
    ids = content_ids(pl.DataFrame({side: rows["trace_id"].gather(at) for side, at in ends.items()}))
    order = ids.arg_sort()
    one, other = (
        rows.select("prompt_id", "trace_id", "generator", "text_id")[at.gather(order)] for at in ends.values()
    )
    return pl.DataFrame({
        "pair_id": ids.gather(order), "prompt_id": one["prompt_id"], "chosen_trace_id": one["trace_id"], "rejected_trace_id": other["trace_id"],
        "chosen_model": one["generator"], "rejected_model": other["generator"], "identical": one["text_id"] == other["text_id"],
    }, schema_overrides={"pair_id": pl.Int64}).select(PAIRS.schema.names)  # fmt: skip


def _candidates(settings: Params, rows: pl.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of chosen and rejected of every candidate, from rows in the order of prompts, some prompts at
    a time."""
    generator, names = _coded(rows["generator"])
    rung = np.array(
        [settings.ladder.index(name) if name in settings.ladder else len(settings.ladder) for name in names]
    )[generator]
    better = {"ladder": -rung, "scale": rows["scale_b"].fill_null(np.nan).to_numpy(), "both": np.zeros(rows.height)}[
        settings.order
    ]
    may = [
        np.array([side is None or name in side for name in names])[generator]
        for side in (settings.chosen, settings.rejected)
    ]
    sample, text = rows["sample_index"].to_numpy(), rows["text_id"].to_numpy()
    for chosen, rejected in _ordered(rows["prompt_id"].to_numpy()):
        own = generator[chosen] == generator[rejected]
        kept = may[0][chosen] & may[1][rejected] & (chosen != rejected)
        kept &= np.where(
            own, settings.within_generator, (settings.order == "both") | (better[chosen] > better[rejected])
        )
        if settings.samples == "matched":
            kept &= own | (sample[chosen] == sample[rejected])
        if settings.order == "ladder":
            kept &= own | (rung[chosen] < len(settings.ladder)) & (rung[rejected] < len(settings.ladder))
        if settings.identical == "drop":
            kept &= text[chosen] != text[rejected]
        yield chosen[kept], rejected[kept]


def _ordered(prompt: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of every two rows of one prompt, in both orders and each with itself; rows of a prompt lie
    together."""
    starts = np.flatnonzero(np.diff(prompt, prepend=prompt[:1] - 1)) if len(prompt) else np.zeros(0, np.int64)
    sizes = np.diff(starts, append=len(prompt))
    block = np.cumsum(sizes**2) // AT_ONCE
    for number in np.unique(block):
        start, size = starts[block == number], sizes[block == number]
        rows = np.arange(start[0], start[-1] + size[-1])
        first, each = (
            np.repeat(start, size),
            np.repeat(size, size),
        )  # of the prompt of each row: where it begins, and how many it has
        chosen = np.repeat(rows, each)
        yield chosen, np.arange(len(chosen)) - np.repeat(np.cumsum(each) - each - first, each)


def _coded(values: pl.Series) -> tuple[np.ndarray, list[str]]:
    """Each value's place among the distinct ones, and those."""
    names = values.unique().sort().to_list()
    return values.replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy() if names else np.zeros(
        0, np.int64
    ), names


def counts(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs, prompts with a pair, and identical pairs there are."""
    return {"pairs": pairs.height, "prompts": pairs["prompt_id"].n_unique(), "identical": int(pairs["identical"].sum())}
