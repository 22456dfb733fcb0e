"""The table of declared contrasts: its rows, what is said of them, and their metrics."""

from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any

import polars as pl

from curation.core.study import Study
from curation.experiment.contrast_rows import AnyRow, DeltaRow, Joint
from curation.experiment.contrasts import Outcome, Values, find_outcomes
from curation.experiment.declarations import OVER_DELTAS, Margin
from curation.experiment.estimate import PROMPTS
from curation.experiment.families import correct
from curation.experiment.margins import ALL_GAIN, EQUIVALENT, NOT_INFERIOR, WITHIN, verdict_of
from curation.experiment.properties import Properties
from curation.experiment.values import ArmKey
from curation.tables.contracts import empty
from curation.tables.measurements import CONTRASTS

OTHERS, PRIMARY = "others", "primary"  # the family of what names none, and that of the primary one


def declared_contrasts(
    study: Study,
    values: Values,
    properties: Properties,
    same: Mapping[ArmKey, ArmKey],
    registered: str | None = None,
) -> pl.DataFrame:
    """The rows of `contrasts`, in the order of params.yaml, but the primary one first.

    p_holm is corrected for all of a family; the primary contrast is in none. `same` says of arms which other they are,
    `registered` what is known of the primary one's registration.
    """
    outcomes = find_outcomes(study, values, properties, same)
    primary = [one.row.name == study.compare.primary for one in outcomes]
    families = [PRIMARY if is_it else one.row.family or OTHERS for one, is_it in zip(outcomes, primary, strict=True)]
    corrected = correct([one.p for one in outcomes], list(zip(families, primary, strict=True)))
    rows = [_fields(*of_row, values, registered) for of_row in zip(outcomes, families, primary, corrected, strict=True)]
    return pl.DataFrame(rows, empty(CONTRASTS).schema, orient="row").sort(~pl.col("primary"), maintain_order=True)


def _fields(
    one: Outcome, family: str, primary: bool, p_holm: float | None, values: Values, registered: str | None
) -> tuple[object, ...]:
    row, found = one.row, one.found
    margin, shown = _asked(row)
    numbers = (None if isnan(value) else value for value in (found.value, found.low, found.high))
    return (
        row.name, family, one.terms, *_benchmarks_of(row, values), *numbers, found.prompts, len(one.runs), found.seeds,
        None if found.refused else found.scope, one.p, p_holm,
        margin, verdict_of(p_holm, shown) if shown else None, found.voided, primary, registered if primary else None,
        found.refused,
    )  # fmt: skip


def _asked(row: AnyRow) -> tuple[str | None, str | None]:
    """The margin in words, and what the verdict is called that a test of the row may show."""
    if isinstance(row, Joint) and row.asks == "spread":
        return _margin(row.equivalence, None), None if row.equivalence is None else EQUIVALENT
    if isinstance(row, Joint) and row.margin is None:
        return None, ALL_GAIN
    if row.margin is None:
        return None, None
    return _margin(*_sizes(row.margin)), EQUIVALENT if row.margin.equivalence is not None else NOT_INFERIOR


def _sizes(margin: Margin) -> tuple[float | None, float | None]:
    return margin.equivalence, margin.non_inferiority


def _margin(equivalence: float | None, non_inferiority: float | None) -> str | None:
    if equivalence is not None:
        return f"{WITHIN} {equivalence:g}"
    return None if non_inferiority is None else f"above -{non_inferiority:g}"


def _benchmarks_of(row: AnyRow, values: Values) -> tuple[str, str]:
    """How its benchmarks are called, and its measure with their k, where they have one."""
    if isinstance(row, Joint):
        labels = list(dict.fromkeys(_benchmarks_of(member, values) for member in row.members))
        names, measures = (list(dict.fromkeys(column)) for column in zip(*labels, strict=True))
        first = row.members[0]
        several = OVER_DELTAS if isinstance(first, DeltaRow) else first.measure
        return "; ".join(names), measures[0] if len(measures) == 1 else several
    if isinstance(row, DeltaRow):
        return "", row.value
    samples = {values[name, row.measure].samples for name in row.benchmarks if (name, row.measure) in values}
    return row.label, f"{row.measure}@{samples.pop()}" if len(samples) == 1 else row.measure


def contrast_messages(contrasts: pl.DataFrame) -> Iterator[str]:
    """A line for each reason why contrasts have no result, with the first of them; and for each that is of deltas some
    of which there are not."""
    refused = contrasts.drop_nulls("refused").group_by("refused", maintain_order=True).agg("contrast", "primary")
    for why, names, primary in refused.rows():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"contrasts.{names[0]}{' (primary)' if primary[0] else ''}{more}: no result: {why}"
    for name, voided, n in contrasts.filter(scope=PROMPTS, runs=0).select("contrast", "voided", "n").rows():
        if voided:
            yield f"contrasts.{name}: {voided} of {n} prompts have a pair without a value, and count by their others"


def contrast_metrics(contrasts: pl.DataFrame) -> dict[str, object]:
    """Of each contrast that has a result its numbers; those of a member of a family within the family's."""
    numbers = ("estimate", "ci_low", "ci_high", "p", "p_holm")
    tree: dict[str, Any] = {}
    for row in contrasts.filter(pl.col("refused").is_null()).iter_rows(named=True):
        place = tree
        for part in filter(None, row["contrast"].split(".")):  # a metric's key has no dot
            place = place.setdefault(part, {})
        place.update({name: row[name] for name in numbers if row[name] is not None})
    return tree
