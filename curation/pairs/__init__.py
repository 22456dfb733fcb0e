"""Pairs of traces, and their deltas.

In a notebook, with tables as Polars frames: `deltas(read().delta, pairs, judgments, ["correct"])`, where `read` is
that of curation.core.params.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.pairs.delta import deltas

__all__ = ["deltas"]


if not TYPE_CHECKING:  # mypy would take it to mean that the room has every name

    def __getattr__(name: str) -> Any:
        """`deltas`, imported when it is asked for: a stage that needs another module of this room loads that alone."""
        if name == "deltas":
            from curation.pairs.delta import deltas

            return deltas
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
