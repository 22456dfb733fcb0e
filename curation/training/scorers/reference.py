"""The student as it is: the log-probability it gives either side of a pair."""

from collections.abc import Iterator
from typing import Literal

import polars as pl

from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.ranges import BatchSize, Length
from curation.core.study import Study
from curation.models import weights
from curation.models.local import find_too_long
from curation.models.logprobs import encode, log_probs
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.tables.measurements import PAIR_SCORES


class Params(Strict):
    """A scorer of kind reference. A side of more than `max_length` tokens is truncated at its end, and marked;
    `batch_size` traces are read at a time."""

    kind: Literal["reference"]
    max_length: Length
    batch_size: BatchSize

    def unmet(self, study: Study) -> Iterator[str]:
        """What of the packages and of the student is not there."""
        yield from (f"kind: {line}" for line in find_uninstalled("trl"))
        yield from find_too_long("max_length", self.max_length, study.student.model)

    @property
    def columns(self) -> tuple[str, ...]:
        """What it says of a pair."""
        names = PAIR_SCORES.schema.names
        return tuple(names[1 : names.index("truncated") + 1])


def score(settings: Params, student: Student, pairs: pl.DataFrame, texts: pl.DataFrame, name: str) -> pl.DataFrame:
    """The columns of `pair_scores` up to `truncated`, of each pair whose prompt leaves room for an answer."""
    network, tokenizer = weights.load(student.model, student.pinned, student.dtype, device=student.device)
    encoded = encode(Renderer(tokenizer, student), pairs, texts, settings.max_length)
    logps = log_probs(network, encoded, settings.batch_size, f"reference {name}")
    return logps.join(encoded.pairs.select("pair_id", "chosen_tokens", "rejected_tokens", "truncated"), on="pair_id")
