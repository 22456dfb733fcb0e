"""What the study took: calls of models with their tokens and dollars, what was learnt from, and students' answers."""

import json
from collections.abc import Iterator
from typing import Any

from curation.core.study import Study
from curation.core.text import say_count
from curation.explore.report.asking import Asked, Row
from curation.tables import contracts

ASKING = {"generate": "generators", "judge": "judges", "prefer": "pairwise_judges"}  # stage: section
WORK = (  # what was done, the views that it needs, and the question
    ("sides learnt from, an epoch", "examples", """
        select concat(method, ' ', arm) as name, count(*) filter (dropped is null) as n,
            (sum(prompt_tokens + target_tokens) filter (dropped is null))::bigint as tokens
        from examples group by all"""),
    ("updates of training", "runs updates", """
        select method as name, sum(updates)::bigint as n, null::bigint as tokens
        from runs join updates using (arm, method) where status = 'trained' group by all"""),
    ("answers of students", "results", """
        select run as name, count(*) as n, sum(n_tokens)::bigint as tokens from results group by all"""),
)  # fmt: skip


def list_calls(study: Study) -> list[Row]:
    """Of each generator and judge that asks a model, and of all students together, the distinct calls that their tables
    rest on, by the stages' metrics: `stage`, `name`, `model`, `answered`, `uncounted` (whose server counted no tokens),
    `prompt_tokens`, `completion_tokens`, and `usd` by params' prices, null of a model without one. None depends on when
    it was asked, or on what else the ledger holds."""
    rows = []
    for stage, section in ASKING.items():
        for name, body in getattr(study, section).items():
            rows += _count(study, stage, name, getattr(body, "model", ""), [_read(study, f"{stage}/{name}")])
    students = list(_read(study, "evaluate").values())
    return rows + _count(study, "evaluate", say_count(len(students), "student"), study.student.model, students)


def _read(study: Study, metrics: str) -> dict[str, Any]:
    file = study.path.parent / contracts.DATA / f"metrics/{metrics}.json"
    return json.loads(file.read_bytes()) if file.exists() else {}


def _count(study: Study, stage: str, name: str, model: str, served: list[dict[str, Any]]) -> list[Row]:
    """The row of a model's replies, each part of which was `served` on its own; none where it was not asked."""
    counts = [(how, one[how]) for one in served for how in ("calls", "batched") if how in one]
    if not counts:
        return []
    usd = sum(
        study.budget.usd(model, one["prompt_tokens"], one["completion_tokens"], one["cached_tokens"], how == "batched")
        for how, one in counts
    )
    names = ("answered", "uncounted", "prompt_tokens", "completion_tokens")
    sums = {key: sum(one[key] for _, one in counts) for key in names}
    priced = round(usd, 6) if model in study.budget.prices else None
    return [{"stage": stage, "name": name, "model": model, **sums, "usd": priced}]


def list_work(asked: Asked) -> Iterator[Row]:
    """What was done without a call, by whom: `what`, and `rows` of `name`, `n` and `tokens`."""
    for what, needs, question in WORK:
        if rows := asked.ask(needs, f"from ({question}) order by name"):
            yield {"what": what, "rows": rows}
