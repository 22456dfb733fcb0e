"""Selections: which candidate pairs are kept, and why each of the others is not.

In a notebook: `select(name, settings, from_frames(pairs, deltas))`, where `select` is that of
curation.selection.select.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.selection.candidates import from_frames

__all__ = ["from_frames"]


if not TYPE_CHECKING:  # mypy would take it to mean that the room has every name

    def __getattr__(name: str) -> Any:
        """`from_frames`, imported when it is asked for: what needs another module of this room loads that alone."""
        if name == "from_frames":
            from curation.selection.candidates import from_frames

            return from_frames
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
