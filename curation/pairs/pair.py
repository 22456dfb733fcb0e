"""Candidate pairs: which two traces of a prompt stand against each other, and which of them is chosen."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.params import Strict
from curation.core.study import Study
from curation.pairs.listed import find_listed
from curation.pairs.traces import IS_EMPTY, has_text
from curation.tables.contracts import LISTED_PAIRS, PAIRS, SIDES, empty
from curation.tables.ids import content_ids
from curation.tables.preference_sets import KIND

PAIRS_IN_BLOCK = 4_000_000  # looked at in one piece
TRACE_COLUMNS = (  # what pairs are made of
    "trace_id", "prompt_id", "generator", "sample_index", "scale_b", "text_id", "completion_characters",
)  # fmt: skip


class Params(Strict):
    """`pair` in params.yaml.

    `order` decides which trace is chosen: `ladder` the one whose generator stands first in `ladder`, `scale` the one
    with more parameters, `both` makes a pair of each order; `listed` takes the pairs of preference sets, in their own
    order, and no others. `chosen` and `rejected` name the generators that may write that side (null: all).
    `within_generator` adds the pairs of one generator's own samples: in both orders, or those of them that are listed.
    `samples` pairs sample i with sample i only (`matched`) or with all. A pair of equal texts is identical: `identical`
    keeps such pairs as rows that no selection keeps, or leaves them out. A trace that answers nothing but blanks,
    whatever its reasoning, is in no pair (`empty: drop`), or is one like any other (`keep`).
    """

    order: Literal["ladder", "scale", "both", "listed"]
    ladder: list[str]
    chosen: list[str] | None
    rejected: list[str] | None
    within_generator: bool
    samples: Literal["matched", "all"]
    identical: Literal["mark", "drop"]
    empty: Literal["drop", "keep"]

    def mistakes(self, study: Study) -> Iterator[str]:
        """A ladder that names a generator twice, or less than two."""
        twice = [name for name in dict.fromkeys(self.ladder) if self.ladder.count(name) > 1]
        yield from (f"ladder: {name!r} is there twice" for name in twice)
        if self.order == "ladder" and len(self.ladder) < 2 and not self.within_generator:
            yield f"ladder: {self.ladder!r} has no two rungs, so there would be no pair"
        if self.order == "listed":
            yield from self._find_listed_mistakes(study)

    def _find_listed_mistakes(self, study: Study) -> Iterator[str]:
        """What cannot be of pairs that files list: no such file, one that lists none, settings that would order them or
        choose among them by number."""
        sets = {name: source for name, source in study.sources.items() if source.kind == KIND}
        if not sets:
            yield f"order: listed: no source is of kind {KIND}, which would list pairs; add one, or take another order"
        for name, source in sets.items():
            if not getattr(source, "lists_pairs", True):
                yield f"order: listed: the layout of sources.{name} lists no pairs; say in it what orders its responses"
            if not self.within_generator and not getattr(source, "names_models", True):
                yield (
                    f"within_generator: false: the layout of sources.{name} names no model, so that its pairs are "
                    "all of one generator; write true"
                )
        if self.ladder:
            yield "ladder: has no meaning where pairs are listed, each in its own order; write []"
        if self.samples == "matched":
            yield "samples: matched: the numbers of two responses say nothing of a listed pair; write all"


def pair(settings: Params, traces: pl.DataFrame, listed: pl.DataFrame | None = None) -> pl.DataFrame:
    """The rows of `pairs`, by pair_id; traces without a completion are in none, and empty ones only if `empty` says so.
    `listed` are the rows of `listed_pairs`.

    Raises CurationError if the settings name a generator that wrote nothing.
    """
    _refuse_unknown_generators(settings, traces["generator"].unique().to_list())
    rows = traces.select(TRACE_COLUMNS).filter(has_text(settings.empty)).sort("prompt_id", "trace_id")
    if settings.order == "listed":
        blocks = [find_listed(settings, rows, empty(LISTED_PAIRS) if listed is None else listed)]
    else:
        blocks = list(_candidates(settings, rows))
    ends = {
        side: pl.Series(np.concatenate([block[number] for block in blocks]) if blocks else [], dtype=pl.UInt32)
        for number, side in enumerate(SIDES)
    }
    ids = content_ids(pl.DataFrame({side: rows["trace_id"].gather(row) for side, row in ends.items()}))
    order = ids.arg_sort()
    traces_of_pairs = rows.select("prompt_id", "trace_id", "generator", "text_id")
    chosen, rejected = (traces_of_pairs[row.gather(order)] for row in ends.values())
    columns = {
        "pair_id": ids.gather(order),
        "prompt_id": chosen["prompt_id"],
        "chosen_trace_id": chosen["trace_id"],
        "rejected_trace_id": rejected["trace_id"],
        "chosen_model": chosen["generator"],
        "rejected_model": rejected["generator"],
        "identical": chosen["text_id"] == rejected["text_id"],
        "same_texts_as": _find_first_of_same_texts(rows, ids, *(row.to_numpy() for row in ends.values())).gather(order),
    }
    return pl.DataFrame(columns, schema_overrides={"pair_id": pl.Int64}).select(PAIRS.schema.names)


def _find_first_of_same_texts(
    rows: pl.DataFrame, ids: pl.Series, chosen: np.ndarray, rejected: np.ndarray
) -> pl.Series:
    """Of each pair the id of the first one of the same two texts, by the ids of their traces; null where no other pair
    has them. `chosen` and `rejected` are row numbers of `rows`, in their order."""
    text = rows.select(pl.struct("prompt_id", "text_id").rank("dense")).to_series().to_numpy().astype(np.int64)
    shared = np.bincount(text)[text] > 1
    among = np.flatnonzero(shared[chosen] | shared[rejected])
    both = text[chosen[among]] * (int(text.max(initial=0)) + 1) + text[rejected[among]]
    order = np.argsort(both, kind="stable")
    begins = np.diff(both[order], prepend=-1) != 0
    size = np.diff(np.flatnonzero(begins), append=len(order))
    several = np.repeat(size, size) > 1
    first = np.repeat(order[begins], size)
    same = pl.repeat(None, len(ids), dtype=pl.Int64, eager=True)
    return same.scatter(among[order[several]], ids.gather(among[first[several]]))


def _refuse_unknown_generators(settings: Params, generators: list[str]) -> None:
    """Raises CurationError if the settings name a generator that is none of those that wrote a trace."""
    named = {
        "ladder": settings.ladder if settings.order == "ladder" else [],
        "chosen": settings.chosen or [],
        "rejected": settings.rejected or [],
    }
    for field, names in named.items():
        if unknown := [name for name in names if name not in generators]:
            raise CurationError(
                f"params.yaml: pair.{field}: {unknown[0]!r} wrote no trace;"
                f" generators are {', '.join(sorted(generators))}"
            )


def _candidates(settings: Params, rows: pl.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of chosen and rejected of every candidate, from rows in the order of prompts, some prompts at
    a time."""
    generator, names = _encode(rows["generator"])
    off_ladder = len(settings.ladder)
    rung = np.array([settings.ladder.index(name) if name in settings.ladder else off_ladder for name in names])[
        generator
    ]
    capability = {
        "ladder": -rung,
        "scale": rows["scale_b"].fill_null(np.nan).to_numpy(),
        "both": np.zeros(rows.height),
    }[settings.order]
    may_be_chosen, may_be_rejected = (
        np.array([allowed is None or name in allowed for name in names])[generator]
        for allowed in (settings.chosen, settings.rejected)
    )
    sample, text = rows["sample_index"].to_numpy(), rows["text_id"].to_numpy()
    for chosen, rejected in _cross(rows["prompt_id"].to_numpy()):
        same_generator = generator[chosen] == generator[rejected]
        in_order = (settings.order == "both") | (capability[chosen] > capability[rejected])
        kept = may_be_chosen[chosen] & may_be_rejected[rejected] & (chosen != rejected)
        kept &= np.where(same_generator, settings.within_generator, in_order)
        if settings.samples == "matched":
            kept &= same_generator | (sample[chosen] == sample[rejected])
        if settings.order == "ladder":
            kept &= same_generator | (rung[chosen] < off_ladder) & (rung[rejected] < off_ladder)
        if settings.identical == "drop":
            kept &= text[chosen] != text[rejected]
        yield chosen[kept], rejected[kept]


def _cross(prompt: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The row numbers of every two rows of one prompt, in both orders and each with itself; rows of a prompt lie
    together."""
    starts = np.flatnonzero(np.diff(prompt, prepend=prompt[:1] - 1)) if len(prompt) else np.zeros(0, np.int64)
    sizes = np.diff(starts, append=len(prompt))
    block = np.cumsum(sizes**2) // PAIRS_IN_BLOCK
    for number in np.unique(block):
        start, size = starts[block == number], sizes[block == number]
        rows = np.arange(start[0], start[-1] + size[-1])
        first, count = np.repeat(start, size), np.repeat(size, size)  # of each row's prompt: its first row, its rows
        chosen = np.repeat(rows, count)
        # a row stands in chosen `count` times, from cumsum(count) - count on: beside first, first + 1 and so on
        yield chosen, np.arange(len(chosen)) - np.repeat(np.cumsum(count) - count - first, count)


def _encode(values: pl.Series) -> tuple[np.ndarray, list[str]]:
    """The number of each value among the distinct ones in their order, and those."""
    names = values.unique().sort().to_list()
    if not names:
        return np.zeros(0, np.int64), names
    return values.replace_strict(names, range(len(names)), return_dtype=pl.Int64).to_numpy(), names


def metrics(pairs: pl.DataFrame) -> dict[str, int]:
    """How many pairs, prompts with a pair, and identical pairs there are, and pairs whose two texts are those of
    another one before."""
    same = pairs["same_texts_as"]
    return {
        "pairs": pairs.height,
        "prompts": pairs["prompt_id"].n_unique(),
        "identical": int(pairs["identical"].sum()),
        "repeated": int((same != pairs["pair_id"]).sum()),
    }


def count_empty(traces: pl.DataFrame) -> int:
    """How many traces answer nothing but blanks."""
    return int(traces.select(IS_EMPTY.sum()).item())
