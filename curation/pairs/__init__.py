"""Pairs of traces, and their deltas.

In a notebook, with tables as Polars frames: `deltas(read().delta, pairs, judgments, ["correct"])`, where `read` is
that of curation.core.params.
"""

from typing import TYPE_CHECKING

from curation.core.exports import export

if TYPE_CHECKING:
    from curation.pairs.delta import deltas
else:  # mypy would take it to mean that the room has every name
    __getattr__ = export(__name__, {"deltas": "curation.pairs.delta"})

__all__ = ["deltas"]
