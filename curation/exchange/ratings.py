"""Judges for files of ratings by the ids of traces."""

from collections.abc import Sequence

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.exchange.draft import Draft
from curation.exchange.matching import ids, share
from curation.exchange.preferences import scale_of
from curation.exchange.traces import Read
from curation.exchange.words import column_name


def draft_ratings(draft: Draft, ratings: Sequence[Read], traces: Sequence[Read]) -> None:
    """A judge of kind imported for each file. Raises CurationError where its ids are of no trace."""
    known = {name for trace in traces for name in ids(trace.guess, "trace_id") if name is not None}
    for one in ratings:
        role = next((role for role in ("trace_id", "prompt_id") if share(ids(one.guess, role), known) > 0), None)
        if role is None:
            raise CurationError(
                one_line(f"{one.guess.look.path}: rates what has an id, and no trace of the other files has one of "
                         "these; give traces and ratings a column of the same ids")
            )  # fmt: skip
        dimensions = {name: column.name for name, column in one.guess.ratings.items()}
        scale = {name: scale_of(column.numbers) for name, column in one.guess.ratings.items()}
        settings = {"kind": "imported", "path": one.path, "trace_id": one.guess.columns[role],
                    "dimensions": dimensions, "unmatched": "drop", "scale": scale}  # fmt: skip
        name = draft.add("judges", column_name(one.label, "ratings"), settings)
        draft.note(("judges", name, "scale"), "guessed: a usual scale around what the file has, or its own ends")
