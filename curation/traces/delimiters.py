"""Delimiters of reasoning that no rule read, and traces that lack what the others of their generator have. Nothing is
guessed, so it is said."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from curation.core.delimiters import CHANNEL, CLOSING, DELIMITER

if TYPE_CHECKING:
    from curation.models.reasoning import Rule
    from curation.traces.generators._kind import Generator

UNREAD = pl.col("completion").str.extract(f"({DELIMITER})")
KINDS = {"<think>": "think", "</think>": "think", "[think]": "mistral", "[/think]": "mistral"}


def find_unread_by_generator(name: str, settings: "Generator", traces: pl.DataFrame) -> Iterator[str]:
    """What `find_unread` says of each generator of the traces that the entry `name` of params.yaml gave."""
    for (generator,), own in traces.group_by("generator", maintain_order=True):
        for line in find_unread(f"generators.{name}.reasoning", settings.reasoning, own):
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


def rule_for(delimiter: str) -> str:
    """The rule that may read a text whose first delimiter this is, as params.yaml has it: one that closes a block was
    opened in the prompt."""
    word = delimiter.lower()
    kind = "harmony" if word.startswith(CHANNEL) else KINDS.get(word)
    closes = re.fullmatch(f"(?i:{CLOSING})", delimiter) is not None and kind != "harmony"
    marks = f", opens: …, closes: {delimiter!r}" if closes else f", opens: {delimiter!r}, closes: …"
    opened = ", opens_in_prompt: true" if closes else ""
    return f"{{kind: {kind or 'delimiters'}{'' if kind else marks}{opened}}}"


def _why_unread(place: str, rule: "Rule", delimiters: pl.Series) -> str:
    if not rule.opens_in_prompt and delimiters[0] == rule.marks[1]:
        return f"add opens_in_prompt: true to {place} if the chat template opens the block"
    return f"{place} reads a block of its own delimiters at the beginning of a text, and no other"
