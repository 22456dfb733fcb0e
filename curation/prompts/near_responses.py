"""Responses of preference sets that nearly repeat another to their prompt."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from curation.core.params import Strict
from curation.core.progress import progress
from curation.core.ranges import Few, Share
from curation.prompts.questions import ngrams, tokens


class NearResponses(Strict):
    """A response is dropped, with its ratings and its pairs, if its n-grams of `shingle` tokens have a Jaccard
    similarity of `threshold` or more with those of a kept response to the same prompt, whoever wrote it."""

    shingle: Few
    threshold: Share


class Repeat(NamedTuple):
    """A response that nearly repeats `against`, which is kept: the most similar of those, of equals the first."""

    trace_id: int
    against: int
    overlap: float


def find_repeats(settings: NearResponses, responses: pl.DataFrame) -> list[Repeat]:
    """Each response that is dropped, by prompt_id and trace_id: the kept ones are of smaller ids. Reasoning and answer
    are compared as one text, whose order of rows decides nothing. A text of fewer tokens is one n-gram."""
    said = pl.concat_str("reasoning", "completion", separator="\n", ignore_nulls=True)
    rows = responses.sort("prompt_id", "trace_id").select("prompt_id", "trace_id", tokens(said).alias("said"))
    with progress("collect near_duplicate_responses", rows.height, "responses") as shown:
        found = list[Repeat]()
        for _, of_prompt in rows.group_by("prompt_id", maintain_order=True):
            found += _find_in_prompt(settings, of_prompt)
            shown.advance(of_prompt.height)
    return found


def _find_in_prompt(settings: NearResponses, rows: pl.DataFrame) -> Iterator[Repeat]:
    kept: dict[int, set[tuple[str, ...]]] = {}
    for trace_id, said in rows.select("trace_id", "said").iter_rows():
        own = set(ngrams(said, settings.shingle)) or {(said,)}
        overlaps = [(_similarity(own, of), -number, other) for number, (other, of) in enumerate(kept.items())]
        overlap, _, against = max(overlaps, default=(-1.0, 0, 0))
        if overlap >= settings.threshold:
            yield Repeat(trace_id, against, overlap)
        else:
            kept[trace_id] = own


def _similarity(own: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """Of Jaccard."""
    shared = len(own & other)
    return shared / (len(own) + len(other) - shared)
