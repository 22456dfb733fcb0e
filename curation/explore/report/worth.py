"""Pairs that are worth a look, each with the reason why."""

from collections.abc import Iterable, Iterator, Mapping

from curation.explore.report.asking import Asked, Row
from curation.explore.report.sweep import MOST, Swept
from curation.tables.contracts import SIDES

MOST_RANKINGS = 8  # selections whose rankings are looked at
RANKED = "from selections where selection = $name and margin is not null and reason in ('kept', 'over_budget')"
ENDS = f"""
select max(margin) as high, min(margin) as low,
    max(margin) filter (reason = 'kept') as high_kept, min(margin) filter (reason = 'kept') as low_kept,
    max(margin) filter (reason = 'over_budget') as high_out, min(margin) filter (reason = 'over_budget') as low_out
{RANKED}
"""
AT_ENDS = f"""
select margin, reason, min(pair_id) as pair_id {RANKED} and list_contains($ends, margin)
group by all order by pair_id
"""
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


def choose_pairs(asked: Asked, swept: Swept) -> Iterator[tuple[str, str, int]]:
    """Of each pair to look at its sort, why it is there in words, and its id. A pair may be there for several."""
    kinds = {name: one.keep.kind for name, one in asked.study.selections.items() if one.value is not None}
    ranked = [name for name, kind in kinds.items() if kind in ("top", "bottom")]
    for name in ranked[:MOST_RANKINGS]:
        yield from _of_ranking(asked, name, kinds[name] == "top")
    truth = asked.study.reliability.truth
    for row in swept.against_truth:
        right = "chosen" if row["chosen"] > row["rejected"] else "rejected"
        why = f"{row['judge']}.{row['dimension']} has {row['delta']:+.3g}, where {truth} says that {right} is right"
        yield "A judge against the truth", why, row["pair_id"]
    for row in swept.against_each_other:
        why = f"{row['high_of']} has {row['high']:+.3g}, {row['low_of']} {row['low']:+.3g}"
        yield "Judges against each other", why, row["pair_id"]
    for row in asked.ask("preferences", FLIPS, most=MOST):
        why = f"{row['judge']}.{row['dimension']} says {row['one']} in one order, {row['other']} in the other"
        yield "Flips between orders", why, row["pair_id"]
    for row in asked.ask("pairs traces", LENGTHS, most=MOST):
        why = f"chosen has {row['longest']:,} characters, rejected {row['shortest']:,}"
        yield "Longest against shortest", why, row["pair_id"]


def _of_ranking(asked: Asked, name: str, highest_first: bool) -> Iterator[tuple[str, str, int]]:
    ends = asked.ask("selections", ENDS, name=name)
    if not ends or ends[0]["high"] is None:
        return
    (end,) = ends
    known = sorted({value for value in end.values() if value is not None})
    rows = asked.ask("selections", AT_ENDS, name=name, ends=known)
    first, last = ("high", "low") if highest_first else ("low", "high")
    asks = (("First", first, None), ("Last kept", f"{last}_kept", "kept"),
            ("First left out", f"{first}_out", "over_budget"), ("Last", last, None))  # fmt: skip
    for sort, which, reason in asks:
        found = [row for row in rows if row["margin"] == end[which] and reason in (None, row["reason"])]
        for row in found[:1]:
            why = f"margin {row['margin']:.4g}, {row['reason'].replace('_', ' ')}"
            yield f"{sort} in the ranking of {name}", why, row["pair_id"]


def describe_pairs(asked: Asked, worth: Iterable[tuple[str, str, int]], most: int) -> list[Row]:
    """The pairs to look at, which `choose_pairs` chose: `reasons`, the prompt, both sides for the macro `sides`, and
    the judges' deltas and rationales; of each text at most so many characters, with a word on how many are left
    out. A trace that no table has is named, and has no text."""
    chosen: dict[int, list[tuple[str, str]]] = {}
    for sort, why, pair_id in worth:
        chosen.setdefault(pair_id, []).append((sort, why))
    rows = {row["pair_id"]: row for row in asked.ask("pairs prompts traces", """
        select p.pair_id, len(q.prompt) as messages,
            coalesce([m.content for m in q.prompt if m.role = 'user'][-1], q.prompt[-1].content) as prompt,
            p.chosen_trace_id, p.rejected_trace_id, p.chosen_model, p.rejected_model
        from pairs as p join prompts as q using (prompt_id) where p.pair_id in (select unnest($ids))""",
        ids=list(chosen))}  # fmt: skip
    ids = [row[f"{side}_trace_id"] for row in rows.values() for side in SIDES]
    traces = {row["trace_id"]: row for row in asked.ask("traces", """
        select trace_id, generator, sample_index, status, reasoning, completion from traces
        where trace_id in (select unnest($ids))""", ids=ids)}  # fmt: skip
    said = _by(asked.ask("judgments", """
        select trace_id as key, judge, dimension, rationale from judgments
        where trace_id in (select unnest($ids)) and rationale is not null order by all""", ids=ids))  # fmt: skip
    verdicts = _by(asked.ask("preferences", """
        select pair_id as key, judge, dimension, "order", verdict, status, rationale from preferences
        where pair_id in (select unnest($ids)) order by all""", ids=list(chosen)))  # fmt: skip
    deltas = _by(asked.ask("deltas", """
        select pair_id as key, judge, dimension, chosen, rejected, delta from deltas
        where pair_id in (select unnest($ids)) order by all""", ids=list(chosen)))  # fmt: skip
    return [
        {
            "pair_id": pair_id, "reasons": reasons,
            "prompt": cut(rows[pair_id]["prompt"], most), "messages": rows[pair_id]["messages"],
            **{side: _side(traces, said, rows[pair_id], side, most) for side in SIDES},
            "deltas": deltas.get(pair_id, []),
            "verdicts": [row | {"rationale": cut(row["rationale"], most)} for row in verdicts.get(pair_id, [])],
        }
        for pair_id, reasons in chosen.items() if pair_id in rows
    ]  # fmt: skip


def _side(traces: Mapping[int, Row], said: Mapping[int, list[Row]], pair: Row, side: str, most: int) -> Row:
    trace_id = pair[f"{side}_trace_id"]
    gone = dict.fromkeys(("sample_index", "reasoning", "completion"), None) | {
        "trace_id": trace_id, "generator": pair[f"{side}_model"], "status": f"no table has the trace {trace_id}",
    }  # fmt: skip
    row = traces.get(trace_id, gone)
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
