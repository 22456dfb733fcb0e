"""How much better the chosen answer is, by judge and dimension: a picture and a table for each arm."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.core.plots import BLUE, GREY, INK, figure_of, save
from curation.core.text import shorten
from curation.exchange.card.facts import Facts
from curation.exchange.card.markdown import code, details, filled, number, section, share, tag

FOLDER = "pictures"
BINS = 21
LONGEST = 34  # letters of a panel's title


def deltas(facts: Facts) -> list[str]:
    """The section on deltas; its pictures are written."""
    parts = [line for arm in facts.paired for line in _of_arm(facts, arm)]
    told = [
        "A delta is the chosen answer's rating less the rejected one's. Grey are all candidates, blue the rows, each "
        "as shares of its own; the line is the rows' mean.", ""
    ]  # fmt: skip
    return section("Deltas by dimension", told if parts else [], parts)


def _of_arm(facts: Facts, arm: str) -> Iterator[str]:
    rows = _means(facts, arm)
    if not rows:
        return
    name = f"{FOLDER}/deltas-{arm}.png"
    _draw(facts, arm, rows, facts.folder / name)
    widest = max(rows, key=lambda row: (abs(row["mean"]), row["judge"], row["dimension"]))
    alt = (
        f"Histograms of the deltas of {arm} beside those of all candidates, a panel for each of {len(rows)} judges' "
        f"dimensions; the largest mean is {number(widest['mean'], signed=True)}, of {widest['judge']} "
        f"{widest['dimension']}"
    )
    yield from (f"{code(arm)}:", "", f"![{alt}]({name})", "")
    head = ("judge", "dimension", "pairs", "mean delta", "of all candidates", "above 0", "within the judge's noise")
    right = ("pairs", "mean delta", "of all candidates")
    yield from details(f"Mean deltas of {tag(arm)}", filled(head, [_cells(row) for row in rows], right))


def _cells(row: dict[str, Any]) -> tuple[str | None, ...]:
    noise = share(row["noise"], row["flagged"]) if row["flagged"] else None
    means = (number(row[name], signed=True) for name in ("mean", "of_all"))
    return (
        code(row["judge"]), f"`{row['dimension']}`", f"{row['n']:,}", *means, share(row["above"], row["n"]), noise
    )  # fmt: skip


# of a row whose labels are reversed the delta is that of its pair turned round
DELTAS = """
    with own as (
        select pair_id, if(s.chosen_trace_id = p.chosen_trace_id, 1, -1) as sign
        from subsets as s join pairs as p using (pair_id) where selection = $arm
    )
    select judge, dimension, delta, delta * sign as of_row, within_noise
    from deltas left join own using (pair_id) where delta is not null
"""


def _means(facts: Facts, arm: str) -> list[dict[str, Any]]:
    """Of each judge and dimension that rated rows of the arm: how many, their mean delta, and that of candidates."""
    return facts.ask("deltas pairs subsets", f"""
        select judge, dimension, count(of_row) as n, exact_mean(of_row) as mean, exact_mean(delta) as of_all,
            count(*) filter (of_row > 0) as above, max(abs(delta)) as largest,
            count(*) filter (within_noise and of_row is not null) as noise,
            count(*) filter (within_noise is not null and of_row is not null) as flagged
        from ({DELTAS}) group by all having count(of_row) > 0 order by judge, dimension""", arm=arm)  # fmt: skip


def _bins(facts: Facts, arm: str) -> dict[tuple[str, str], tuple[list[int], list[int]]]:
    """Of each judge and dimension how many deltas are in each of BINS, which are equally wide and symmetrical about 0:
    candidates', and rows'."""
    rows = facts.ask("deltas pairs subsets", f"""
        with rated as ({DELTAS}),
        ends as (select judge, dimension, coalesce(nullif(max(abs(delta)), 0), 1) as reach from rated group by all),
        sides as (
            select judge, dimension, delta as value, false as own from rated
            union all select judge, dimension, of_row, true from rated where of_row is not null
        )
        select judge, dimension, own, least(floor((value / reach + 1) / 2 * {BINS}), {BINS - 1})::int as bin,
            count(*) as n
        from sides join ends using (judge, dimension) group by all order by all""", arm=arm)  # fmt: skip
    found: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
    for row in rows:
        sides = found.setdefault((row["judge"], row["dimension"]), ([0] * BINS, [0] * BINS))
        sides[row["own"]][row["bin"]] = row["n"]
    return found


def _draw(facts: Facts, arm: str, rows: list[dict[str, Any]], file: Path) -> None:
    figure, axes = figure_of(len(rows), columns=3, width=2.7, height=1.9)
    counts = _bins(facts, arm)
    for axis, row in zip(axes, rows, strict=False):
        reach = row["largest"] or 1.0
        ends = [-reach + 2 * reach * at / BINS for at in range(BINS + 1)]
        every, own = counts[row["judge"], row["dimension"]]
        axis.stairs([n / sum(every) for n in every], ends, color=GREY, fill=True, alpha=0.5)
        axis.stairs([n / sum(own) for n in own], ends, color=BLUE, linewidth=1.4)
        axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axis.axvline(row["mean"], color=INK, linewidth=1)
        axis.set_title(shorten(f"{row['judge']}: {row['dimension']}", LONGEST), fontsize=8)
        axis.tick_params(labelsize=6)
        axis.locator_params(axis="both", nbins=4)
    save(figure, file)
