"""How many calls a ledger holds, and whose they are: the study's own, shipped ones that it does not ask, or others."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from curation.calls.ledger import Ledger
from curation.calls.store import CACHED, IS_REPLY, counted
from curation.calls.upkeep import HIDDEN_REASONING, WITHOUT_REASONING

NAMES = (
    "of", "stage", "name", "model", "attempts", "bought", "answered", "failed", "without_reasoning",
    "hidden_reasoning", "prompt_tokens", "completion_tokens", "usd",
)  # fmt: skip
WHOSE = ("this study", "shipped", "other")

TOKENS = ("prompt", "completion", "cached")
PRICED = [f"sum(bought * (batched = {batched}) * {name})" for batched in (0, 1) for name in TOKENS]

_EVALUATED = """
    INSERT OR IGNORE INTO temp.asked
    SELECT DISTINCT key, stage, name FROM calls
    WHERE stage = 'evaluate' AND model = ? AND name IN (SELECT value FROM json_each(?))
"""
_COUNTED = f"""
    WITH attempts AS MATERIALIZED (
        SELECT iif(asked.key IS NOT NULL, 0, iif(calls.id IN (SELECT value FROM json_each(?)), 1, 2)) AS whose,
            coalesce(asked.stage, calls.stage) AS stage, coalesce(asked.name, calls.name) AS name, model,
            calls.key AS key, bought, {IS_REPLY} AS good, {WITHOUT_REASONING} AS lost, {HIDDEN_REASONING} AS hidden,
            coalesce({counted("prompt_tokens")}, 0) AS prompt,
            coalesce({counted("completion_tokens")}, 0) AS completion,
            coalesce({CACHED}, 0) AS cached, batched IS TRUE AS batched
        FROM calls LEFT JOIN temp.asked ON asked.key = calls.key
    )
    SELECT whose, stage, name, model, count(*), sum(bought), count(DISTINCT iif(good, key, NULL)), sum(NOT good),
        sum(lost), sum(hidden IS TRUE), sum(prompt), sum(completion),
        {", ".join(PRICED)}
    FROM attempts GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


class Asked(NamedTuple):
    """What a study asks: the stage and name that ask for each key; and the runs that it evaluates of `student`, since
    the keys of their calls hold weights that are not trained yet."""

    calls: Mapping[str, tuple[str, str]]
    runs: Collection[str]
    student: str


NOTHING = Asked({}, (), "")


def count_calls(ledger: Ledger, asked: Asked = NOTHING) -> list[dict[str, Any]]:
    """Per owner (of WHOSE), stage, name and model: attempts, those of them bought into this file, distinct calls
    answered, attempts that failed or are none, replies kept without their reasoning, replies whose server hides its
    reasoning, tokens, and the dollars of what was bought (0 for a model without a price).

    A call that the study asks counts under the name that asks it now, whatever it was bought as. `shipped` is in a
    file of `ledger.recorded`, `other` was asked by another study, or by an earlier version of this one.
    """
    db = ledger.db
    db.execute("CREATE TEMP TABLE asked (key TEXT PRIMARY KEY, stage TEXT, name TEXT)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO temp.asked VALUES (?, ?, ?)", ((key, *by) for key, by in asked.calls.items()))
    db.execute("COMMIT")
    db.execute(_EVALUATED, (asked.student, json.dumps(list(asked.runs))))
    rows = db.execute(_COUNTED, (json.dumps(_shipped(Path(ledger.settings.recorded))),)).fetchall()
    db.execute("DROP TABLE temp.asked")
    told = []
    for whose, stage, name, model, *counts in rows:
        *counts, live_prompt, live_said, live_cached, prompt, said, cached = counts
        usd = ledger.budget.usd(model, live_prompt, live_said, live_cached)
        usd += ledger.budget.usd(model, prompt, said, cached, batched=True)
        told.append(dict(zip(NAMES, (WHOSE[whose], stage, name, model, *counts, usd), strict=True)))
    return told


def _shipped(folder: Path) -> list[str]:
    """The ids of the rows that ship beside the study."""
    files = sorted(folder.glob("*.parquet"))
    return [key for file in files for key in pq.read_table(file, columns=["id"])["id"].to_pylist()]
