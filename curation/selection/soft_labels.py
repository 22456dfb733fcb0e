"""Soft labels: the probability that a pair's chosen side is the better one, as a selection's `p_chosen` says it."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.selection.select import Selection
from curation.tables.contracts import DECIMALS
from curation.tables.measurements import NEAR_HALF


def p_chosen(selection: Selection, rows: np.ndarray) -> pl.Series:
    """What the selection's `p_chosen` says of the candidates with these row numbers, in their order: null where it says
    nothing, or where there is no such expression. Raises CurationError where a value is no probability."""
    text = selection.settings.p_chosen
    if text is None or not len(rows):
        return pl.repeat(None, len(rows), dtype=pl.Float64, eager=True).alias("p_chosen")
    name = str(selection.verdicts["selection"].first())
    place = f"selections.{name}."
    values = selection.pairs.values({"p_chosen": text}, place, rows)["p_chosen"].cast(pl.Float64).round(DECIMALS)
    wrong = np.flatnonzero(~values.is_between(0, 1).fill_null(value=True).to_numpy())
    if len(wrong):
        pair = selection.pairs.column("pair_id")[int(rows[wrong[0]])]
        raise CurationError(
            f"params.yaml: {place}p_chosen: {values[int(wrong[0])]:g} of pair {pair} is no probability; write an "
            "expression that gives numbers from 0 to 1, or null where it is unknown"
        )
    return values


def p_chosen_metrics(subset: pl.DataFrame) -> dict[str, object]:
    """Under `p_chosen`, how many of a subset's pairs have none, and of the others the least, the mean, the greatest and
    the share within 0.05 of 0.5; nothing where no pair has one."""
    known = subset["p_chosen"].drop_nulls()
    if known.is_empty():
        return {}
    near_half = float(((known - 0.5).abs() < NEAR_HALF).sum()) / len(known)
    ends = {"low": known.min(), "mean": round(float(known.sort().sum()) / len(known), DECIMALS), "high": known.max()}
    return {"p_chosen": {"unknown": len(subset) - len(known), **ends, "near_half": near_half}}


def p_chosen_messages(declared: bool, subset: pl.DataFrame) -> Iterator[str]:
    """What is to be known of the soft labels of a subset whose selection has `declared` some: pairs without, and labels
    that say next to nothing."""
    if not declared or subset.is_empty():
        return
    if unknown := subset["p_chosen"].null_count():
        yield (
            f"p_chosen is unknown for {unknown} of {len(subset)} pairs: a method of kind soft_dpo leaves them out or "
            "refuses them; `require` that it is not null"
        )
    known = subset["p_chosen"].drop_nulls()
    near_half = int(((known - 0.5).abs() < NEAR_HALF).sum())
    if len(known) and near_half >= 0.9 * len(known):
        yield (
            f"p_chosen is within {NEAR_HALF} of 0.5 for {near_half} of {len(known)} pairs: it hardly says which side "
            "is better"
        )
