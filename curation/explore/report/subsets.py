"""Selections beside their controls, and what the checks warn of."""

from collections.abc import Iterator

from curation.core.text import clip
from curation.explore.report.asking import Asked, Row
from curation.tables.ask import answer
from curation.tables.checks import read_checks

MOST_SHOWN, MOST_LETTERS = 20, 300  # rows of a check, and letters of each
SUBSETS = """
with named as (
    select distinct selection as subset, selection as own, '' as control from selections
    union all
    select arm, selection, control from arms
), sided as (
    select s.selection as subset, s.pair_id, s.prompt_id, s.margin,
        c.characters as chosen, r.characters as rejected, c.generator as chosen_by, r.generator as rejected_by
    from subsets as s
    join traces as c on c.trace_id = s.chosen_trace_id
    join traces as r on r.trace_id = s.rejected_trace_id
), kept as (select selection as own, pair_id from subsets)
select n.own, n.control, n.subset, count(*) as pairs, count(distinct s.prompt_id) as prompts,
    exact_mean(s.margin) as margin, median(s.chosen) as chosen_characters,
    median(s.rejected) as rejected_characters, avg((s.chosen > s.rejected)::int) as chosen_longer,
    case when n.control <> '' then avg((k.pair_id is not null)::int) end as shared,
    mode(s.chosen_by order by s.chosen_by) as chosen_by, mode(s.rejected_by order by s.rejected_by) as rejected_by
from named as n
join sided as s using (subset)
left join kept as k on k.own = n.own and k.pair_id = s.pair_id
group by n.own, n.control, n.subset
order by n.own, n.control <> '', n.control <> 'itself', n.subset
"""
LABELLED = """
select u.selection as subset, count(*) as traces, count(*) filter (u.label) as desirable,
    count(distinct u.prompt_id) as prompts,
    median(t.characters) filter (u.label) as desirable_characters,
    median(t.characters) filter (not u.label) as undesirable_characters
from unpaired as u join subset_rules as r using (selection) join traces as t using (trace_id)
where r.examples = 'labelled' group by u.selection order by u.selection
"""
SOURCES = """
select s.selection as subset, p.source, count(*) as n from subsets as s join prompts as p using (prompt_id)
group by all order by subset, n desc, source
"""


def list_subsets(asked: Asked) -> list[Row]:
    """Each selection, then its arms: sizes, lengths, sources, the generator that wrote most of a side, how many rows
    are wrong, and how much of a control stands in its selection too."""
    sources: dict[str, dict[str, int]] = {}
    for row in asked.ask("subsets prompts", SOURCES):
        sources.setdefault(row["subset"], {})[row["source"]] = row["n"]
    found = {row["selection"]: row for row in asked.ask("findings", "select * from findings")}
    return [
        row | {"sources": sources.get(row["subset"], {}), "found": found.get(row["subset"], {})}
        for row in asked.ask("subsets selections traces", SUBSETS)
    ]


def list_labelled(asked: Asked) -> list[Row]:
    """Each subset that labels traces itself: how many, how many of them desirable, and their lengths."""
    return asked.ask("subset_rules traces unpaired", LABELLED)


def list_findings(asked: Asked) -> Iterator[Row]:
    """Of each check that warns its `name`, what it is `about`, how `many` rows it has, and the first in words. Those
    that stop a study before anything learns from it are passed by: `audit` found nothing by them, or there is no
    report."""
    thresholds = asked.study.audit.model_dump()
    for name, check in read_checks().items():
        if not check.tables <= asked.present or (check.blocking and check.when == "before_training"):
            continue
        values = {key: value for key, value in thresholds.items() if f"${key}" in check.text}
        (rows,) = answer(asked.connection, check.text, values or None)
        if rows.height:
            about = " ".join(line[3:] for line in check.text.splitlines()[1:] if line.startswith("-- "))
            for key, value in values.items():
                about = about.replace(f"${key}", f"{value:g}")
            said = [clip(_say(row), MOST_LETTERS) for row in rows.head(MOST_SHOWN).iter_rows(named=True)]
            parts = about.removeprefix("warning ").split("`")  # of these every second is code
            yield {"name": name, "about": parts, "many": rows.height, "rows": said,
                   "blocking": check.blocking}  # fmt: skip


def _say(row: Row) -> str:
    if "finding" in row:
        return f"{row['selection']}: {row['finding']}"
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
