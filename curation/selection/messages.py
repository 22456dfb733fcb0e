"""What `select` tells of a selection that is made."""

from collections.abc import Iterator

import polars as pl

from curation.selection.labelled import Labelled, labelled_messages
from curation.selection.noise import noise_message
from curation.selection.own_rows import several_rows_message
from curation.selection.select import Selection, shortfall_message
from curation.selection.soft_labels import p_chosen_messages
from curation.selection.subset import Texts


def selection_messages(
    selection: Selection, labelled: Labelled | None, subset: pl.DataFrame, texts: Texts, noise: float
) -> Iterator[str]:
    """What a user is to know of the selection, of the rows of its `subset`, and of the traces that it labels, where an
    expression takes `noise` times a judge's for its noise."""
    settings = selection.settings
    told = shortfall_message(selection), several_rows_message(subset, texts), noise_message(settings, noise)
    yield from filter(None, told)
    yield from selection.notes
    yield from p_chosen_messages(settings.p_chosen is not None, subset)
    yield from labelled_messages(labelled)
