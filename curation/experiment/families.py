"""Families: which contrasts are corrected for one another."""

from collections.abc import Hashable, Sequence

from curation.core.stats import holm


def correct(p: Sequence[float | None], families: Sequence[Hashable]) -> list[float | None]:
    """Each p corrected (Holm) for all of its family. One that is not known counts as 1, and stays unknown: that a
    contrast could not be tested does not make the others fewer."""
    corrected: list[float | None] = [None] * len(p)
    for family in dict.fromkeys(families):
        places = [place for place, of in enumerate(families) if of == family]
        of_family = holm([1.0 if (one := p[place]) is None else one for place in places])
        for place, value in zip(places, of_family, strict=True):
            corrected[place] = None if p[place] is None else value
    return corrected
