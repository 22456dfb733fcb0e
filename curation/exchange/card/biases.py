"""What is known to be lopsided: of the judges, and of the rows that were selected by them."""

from collections.abc import Iterator, Mapping
from typing import Any

from curation.exchange.card.facts import Facts
from curation.exchange.card.making import say_writers
from curation.exchange.card.markdown import code, filled, number, section, share, table, with_interval
from curation.tables.findings import GRADED

OF_JUDGES = {  # measure: its column, and what it is
    "length_correlation": ("length", "correlation of the delta with the log of the ratio of lengths, 0 without a bias"),
    "length_correlation_equally_right": ("length, equally right", "the same over pairs whose sides are equally right"),
    "longer_preferred_rate": ("longer preferred", "how often the longer of two is preferred"),
    "self_preference": ("own family", "mean delta, own model family less other, 0 without a bias"),
}
OF_PAIRWISE_JUDGES = {
    "first_position_rate": ("first position", "share of verdicts for the answer shown first, 0.5 without a bias"),
    "position_bias": ("position bias", "what standing first adds to a verdict, from -1 to 1, 0 without a bias"),
    "position_inconsistency": ("flips", "how often the verdict changes with the order"),
}


def biases(facts: Facts) -> list[str]:
    """The section on biases."""
    return section(
        "Known biases",
        section("Of the rows", _of_rows(facts), level=3),
        section("Of the judges", _measured(facts, OF_JUDGES), _measured(facts, OF_PAIRWISE_JUDGES), level=3),
    )


def _measured(facts: Facts, measures: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """A line for each judge and dimension with the measures, and what their columns are."""
    rows = facts.ask(
        "reliability",
        "select * from reliability where list_contains($names, measure) and value is not null order by all",
        names=list(measures),
    )
    found = {(row["judge"], row["dimension"], row["measure"]): row for row in rows}
    shown = [
        (code(judge), f"`{dimension}`", *(with_interval(found.get((judge, dimension, name))) for name in measures))
        for judge, dimension in dict.fromkeys((row["judge"], row["dimension"]) for row in rows)
    ]
    yield from filled(("judge", "dimension", *(column for column, _ in measures.values())), shown)
    if rows:
        there = {row["measure"] for row in rows}
        means = "; ".join(f"*{column}*: {means}" for name, (column, means) in measures.items() if name in there)
        yield from (f"{means}. With 95 % intervals; bold is suspect.", "")


def _of_rows(facts: Facts) -> list[str]:
    """A line for each property, a column for each arm: of these there are few."""
    found = {row["selection"]: row for row in facts.ask("findings", "select * from findings")}
    lengths = {row["selection"]: row["ratio"] for row in facts.ask("subsets traces", """
        select selection, exp(exact_mean(ln(c.characters / r.characters))) as ratio
        from subsets join traces as c on c.trace_id = chosen_trace_id join traces as r on r.trace_id = rejected_trace_id
        where c.characters > 0 and r.characters > 0
        group by all""")}  # fmt: skip
    labels = {row["selection"]: share(row["good"], row["n"]) for row in facts.ask("unpaired", """
        select selection, count(*) filter (label) as good, count(*) as n from unpaired group by all""")}  # fmt: skip
    truth = facts.study.reliability.truth
    graded = truth is not None and facts.study.dimensions[truth][0] == GRADED
    columns = []
    for arm in facts.arms:
        pairs = _figures(found[arm], graded, lengths.get(arm), say_writers(facts, arm)) if arm in found else ()
        columns.append(dict(pairs) | {"labelled answers that are desirable": labels.get(arm)})
    names = dict.fromkeys(name for column in columns for name in column)
    lines = [(name, *(column.get(name) for column in columns)) for name in names]
    return table(("", *map(code, facts.arms)), [line for line in lines if any(line[1:])])


def _figures(
    row: dict[str, Any], graded: bool, ratio: float | None, writers: dict[str, str]
) -> Iterator[tuple[str, str | None]]:
    pairs, truths = row["pairs"], row["truths"]
    yield "the chosen one is longer", share(row["chosen_longer"], pairs)
    yield "length of the chosen to the rejected (geometric mean)", number(ratio)
    if truths and graded:
        yield "the chosen one is wrong", share(row["wrong_chosen"], truths)
    if truths:
        yield "the rejected one is better", share(row["rejected_better"], truths)
    for side in ("chosen", "rejected"):
        yield f"the {side} one was cut off", share(row[f"truncated_{side}"], pairs)
    for side, said in writers.items():
        yield f"most of the {side} ones are by", said
