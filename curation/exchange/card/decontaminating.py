"""Which train prompts were dropped because a benchmark, or another prompt, says the same."""

from collections.abc import Iterator

from curation.exchange.card.facts import Facts
from curation.exchange.card.markdown import code, listed, section, table

REASONS = {
    "kept": "kept",
    "exact": "the same words as a benchmark's prompt",
    "ngram": "shares n-grams with a benchmark's prompt",
    "near_duplicate": "nearly the same as a prompt that is kept",
}


def decontamination(facts: Facts) -> list[str]:
    """The section on decontamination: the rules, and how many prompts each dropped."""
    question = "select source, reason, count(*) as n from decontamination group by all order by all"
    rows = facts.ask("decontamination", question)
    shown = [(code(row["source"]), REASONS[row["reason"]], f"{row['n']:,}") for row in rows]
    told = [f"- {rule}" for rule in _rules(facts)] or ["No rule was applied."]
    return section("Decontamination", [*told, ""], table(("source", "verdict", "prompts"), shown, ["prompts"]))


def _rules(facts: Facts) -> Iterator[str]:
    settings, names = facts.study.decontaminate, [code(name) for name in facts.study.benchmarks]
    if (settings.exact or settings.ngram) and not names:
        yield "The study has no benchmark, so train prompts were held against none."
    elif settings.exact or settings.ngram:
        yield f"Train prompts were held against the benchmark{'s' if len(names) > 1 else ''} {listed(names)}."
    if settings.exact and names:
        yield "A prompt with the same words as a benchmark's prompt was dropped."
    if (ngram := settings.ngram) and names:
        words = f"{ngram.share * 100:g} % of its tokens in {ngram.n}-grams"
        yield f"A prompt with more than {words} that a benchmark's prompt has too was dropped."
    if near := settings.near_duplicates:
        yield f"A train prompt whose {_alike(near.shingle, near.threshold)} of a prompt that is kept was dropped."
    if again := settings.near_duplicate_responses:
        alike = _alike(again.shingle, again.threshold)
        yield f"A response whose {alike} of a kept response to the same prompt was dropped."


def _alike(shingle: int, threshold: float) -> str:
    return f"{shingle}-grams have a Jaccard similarity of {threshold:g} or more with those"
