"""Selections: which candidate pairs are kept, and why each of the others is not.

In a notebook: `select(name, settings, from_frames(pairs, deltas))`.
"""

from curation.selection.candidates import Candidates, from_frames
from curation.selection.rules import Params
from curation.selection.select import Selection, select

__all__ = ["Candidates", "Params", "Selection", "from_frames", "select"]
