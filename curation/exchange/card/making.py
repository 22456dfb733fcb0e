"""How rows were made before any was selected: sources, generators, and how many came through."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.core.canonical import canonical
from curation.core.text import say_count
from curation.exchange.card.facts import Facts, model_name
from curation.exchange.card.markdown import NO_BREAK, code, filled, listed, section, share, table, text

SOURCES = {
    "reasoning_gym": "made from templates by reasoning-gym",
    "table": "prompts from a file",
    "pairs": "a preference set",
}
STATUSES = {
    "truncated": "cut off at the limit of tokens, with an answer begun",
    "unfinished": "cut off while reasoning, without an answer",
    "refused": "refused",
    "no_text": "without a text",
    "failed": "failed",
}


def making(facts: Facts) -> list[str]:
    """The sections on how rows were made."""
    return section(
        "How it was made",
        section("Prompts", _sources(facts), level=3),
        section("Generators", _generators(facts), level=3),
        section("From prompts to candidate pairs", _flow(facts), level=3),
    )


def _sources(facts: Facts) -> list[str]:
    counts = {
        row["source"]: f"{row['n']:,}"
        for row in facts.ask("prompts", "select source, count(*) as n from prompts group by all")
    }
    rows = [
        (code(name), SOURCES[source.kind], source.split.replace("_", " "), counts.get(name), _holds(source),
         source.instruction and text(source.instruction), facts.licence("sources", name))
        for name, source in facts.study.sources.items()
    ]  # fmt: skip
    head = ("source", "is", "split", "prompts", "holds", "every prompt ends in", "license")
    return filled(head, rows, ["prompts"])


def _holds(source: Any) -> str:
    if source.kind == "reasoning_gym":
        return ", ".join(f"{code(task)} ({settings.prompts})" for task, settings in source.tasks.items())
    if source.dataset is not None:
        return f"{code(source.dataset.name)}, {code(source.dataset.split)} at {code(source.dataset.revision[:12])}"
    return code(Path(source.path).name)


def _generators(facts: Facts) -> Iterator[str]:
    """Who wrote traces, whether params.yaml names them or a preference set does."""
    rows = facts.ask("traces", """
        select generator, any_value(family) as family, any_value(scale_b) as scale, count(*) as n,
            count(*) filter (status = 'complete') as complete, count(reasoning) as reasoned,
            count(*) filter (status in ('truncated', 'unfinished')) as cut
        from traces group by generator order by generator""")  # fmt: skip
    head = ("generator", "model", "family", "size", "traces", "complete", "cut off", "with reasoning", "license")
    numbers = ("size", "traces", "complete", "cut off", "with reasoning")
    yield from filled(head, [_generator(facts, row) for row in rows], numbers)
    sampled: dict[str, list[str]] = {}
    for name, settings in facts.study.generators.items():
        if said := _sampling(settings):
            sampled.setdefault(said, []).append(code(name))
    for said, names in sampled.items():
        yield from (f"{listed(names)}: {said}.", "")


def _generator(facts: Facts, row: dict[str, Any]) -> tuple[str | None, ...]:
    settings = facts.study.generators.get(row["generator"])
    model, revision = (getattr(settings, name, None) for name in ("model", "revision"))
    pinned = f" at {code(str(revision).removeprefix('sha256:')[:12])}" if revision else ""
    counts = (row["n"], row["complete"], row["cut"], row["reasoned"] or None)
    return (
        code(row["generator"]), f"{code(model_name(str(model)))}{pinned}" if model else None, code(row["family"] or ""),
        None if row["scale"] is None else f"{row['scale']:g}{NO_BREAK}B",
        *(None if count is None else f"{count:,}" for count in counts), facts.licence("generators", row["generator"]),
    )  # fmt: skip


def _sampling(settings: Any) -> str | None:
    """How a model was asked for traces; null where params.yaml does not say."""
    sampling = getattr(settings, "sampling", None)
    if sampling is None:
        return None
    system = f"; its system message: {code(settings.system)}" if settings.system else ""
    extra = f", {code(canonical(sampling.extra))}" if sampling.extra else ""
    return (
        f"{say_count(sampling.samples, 'sample')} a prompt at temperature {sampling.temperature:g}, top-p "
        f"{sampling.top_p:g}, top-k {sampling.top_k}, at most {sampling.max_tokens} tokens, seed "
        f"{sampling.seed}{extra}{system}"
    )


def _flow(facts: Facts) -> Iterator[str]:
    rows: list[tuple[str, str]] = []
    for row in facts.ask(
        "decontamination", "select count(*) as n, count(*) filter (kept) as kept from decontamination"
    ):
        dropped = row["n"] - row["kept"]
        rows += [("train prompts", f"{row['n']:,}"), ("… dropped in decontamination", f"{dropped:,}")]
    found = facts.ask("traces", "select status, count(*) as n from traces group by all order by all")
    if found:
        rows.append(("traces", f"{sum(row['n'] for row in found):,}"))
        rows += [(f"… {STATUSES[row['status']]}", f"{row['n']:,}") for row in found if row["status"] in STATUSES]
    for row in facts.ask("pairs", """
        select count(*) as n, count(*) filter (identical) as identical, count(distinct prompt_id) as prompts
        from pairs"""):  # fmt: skip
        rows.append(("candidate pairs", f"{row['n']:,}"))
        rows += (
            [("… of identical texts, which no selection keeps", f"{row['identical']:,}")] if row["identical"] else []
        )
        rows.append(("prompts of candidate pairs", f"{row['prompts']:,}"))
    yield from table(("from", "number"), rows, ["number"])
    if rows:
        yield from (_pairing(facts), "")


def _pairing(facts: Facts) -> str:
    settings = facts.study.pair
    ladder = ", ".join(code(name) for name in settings.ladder)
    order = {
        "ladder": f"Of two traces of a prompt the chosen one is by the generator that stands first in {ladder}.",
        "scale": "Of two traces of a prompt the chosen one is by the generator with more parameters.",
        "both": "Every two traces of a prompt are two pairs, one for each order.",
        "listed": "Pairs and their order are those of the preference set.",
    }[settings.order]
    samples = {"matched": " Sample i stands against sample i.", "all": " Every sample stands against every other."}
    return order if settings.order == "listed" else order + samples[settings.samples]


def say_writers(facts: Facts, arm: str) -> dict[str, str]:
    """Of each side of an arm's pairs the generator that wrote most of it, and how many."""
    rows = facts.ask("subsets traces", """
        select side, generator, count(*) as n, sum(count(*)) over (partition by side)::bigint as pairs
        from (select 'chosen' as side, chosen_trace_id as trace_id from subsets where selection = $arm
              union all select 'rejected', rejected_trace_id from subsets where selection = $arm)
        join traces using (trace_id)
        group by side, generator
        qualify row_number() over (partition by side order by count(*) desc, generator) = 1
        order by side""", arm=arm)  # fmt: skip
    return {row["side"]: f"{code(row['generator'])}, {share(row['n'], row['pairs'])}" for row in rows}
