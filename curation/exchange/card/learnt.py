"""What was learnt with the rows: the declared contrasts, or where there are none the gains of their arms."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from curation.exchange.card.deltas import FOLDER
from curation.exchange.card.facts import Facts
from curation.exchange.card.markdown import code, details, filled, interval, number, section, text
from curation.experiment.contrast_rows import expand_all
from curation.experiment.estimate import PROMPTS, SEEDS, THIS_RUN
from curation.experiment.forest import find_slopes, forest
from curation.tables.contracts import empty
from curation.tables.measurements import CONTRASTS

MOST_OPEN = 8  # contrasts of a table that is not folded
PICTURE = f"{FOLDER}/contrasts.png"
SCOPES = {SEEDS: "other prompts and seeds", PROMPTS: "other prompts", THIS_RUN: "other prompts, these runs alone"}
REGISTERED = {
    "registered": "It was registered before its results were seen.",
    "after_results": "It was registered when there were results already.",
    "differs": "It is not the one that was registered.",
    "missing": "It was not registered.",
    None: "It was not registered.",
}


def learnt(facts: Facts) -> list[str]:
    """The section on what training on the rows gave; the picture of the contrasts is written."""
    return section("What was learnt with it", list(_contrasts(facts)) or list(_gains(facts)))


def _contrasts(facts: Facts) -> Iterator[str]:
    rows = facts.ask("contrasts", "select * from contrasts")
    if not rows:
        return
    declared = [row.name for row in expand_all(facts.study)]
    places = {name: at for at, name in enumerate(declared)}
    rows.sort(key=lambda row: (not row["primary"], places.get(row["contrast"], len(places)), row["contrast"]))
    yield from _primary(rows)
    if answered := [row for row in rows if row["estimate"] is not None]:
        forest(pl.DataFrame(answered, empty(CONTRASTS).schema), find_slopes(facts.study), facts.folder / PICTURE)
        yield from (f"![{_alt(answered)}]({PICTURE})", "")
    head = ("contrast", "benchmark", "estimate", "95 %", "prompts", "runs", "holds for", "p (Holm)", "margin", "shown",
            "no result")  # fmt: skip
    lines = filled(head, [_cells(row) for row in rows], ["estimate", "95 %", "prompts", "runs", "p (Holm)"])
    yield from details(f"All {len(rows)} in numbers", lines) if len(rows) > MOST_OPEN else lines


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    name = code(row["contrast"])
    said = [row[column] and text(row[column]) for column in ("margin", "verdict", "refused")]
    return (
        f"**{name}**" if row["primary"] else name, code(row["benchmark"]), number(row["estimate"], signed=True),
        interval(row["ci_low"], row["ci_high"], signed=True), f"{row['n']:,}", row["runs"] or None,
        SCOPES.get(row["scope"]), _p(row["p_holm"]), *said,
    )  # fmt: skip


def _primary(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The primary contrast in words; that there is none."""
    primary = [row for row in rows if row["primary"]]
    if not primary:
        yield from ("No contrast was declared the primary one.", "")
    for row in primary:
        ends = interval(row["ci_low"], row["ci_high"], signed=True)
        came = f"came to {number(row['estimate'], signed=True)}{f' ({ends})' if ends else ''}"
        outcome = came if row["refused"] is None else f"has no result: {text(row['refused'])}"
        yield f"The primary contrast {code(row['contrast'])}, {code(row['terms'])} on {code(row['benchmark'])},"
        yield from (f"{outcome}. {REGISTERED[row['registered']]}", "")


def _gains(facts: Facts) -> Iterator[str]:
    """Of the released arms, what each method gained from them."""
    shown = []
    for name in facts.arms:
        if name not in facts.study.arms:
            continue
        selection, generator_pairs, budget, control, _ = facts.study.arms[name]
        rows = facts.ask("comparisons", """
            select * from comparisons
            where selection = $selection and generator_pairs = $generator_pairs and budget = $budget
                and control = $control and gain is not null
            order by measure, benchmark, against, method""",
            selection=selection, generator_pairs=generator_pairs, budget=budget, control=control)  # fmt: skip
        shown += [(code(name), *_gain(row)) for row in rows]
    if shown:
        yield from ("No contrast was declared. These are the gains of the arms, with 95 % intervals.", "")
    head = ("arm", "method", "over", "benchmark", "measure", "gain", "95 %", "prompts", "holds for", "p (Holm)")
    yield from filled(head, shown, ["gain", "95 %", "prompts", "p (Holm)"])


def _gain(row: dict[str, Any]) -> tuple[str | None, ...]:
    named = [code(row[name]) for name in ("method", "against", "benchmark", "measure")]
    ends = interval(row["ci_low"], row["ci_high"], signed=True)
    n = None if row["n"] is None else f"{row['n']:,}"
    return (*named, number(row["gain"], signed=True), ends, n, SCOPES.get(row["scope"]), _p(row["p_holm"]))


def _alt(rows: list[dict[str, Any]]) -> str:
    """What the picture of the contrasts shows, for who cannot see it."""
    above = sum(row["ci_low"] is not None and row["ci_low"] > 0 for row in rows)
    below = sum(row["ci_high"] is not None and row["ci_high"] < 0 for row in rows)
    return (
        f"Forest plot of {len(rows)} contrasts with their 95 % intervals: {above} lie wholly above 0, {below} wholly "
        "below; the table below has the numbers"
    )


def _p(value: float | None) -> str | None:
    return None if value is None else f"{value:.2g}"
