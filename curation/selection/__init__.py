"""Selections: which candidate pairs are kept, and why each of the others is not.

In a notebook: `select(name, settings, from_frames(pairs, deltas))`, where `select` is that of
curation.selection.select.
"""

from typing import TYPE_CHECKING

from curation.core.exports import export

if TYPE_CHECKING:
    from curation.selection.candidates import from_frames
else:  # mypy would take it to mean that the room has every name
    __getattr__ = export(__name__, {"from_frames": "curation.selection.candidates"})

__all__ = ["from_frames"]
