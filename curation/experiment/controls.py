"""Controls: what a selection is compared with. The same pairs, or labelled traces, with other labels, or others drawn
to be like its own."""

from collections.abc import Iterator
from typing import Literal

from curation.core.params import Strict
from curation.core.study import Study


class Params(Strict):
    """One of `controls` in params.yaml; that with `pairs: own` and `labels: as_is` is the selection itself.

    `pairs: drawn` draws as many pairs at random as the selection keeps, from all that it could rank, and as many of
    each combination of the values of `match` as it keeps. `pairs: all` takes all of those. `require: own` takes only
    such as the selection's `require` lets in; null, any. `labels` swaps chosen and rejected in no pair, in all, or in
    those for which a coin of the seed comes up heads. Of the labelled traces of a selection's `unpaired` they do the
    same: drawn are as many of each label, and all meet its requirements.

    `updates` says how many optimizer steps a run makes: `by_epochs`, what the method's epochs over the control's own
    examples take; `as_selection`, as many as on the selection; `as_all`, as many as on all that the control could
    draw. Null is `as_selection` where `pairs` is all, else `by_epochs`.
    """

    pairs: Literal["own", "drawn", "all"]
    match: list[str]
    labels: Literal["as_is", "reversed", "shuffled"]
    updates: Literal["by_epochs", "as_selection", "as_all"] | None = None
    require: Literal["own"] | None = None

    @property
    def treatment(self) -> bool:
        """Whether it is the selection itself, which the others are controls of."""
        return self.pairs == "own" and self.labels == "as_is" and self.updates_of is None

    @property
    def updates_of(self) -> Literal["own", "all"] | None:
        """Whose examples decide how many updates a run makes: the selection's own, or all; None where it is by the
        control's."""
        updates = self.updates or ("as_selection" if self.pairs == "all" else "by_epochs")
        if updates == "by_epochs":
            return None
        of: Literal["own", "all"] = "own" if updates == "as_selection" else "all"
        return None if self.labels == "as_is" and self.pairs == of else of

    @property
    def draws(self) -> bool:
        """Whether another seed makes another subset of it."""
        return self.pairs == "drawn" or self.labels == "shuffled"

    def warnings(self, study: Study) -> Iterator[str]:
        """Updates that a method does not make, since it has a number of its own."""
        if (of := self.updates_of) is None:
            return
        names = dict.fromkeys(run.method for run in study.runs.values() if study.controls[run.arm.control] == self)
        for name in names:
            if steps := study.methods[name].max_steps:
                asked = "as_selection" if of == "own" else "as_all"
                yield (
                    f"updates: {asked} does nothing in methods.{name}, which makes max_steps: {steps} updates whatever "
                    "it learns from; set its max_steps to null, or updates to by_epochs"
                )

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expressions."""
        from curation.selection import column_names  # training reads a control's words, and opens no table engine

        if self.require and self.pairs == "own" and self.updates_of != "all":
            yield "require: pairs are 'own', so none is looked for; leave it out, or draw them"
        if self.match and self.pairs != "drawn":
            yield f"match: pairs are {self.pairs!r}, not drawn, so nothing is matched; leave it empty, or draw them"
        for number, text in enumerate(self.match):
            if message := column_names.mistake(text, study, "any"):
                yield f"match.{number}: {message}"
