"""The last number of the completion, whatever is said of it. Which forms count, `_numbers.py` says."""

from collections.abc import Sequence
from typing import Literal

from curation.core.params import Strict
from curation.judging.extractions._numbers import find_number


class Params(Strict):
    """An extraction of kind last_number."""

    kind: Literal["last_number"]


def extract(settings: Params, texts: Sequence[str]) -> list[str | None]:
    """The last number of each text, without separators of thousands and signs of money; None where there is none."""
    return [find_number(text, "last") for text in texts]
