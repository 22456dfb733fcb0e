"""Delimiters of reasoning that no rule read, and traces that lack what the others of their generator have. Nothing is
guessed, so it is said."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from curation.core.delimiters import CHANNEL, CLOSING, DELIMITER, OPENING

if TYPE_CHECKING:
    from curation.core.study import Study
    from curation.models.reasoning import Rule

UNREAD = pl.col("completion").str.extract(f"({DELIMITER})")
OPENS_ANSWER = re.compile(rf"({OPENING})(?:<\|message\|>)?\s*\Z", re.IGNORECASE)
SHOWN = 30  # characters of the end of a prompt
KINDS = {"<think>": "think", "</think>": "think", "[think]": "mistral", "[/think]": "mistral"}


def find_unread_by_generator(name: str, study: "Study", traces: pl.DataFrame) -> Iterator[str]:
    """What `find_unread` says of each generator of the traces that the generator `name` of the study gave. Those of a
    preference set were split when it was read, by the rule of its source."""
    settings = study.generators[name]
    place, rule = f"generators.{name}", settings.reasoning
    if source := getattr(settings, "source", None):
        place, rule = f"sources.{source}", getattr(study.sources[source], "reasoning", None)
    for (generator,), own in traces.group_by("generator", maintain_order=True):
        for line in find_unread(f"{place}.reasoning", rule, own):
            yield f"generator {generator}: {line}"


def find_unread(place: str, rule: "Rule | None", rows: pl.DataFrame) -> Iterator[str]:
    """A line about each thing of `rows`, traces of one generator or results of one run, that tells of reasoning in
    their completions, or in some of them only. `place` is where params.yaml declares the rule."""
    said = rows.filter(pl.any_horizontal(pl.col("reasoning", "completion").is_not_null()))
    delimiters = said.select(UNREAD).to_series().drop_nulls()
    if len(delimiters):
        what = f"{len(delimiters)} of {said.height} completions hold {delimiters[0]!r} or the like"
        way_out = f"set {place}: {rule_for(delimiters[0])}" if rule is None else _why_unread(place, rule, delimiters)
        yield f"{what}, which stays there as text; {way_out}"
    if rule is not None and rule.opens_in_prompt and _never_closed(said):
        yield (
            f"none of {said.height} replies closes the block of reasoning, so none has an answer; leave "
            f"opens_in_prompt out of {place} if the chat template opens no block"
        )
    without = said["reasoning"].null_count()
    if 0 < without < said.height:
        yield f"{without} of {said.height} replies have no reasoning, the others have; a pair may differ in that alone"
    left_out = rows["left_out_characters"].drop_nulls()
    if len(left_out):
        yield (
            f"{left_out.sum()} characters of {len(left_out)} replies are neither reasoning nor answer, as a commentary "
            "is, and are left out"
        )


def count_unread(rows: pl.DataFrame) -> int:
    """How many completions hold a delimiter."""
    return int(rows.select(UNREAD.is_not_null().sum()).item())


def _never_closed(said: pl.DataFrame) -> bool:
    """Whether some replies ended by themselves in a block of reasoning, and not one after it."""
    return bool((said["finish_reason"] == "unfinished").any()) and said["completion"].null_count() == said.height


def find_misread_opening(place: str, rule: "Rule | None", prompt: str) -> str | None:
    """What to say where the rule at `place` of params.yaml takes replies to `prompt`, a rendered text with what opens
    an answer, to begin in a block of reasoning and they do not, or the other way round; None where it is right."""
    end, declared = prompt.rstrip(), rule is not None and bool(rule.opens_in_prompt)
    opening = "" if rule is None else f"{CHANNEL}analysis<|message|>" if rule.kind == "harmony" else rule.marks[0]
    own, known = bool(opening) and end.endswith(opening), OPENS_ANSWER.search(end)
    if not own and known is None:
        said = (
            f"{place} says opens_in_prompt: true, and the chat template opens no block of reasoning: a prompt ends in "
            f"{end[-SHOWN:]!r}, and an answer without a block would count as reasoning; leave opens_in_prompt out"
        )
        return said if declared else None
    if own and declared:
        return None
    opened = opening if known is None else known[1]
    out = f"add opens_in_prompt: true to {place}" if own else f"set {place}: {rule_for(opened, in_prompt=True)}"
    return (
        f"the chat template opens a block of reasoning, as a prompt ends in {opened!r}, and {place} does not say so: "
        f"the reasoning would count as answer; {out}"
    )


def rule_for(delimiter: str, in_prompt: bool = False) -> str:
    """The rule that may read a text whose first delimiter this is, as params.yaml has it: one that closes a block was
    opened in the prompt, as one that itself stands there was."""
    word = delimiter.lower()
    kind = "harmony" if word.startswith(CHANNEL) else KINDS.get(word)
    closes = re.fullmatch(f"(?i:{CLOSING})", delimiter) is not None and kind != "harmony"
    marks = f", opens: …, closes: {delimiter!r}" if closes else f", opens: {delimiter!r}, closes: …"
    opened = ", opens_in_prompt: true" if closes or in_prompt else ""
    return f"{{kind: {kind or 'delimiters'}{'' if kind else marks}{opened}}}"


def _why_unread(place: str, rule: "Rule", delimiters: pl.Series) -> str:
    if not rule.opens_in_prompt and delimiters[0] == rule.marks[1]:
        return f"add opens_in_prompt: true to {place} if the chat template opens the block"
    return f"{place} reads a block of its own delimiters at the beginning of a text, and no other"
