"""Pairs that are worth a look, each with the reason why."""

from collections.abc import Iterator, Mapping

from curation.explore.report.asking import Asked, Row

EACH, MOST_RANKINGS = 2, 8  # pairs of each sort; selections whose rankings are looked at
RANKED = """
select selection, pair_id, margin, reason from selections
where selection = $name and margin is not null and reason in ('kept', 'over_budget')
"""
DELTAS = """
with spread as (
    select judge, dimension, stddev_pop(delta) as sd from deltas where delta is not null group by all having sd > 0
), scaled as (
    select d.pair_id, d.judge, d.dimension, d.delta, d.delta / s.sd as z
    from deltas as d join spread as s using (judge, dimension) join pairs as p using (pair_id)
    where d.delta is not null and not p.identical
)
"""
AGAINST_TRUTH = (
    DELTAS
    + """
select a.pair_id, a.judge, a.dimension, a.delta, t.chosen, t.rejected
from scaled as a join truth as t using (pair_id)
where a.judge <> $truth and (t.chosen - t.rejected) * a.z < 0
qualify row_number() over (partition by a.pair_id order by abs(a.z) desc, a.judge, a.dimension) = 1
order by abs(a.z) desc, a.pair_id limit $most
"""
)
AGAINST_EACH_OTHER = (
    DELTAS
    + """
, ends as (
    select pair_id, arg_max(judge || '.' || dimension, z) as high_of, max(z) as high, arg_max(delta, z) as high_delta,
        arg_min(judge || '.' || dimension, z) as low_of, min(z) as low, arg_min(delta, z) as low_delta
    from (select * from scaled order by judge, dimension) where judge <> $truth group by pair_id
)
select * from ends where high > 0 and low < 0 order by least(high, -low) desc, pair_id limit $most
"""
)
FLIPS = """
select a.pair_id, a.judge, a.dimension, a.verdict as one, b.verdict as other,
    abs(coalesce(a.strength, 1) - coalesce(b.strength, -1)) as gap
from preferences as a
join preferences as b using (pair_id, judge, dimension, repeat)
where a."order" < b."order" and a.verdict <> b.verdict
qualify row_number() over (partition by a.pair_id order by gap desc, a.judge, a.dimension) = 1
order by gap desc, a.pair_id limit $most
"""
LENGTHS = """
select p.pair_id, c.characters as longest, r.characters as shortest
from pairs as p
join traces as c on c.trace_id = p.chosen_trace_id
join traces as r on r.trace_id = p.rejected_trace_id
where not p.identical and c.characters > 0 and r.characters > 0
order by abs(ln(c.characters / r.characters)) desc, p.pair_id limit $most
"""


def choose_pairs(asked: Asked) -> Iterator[tuple[str, str, int]]:
    """Of each pair to look at its sort, why it is there in words, and its id. A pair may be there for several."""
    kinds = {name: one.keep.kind for name, one in asked.study.selections.items() if one.value is not None}
    ranked = [name for name, kind in kinds.items() if kind in ("top", "bottom")]
    for name in ranked[:MOST_RANKINGS]:
        yield from _of_ranking(asked, name, kinds[name] == "top")
    truth = asked.study.reliability.truth or ""
    for row in asked.ask("deltas pairs truth", AGAINST_TRUTH, truth=truth, most=EACH) if truth else ():
        right = "chosen" if row["chosen"] > row["rejected"] else "rejected"
        why = f"{row['judge']}.{row['dimension']} has {row['delta']:+.3g}, where {truth} says that {right} is right"
        yield "A judge against the truth", why, row["pair_id"]
    for row in asked.ask("deltas pairs", AGAINST_EACH_OTHER, truth=truth, most=EACH):
        why = f"{row['high_of']} has {row['high_delta']:+.3g}, {row['low_of']} {row['low_delta']:+.3g}"
        yield "Judges against each other", why, row["pair_id"]
    for row in asked.ask("preferences", FLIPS, most=EACH):
        why = f"{row['judge']}.{row['dimension']} says {row['one']} in one order, {row['other']} in the other"
        yield "Flips between orders", why, row["pair_id"]
    for row in asked.ask("pairs traces", LENGTHS, most=EACH):
        why = f"chosen has {row['longest']:,} characters, rejected {row['shortest']:,}"
        yield "Longest against shortest", why, row["pair_id"]


def _of_ranking(asked: Asked, name: str, highest_first: bool) -> Iterator[tuple[str, str, int]]:
    down, up = ("desc", "asc") if highest_first else ("asc", "desc")
    asks = (
        ("First", f"{RANKED} order by margin {down}, pair_id limit $most"),
        ("Last kept", f"{RANKED} and reason = 'kept' order by margin {up}, pair_id limit $most"),
        ("First left out", f"{RANKED} and reason = 'over_budget' order by margin {down}, pair_id limit $most"),
        ("Last", f"{RANKED} order by margin {up}, pair_id limit $most"),
    )
    for sort, question in asks:
        for row in asked.ask("selections", question, name=name, most=1):
            why = f"margin {row['margin']:.4g}, {row['reason'].replace('_', ' ')}"
            yield f"{sort} in the ranking of {name}", why, row["pair_id"]


def describe_pairs(asked: Asked, most: int) -> list[Row]:
    """The pairs to look at: `sort`, `why`, the prompt, both sides for the macro `sides`, and the judges' deltas and
    rationales; of each text at most so many characters, with a word on how many are left out."""
    chosen: dict[int, list[tuple[str, str]]] = {}
    for sort, why, pair_id in choose_pairs(asked):
        chosen.setdefault(pair_id, []).append((sort, why))
    rows = {row["pair_id"]: row for row in asked.ask("pairs prompts traces", """
        select p.pair_id, q.prompt[-1].content as prompt, len(q.prompt) as messages,
            p.chosen_trace_id, p.rejected_trace_id
        from pairs as p join prompts as q using (prompt_id) where list_contains($ids, p.pair_id)""",
        ids=list(chosen))}  # fmt: skip
    ids = [row[f"{side}_trace_id"] for row in rows.values() for side in ("chosen", "rejected")]
    traces = {row["trace_id"]: row for row in asked.ask("traces", """
        select trace_id, generator, sample_index, status, reasoning, completion from traces
        where list_contains($ids, trace_id)""", ids=ids)}  # fmt: skip
    said = _by(asked.ask("judgments", """
        select trace_id as key, judge, dimension, rationale from judgments
        where list_contains($ids, trace_id) and rationale is not null order by all""", ids=ids))  # fmt: skip
    verdicts = _by(asked.ask("preferences", """
        select pair_id as key, judge, dimension, "order", verdict, status, rationale from preferences
        where list_contains($ids, pair_id) order by all""", ids=list(chosen)))  # fmt: skip
    deltas = _by(asked.ask("deltas", """
        select pair_id as key, judge, dimension, chosen, rejected, delta from deltas
        where list_contains($ids, pair_id) order by all""", ids=list(chosen)))  # fmt: skip
    return [
        {
            "pair_id": pair_id, "reasons": reasons,
            "prompt": cut(rows[pair_id]["prompt"], most), "messages": rows[pair_id]["messages"],
            **{side: _side(traces, said, rows[pair_id][f"{side}_trace_id"], most) for side in ("chosen", "rejected")},
            "deltas": deltas.get(pair_id, []),
            "verdicts": [row | {"rationale": cut(row["rationale"], most)} for row in verdicts.get(pair_id, [])],
        }
        for pair_id, reasons in chosen.items() if pair_id in rows
    ]  # fmt: skip


def _side(traces: Mapping[int, Row], said: Mapping[int, list[Row]], trace_id: int, most: int) -> Row:
    row = traces[trace_id]
    texts = {name: cut(row[name], most) for name in ("reasoning", "completion")}
    because = {f"{one['judge']}.{one['dimension']}": cut(one["rationale"], most) for one in said.get(trace_id, [])}
    return row | texts | {"facts": {"status": row["status"], **because}}


def _by(rows: list[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.pop("key"), []).append(row)
    return grouped


def cut(text: str | None, most: int) -> str | None:
    """A text of at most so many characters, and how many more it has."""
    if text is None or len(text) <= most:
        return text
    return f"{text[:most]}\n… {len(text) - most:,} more characters; `curation why` shows them"
