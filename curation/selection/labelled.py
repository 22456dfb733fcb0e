"""Labelled traces, in a pair or not: what KTO learns from where a selection says which they are."""

from typing import NamedTuple

import numpy as np
import polars as pl

from curation.selection.ranking import Ranker
from curation.selection.rules import Params
from curation.selection.single_traces import SingleTraces
from curation.selection.unpaired import BOTH_LABELS, KEPT, OVER_BUDGET, REPEATED, UNLABELLED, Unpaired
from curation.selection.verdicts import Verdicts, reject_unmet

SAID = {  # of the reasons whose traces a user may miss
    UNLABELLED: "have no label, for unpaired.label is null",
    BOTH_LABELS: "say what another of their prompt says under the other label",
    REPEATED: "say what another of their prompt says under the same label",
}


class Labelled(NamedTuple):
    """What `label_traces` returns. Row numbers are of the traces of the view, by trace_id.

    `pool` are the rows that could be taken: of one prompt each text once, under one label. `kept` are those that the
    budget has room for. `desirable` has a label for each trace of the view, which means nothing outside the pool.
    `verdicts` has the reason of each trace of the view; `reasons` counts them, and adds up to all.
    """

    name: str
    settings: Unpaired
    traces: SingleTraces
    pool: np.ndarray
    kept: np.ndarray
    desirable: np.ndarray
    verdicts: Verdicts

    @property
    def reasons(self) -> dict[str, int]:
        """How many traces have each reason, of those that any has."""
        counts = np.bincount(self.verdicts.numbers, minlength=len(self.verdicts.reasons)).tolist()
        return {reason: count for reason, count in zip(self.verdicts.reasons, counts, strict=True) if count}

    def reason_of(self, row: int) -> str:
        """The reason of one trace of the view."""
        return str(self.verdicts.reasons[self.verdicts.numbers[row]])

    @property
    def own(self) -> pl.DataFrame:
        """The examples that are kept."""
        return self.examples(self.kept, self.desirable[self.kept])

    def examples(self, rows: np.ndarray, labels: np.ndarray) -> pl.DataFrame:
        """trace_id, prompt_id and label of some rows under these labels, in their order."""
        return self.traces.rows.select("trace_id", "prompt_id")[rows].with_columns(
            pl.Series("label", labels, pl.Boolean)
        )


def label_traces(name: str, selection: Params, traces: SingleTraces) -> Labelled | None:
    """The labelled traces of the selection `name`; None where it declares none. The first reason that applies stands:
    the name of a requirement that is not met, unlabelled, both_labels (its text is also an example of the other label,
    and neither is taken), repeated (a trace of a smaller id says the same), over_budget, kept.

    Expressions see what is left when their turn comes, as those of candidates do. Raises CurationError if one fails on
    a value.
    """
    settings, place = selection.unpaired, f"selections.{name}.unpaired."
    if settings is None:
        return None
    verdicts = Verdicts(settings.reasons, traces.rows.height)
    for requirement, rejected in reject_unmet(settings.require or {}, traces, place, verdicts):
        verdicts.give(requirement, rejected)
    label = traces.values({"label": settings.label}, place, verdicts.left).to_series()
    desirable = np.zeros(traces.rows.height, bool)
    desirable[verdicts.left] = label.fill_null(False).to_numpy()
    verdicts.give(UNLABELLED, verdicts.left[label.is_null().to_numpy()])
    texts = traces.rows[verdicts.left].select("prompt_id", "text_id", pl.Series("label", desirable[verdicts.left]))
    of_text = ["prompt_id", "text_id"]
    both = texts.select(pl.col("label").n_unique().over(of_text) > 1).to_series().to_numpy()
    again = ~texts.select(pl.struct(of_text).is_first_distinct()).to_series().to_numpy()
    left = verdicts.left
    verdicts.give(BOTH_LABELS, left[both])
    verdicts.give(REPEATED, left[again & ~both])
    pool = verdicts.left
    first = Ranker(traces.rows["trace_id"].to_numpy(), selection.seed).first(_room(settings, len(pool)), pool)
    verdicts.give(OVER_BUDGET, pool[~first])
    verdicts.give(KEPT, verdicts.left)
    return Labelled(name, settings, traces, pool, pool[first], desirable, verdicts)


def _room(settings: Unpaired, labelled: int) -> int:
    """How many traces the budget has room for."""
    if settings.budget is None:
        return labelled
    ((unit, amount),) = settings.budget.items()
    return int(amount) if unit == "traces" else int(np.floor(amount * labelled + 1e-9))


def labelled_metrics(labelled: Labelled | None) -> dict[str, object]:
    """The count of each reason of its traces, if the selection labels some."""
    return {} if labelled is None else {"unpaired_reason": dict(sorted(labelled.reasons.items()))}


def labelled_messages(labelled: Labelled | None) -> list[str]:
    """What one should know of the traces that are taken, and of those that are not: without a label, under both, twice;
    fewer than the budget has room for; all under one label."""
    if labelled is None:
        return []
    counts, total = labelled.reasons, labelled.traces.rows.height
    lines = [
        f"unpaired: {counts[reason]} of {total} traces {said}: left out"
        for reason, said in SAID.items() if reason in counts
    ]  # fmt: skip
    kept, room = len(labelled.kept), int((labelled.settings.budget or {}).get("traces", 1))
    if kept < room:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "there is no trace"
        lines.append(
            f"unpaired: takes {f'{kept} of the {room} traces of its budget' if kept else 'no trace'}: {reasons}"
        )
    desirable = int(labelled.desirable[labelled.kept].sum())
    if kept and desirable in (0, kept):
        lines.append(
            f"unpaired: all {kept} traces are {'desirable' if desirable else 'undesirable'}; KTO learns from both"
        )
    return lines
