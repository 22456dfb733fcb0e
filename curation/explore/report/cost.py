"""What the study took: calls of models with their tokens and dollars, what was learnt from, and students' answers."""

import json
from collections.abc import Iterator

from curation.core.study import Study
from curation.explore.report.asking import Asked, Row
from curation.tables import contracts

ASKING = {"generate": "generators", "judge": "judges", "prefer": "pairwise_judges"}  # stage: section
WORK = (  # what was done, the views that it needs, and the question
    ("sides learnt from, an epoch", "examples", """
        select concat(method, ' ', arm) as name, count(*) filter (dropped is null) as n,
            (sum(prompt_tokens + target_tokens) filter (dropped is null))::bigint as tokens
        from examples group by all"""),
    ("answers of students", "results", """
        select run as name, count(*) as n, sum(n_tokens)::bigint as tokens from results group by all"""),
)  # fmt: skip


def list_calls(study: Study) -> list[Row]:
    """Of each generator and judge that asks a model the distinct calls that its table rests on, by the stages' metrics:
    `stage`, `name`, `model`, `answered`, `uncounted` (whose server counted no tokens), `prompt_tokens`,
    `completion_tokens`, and `usd` by params' prices, null of a model without one. None depends on when it was asked, or
    on what else the ledger holds."""
    rows = []
    for stage, section in ASKING.items():
        for name, body in getattr(study, section).items():
            file = study.path.parent / contracts.DATA / f"metrics/{stage}/{name}.json"
            metrics = json.loads(file.read_bytes()) if file.exists() else {}
            counts = {how: metrics[how] for how in ("calls", "batched") if how in metrics}
            if not counts:
                continue
            model = getattr(body, "model", "")
            usd = sum(
                study.budget.usd(
                    model, one["prompt_tokens"], one["completion_tokens"], one["cached_tokens"], how == "batched"
                )
                for how, one in counts.items()
            )
            names = ("answered", "uncounted", "prompt_tokens", "completion_tokens")
            sums = {key: sum(one[key] for one in counts.values()) for key in names}
            priced = round(usd, 6) if model in study.budget.prices else None
            rows.append({"stage": stage, "name": name, "model": model, **sums, "usd": priced})
    return rows


def list_work(asked: Asked) -> Iterator[Row]:
    """What was done without a call, by whom: `what`, and `rows` of `name`, `n` and `tokens`."""
    for what, needs, question in WORK:
        if rows := asked.ask(needs, f"from ({question}) order by name"):
            yield {"what": what, "rows": rows}
