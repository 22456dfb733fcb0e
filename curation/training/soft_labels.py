"""Which pairs a method that learns from soft labels has no use for, and what is said of them."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import polars as pl

from curation.core.messages import first_names
from curation.core.text import say_count
from curation.tables.measurements import NEAR_HALF

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method

Loss = Literal["conservative", "robust"]
WHY = {  # by reason: what is the matter, and what helps
    "uncalibrated": ("have no p_chosen", "`require` in the selection that its p_chosen is not null"),
    "undecided": (
        f"have a p_chosen within {NEAR_HALF} of 0.5, where robust DPO weighs a pair more than tenfold",
        f"`require` in the selection that its p_chosen is at least {0.5 + NEAR_HALF}",
    ),
}
MOST_NAMED = 3  # pairs in a message


def why_unusable(loss: Loss) -> pl.Expr:
    """Of each pair, by its column p_chosen, why the loss has no use for it: `uncalibrated` where it has none,
    `undecided` where robust DPO would divide by nearly nothing, and null where it has."""
    p = pl.col("p_chosen")
    unknown = pl.when(p.is_null()).then(pl.lit("uncalibrated"))
    # rounded, so that 0.55 is as near to 0.5 as 0.45 is
    near = (p - 0.5).abs().round(9) < NEAR_HALF
    return unknown.when(near).then(pl.lit("undecided")) if loss == "robust" else unknown


def say_unusable(reasons: pl.DataFrame, rows: int) -> Iterator[str]:
    """A sentence for each reason among those of so many rows. `reasons` has the row_id and the `reason` of those that
    are not used."""
    for reason, (matter, way_out) in WHY.items():
        ids = reasons.filter(reason=reason)["row_id"].sort().to_list()
        if ids:
            named = first_names(map(str, ids), MOST_NAMED)
            others = ", or set the method's unusable: leave_out" if len(ids) < rows else ""
            yield (f"{len(ids)} of {say_count(rows, 'pair')} {matter} (pair_id {named}): {way_out}{others}")


def find_refused(examples: pl.DataFrame, methods: Mapping[str, "Method"]) -> list[str]:
    """A line for each arm and method of `examples` with pairs that the method refuses, or of which it would leave out
    all."""
    lines = []
    unusable = {name: getattr(method, "unusable", None) for name, method in methods.items()}
    asked = examples.filter(pl.col("method").is_in([name for name, way in unusable.items() if way])).sort(
        "arm", "method"
    )
    for (arm, method), rows in asked.group_by("arm", "method", maintain_order=True):
        unused = rows.filter(pl.col("dropped").is_in([*WHY])).select("row_id", reason="dropped").unique()
        pairs = rows["row_id"].n_unique()
        if unusable[str(method)] == "refuse" or unused.height == pairs:
            lines += [f"arm {arm}: methods.{method}: {line}" for line in say_unusable(unused, pairs)]
    return lines
