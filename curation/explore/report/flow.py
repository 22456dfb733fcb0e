"""What went in, and what came out of each step, with counts by reason."""

from collections.abc import Iterator

from curation.explore.report.asking import Asked, Row

STEPS = (  # what is counted, the views that it needs, and the question: parts, reasons and counts
    ("train prompts", "decontamination", """
        select source as part, reason, count(*) as n from decontamination group by all"""),
    ("prompts to evaluate on", "prompts", """
        select source as part, split as reason, count(*) as n from prompts where split <> 'train' group by all"""),
    ("traces", "traces", "select generator as part, status as reason, count(*) as n from traces group by all"),
    ("ratings", "judgments", "select judge as part, status as reason, count(*) as n from judgments group by all"),
    ("verdicts", "preferences", """
        select judge as part, coalesce(verdict, status) as reason, count(*) as n from preferences group by all"""),
    ("pairs", "pairs", """
        select concat(chosen_model, ' over ', rejected_model) as part,
            case when identical then 'identical texts' else 'two texts' end as reason, count(*) as n
        from pairs group by all"""),
    ("selections", "selections", """
        select selection as part, reason, count(*) as n from selections group by all"""),
    ("arms", "arms subsets", """
        select selection as part, 'pairs' as reason, count(*) as n
        from subsets where selection in (select arm from arms) group by all"""),
    ("runs", "runs", """
        select method as part, coalesce(status, 'not trained yet') as reason, count(*) as n from runs group by all"""),
)  # fmt: skip
GOOD_ENDS = (  # reasons that stand first
    "kept", "complete", "scored", "chosen", "two texts", "pairs", "trained", "given", "in_domain", "out_of_domain",
)  # fmt: skip


def count_steps(asked: Asked) -> Iterator[Row]:
    """Of each step `step`, how `many` there are in all, and its `parts`: each with a `name` and `reasons`, reason to
    count."""
    for step, needs, question in STEPS:
        parts: dict[str, dict[str, int]] = {}
        for row in asked.ask(needs, f"from ({question}) order by part, n desc, reason"):
            parts.setdefault(str(row["part"]), {})[str(row["reason"])] = row["n"]
        shown = [
            {"name": name, "n": sum(all_.values()), "reasons": dict(sorted(all_.items(), key=_stands_last))}
            for name, all_ in parts.items()
        ]
        if shown:
            yield {"step": step, "many": sum(part["n"] for part in shown), "parts": shown}


def _stands_last(reason: tuple[str, int]) -> bool:
    return reason[0] not in GOOD_ENDS
