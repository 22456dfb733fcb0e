"""Controls: what a selection is compared with. The same pairs, or labelled traces, with other labels, or others drawn
to be like its own."""

from collections.abc import Iterator
from typing import Literal

from curation.core.params import Strict
from curation.core.study import Study


class Params(Strict):
    """One of `controls` in params.yaml; that with `pairs: own` and `labels: as_is` is the selection itself.

    `pairs: drawn` draws as many pairs at random as the selection keeps, from all that it could rank, and as many of
    each combination of the values of `match` as it keeps. `pairs: all` takes all of those, and a run on them makes as
    many updates as one on the selection. `labels` swaps chosen and rejected in no pair, in all, or in those for which
    a coin of the seed comes up heads. Of the labelled traces of a selection's `unpaired` they do the same: drawn are
    as many of each label.
    """

    pairs: Literal["own", "drawn", "all"]
    match: list[str]
    labels: Literal["as_is", "reversed", "shuffled"]

    @property
    def treatment(self) -> bool:
        """Whether it is the selection itself, which the others are controls of."""
        return self.pairs == "own" and self.labels == "as_is"

    @property
    def draws(self) -> bool:
        """Whether another seed makes another subset of it."""
        return self.pairs == "drawn" or self.labels == "shuffled"

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions."""
        from curation.selection import column_names  # training reads a control's words, and opens no table engine

        if self.match and self.pairs != "drawn":
            yield f"match: pairs are {self.pairs!r}, not drawn, so nothing is matched; leave it empty, or draw them"
        for number, text in enumerate(self.match):
            if message := column_names.mistake(text, study, "any"):
                yield f"match.{number}: {message}"
