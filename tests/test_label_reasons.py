"""Why a trace is an example or is none: the numbers that are said are those that SQL counts over the tables.

Kinds of fault: a rank among others than those that could be taken; a trace that is named as the one that stays, or
stands against, and is not; a reason without words."""

from typing import Any

import duckdb
import pytest
from test_labelled import TABLES, made
from test_why_sql import DRAW

from curation.selection.label_reasons import explain_label

POOL = """
with rated as (select trace_id, avg(score) as mean from judgments where score is not null group by 1),
labelled as (
    select trace_id, prompt_id, text_id, case mean when 1 then true when 0 then false end as label
    from traces join prompts using (prompt_id) left join rated using (trace_id)
    where split = 'train' and trim(completion) <> '' {met}
),
texts as (
    select *, min(trace_id) over same as first, count(distinct label) over same as labels,
        min(trace_id) filter (label) over same as up, min(trace_id) filter (not label) over same as down
    from labelled where label is not null window same as (partition by prompt_id, text_id)
)
"""


@pytest.mark.parametrize("budget", [None, {"traces": 0}, {"traces": 20}, {"share": 0.3}, {"traces": 99999}])
@pytest.mark.parametrize("short", [False, True])
def test_every_number_of_a_label_is_what_sql_counts(budget: Any, short: bool) -> None:
    labelled = made(seed=3, budget=budget, require={"short": "characters < 4"} if short else {})
    db = duckdb.connect()
    db.execute(DRAW)
    for name, rows in TABLES.items():
        db.register(name, rows.to_arrow())
    pool = POOL.format(met="and characters < 4" if short else "")
    texts = {
        row[0]: row
        for row in db.execute(f"{pool} select trace_id, labels, first, up, down, label from texts").fetchall()
    }
    ranks = dict(db.execute(
        f"{pool} select trace_id, row_number() over (order by draw(trace_id, 3)) from texts "
        "where labels = 1 and trace_id = first"
    ).fetchall())  # fmt: skip
    room = {"traces": int, "share": lambda share: int(share * len(ranks) + 1e-9)}
    most = min(len(ranks), *(room[unit](amount) for unit, amount in (budget or {}).items()), len(ranks))
    reasons = set()
    for trace in labelled.traces.rows["trace_id"]:
        why = explain_label(labelled, 3, trace)
        assert why is not None and why.words
        said, reason = why.numbers, why.reason
        reasons.add(reason)
        if trace in ranks:
            assert reason == ("kept" if ranks[trace] <= most else "over_budget")
            assert said == {"label": texts[trace][5], "rank": ranks[trace], "of": len(ranks), "room": most}
        elif trace not in texts:
            assert reason in ("short", "unlabelled")
        elif texts[trace][1] == 1:
            assert (reason, said["stays"]) == ("repeated", texts[trace][2])
        else:
            assert (reason, said["against"]) == ("both_labels", texts[trace][4 if texts[trace][5] else 3])
    assert reasons >= {"unlabelled", "both_labels", "repeated"} and ("short" in reasons) is short
    assert explain_label(labelled, 3, 7_000_000) is None
