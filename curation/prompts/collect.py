"""The prompts of a study, from all its sources, and which of them it does without."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.prompts.decontaminate import Params, decontaminate
from curation.tables.contracts import DECONTAMINATION_REASONS, PROMPTS, empty
from curation.tables.ids import content_id

if TYPE_CHECKING:
    from curation.prompts.sources._kind import Source

SHOWN = 60  # characters of a prompt in a message
SAID = pl.col("prompt").list.last().struct.field("content").alias("text")


def read_sources(sources: Mapping[str, "Source"]) -> pl.DataFrame:
    """The prompts that the sources give. Sources are read in their order; one that makes its prompts makes none that
    is there."""
    existing_texts: set[str] = set()
    parts = [empty(PROMPTS)]
    for name, settings in sources.items():
        part = kind("sources", settings.kind).prompts(settings, existing_texts)
        texts = [messages[-1]["content"] for messages in part["prompt"]]
        existing_texts.update(texts)
        ids = pl.Series("prompt_id", [content_id(name, text) for text in texts], dtype=pl.Int64)
        parts.append(
            part.with_columns(ids, pl.lit(name).alias("source"), pl.lit(settings.split).alias("split")).select(
                PROMPTS.schema.names
            )
        )
    return pl.concat(parts)


def collect(sources: Mapping[str, "Source"], settings: Params) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of `prompts`, which lack the train prompts that `settings` drop, and of `decontamination`, which has a
    verdict on each train prompt.

    Raises CurationError if there are train prompts and all are dropped, or if two that are not have one text.
    """
    given = read_sources(sources)
    verdicts = decontaminate(settings, given, {name: source.instruction for name, source in sources.items()})
    dropped = verdicts.filter(~pl.col("kept"))
    if dropped.height and dropped.height == verdicts.height:
        first, other = (
            given.filter(prompt_id=one).select("source", SAID).row(0)
            for one in dropped.select("prompt_id", "against").row(0)
        )
        raise CurationError(f"decontaminate drops all {dropped.height} train prompts: {summarize_reasons(verdicts)}; the first, {_shown(*first)}, is like {_shown(*other)}; "
                            "give other train prompts, or change params.yaml: decontaminate")  # fmt: skip
    left = given.filter(~pl.col("prompt_id").is_in(dropped["prompt_id"]))
    _refuse_twice(left)
    return left, verdicts


def _refuse_twice(prompts: pl.DataFrame) -> None:
    """Raises CurationError if a text is there twice: it would be learnt from and asked in an examination, or learnt
    from twice."""
    twice = prompts.select("source", "split", SAID).filter(pl.col("text").is_duplicated())
    if twice.height:
        (source, split), (other, again) = (
            twice.filter(pl.col("text") == twice["text"][0]).select("source", "split").head(2).rows()
        )
        rule = {2: "near_duplicates", 1: "exact"}.get([split, again].count("train"))
        way = f", or let params.yaml: decontaminate.{rule} drop them" if rule else ""
        raise CurationError(f"{twice['text'].n_unique()} prompt(s) are in two sources, the first, {_shown(source, twice['text'][0])}, in {other} too; "
                            f"remove them from one{way}")  # fmt: skip


def metrics(verdicts: pl.DataFrame) -> dict[str, int]:
    """How many train prompts each reason has, in the order of the rules."""
    found = dict(verdicts.group_by("reason").len().rows())
    return {reason: found.get(reason, 0) for reason in DECONTAMINATION_REASONS}


def summarize_reasons(verdicts: pl.DataFrame) -> str:
    """What became of the dropped ones, `3 exact, 1 ngram`."""
    return ", ".join(f"{count} {reason}" for reason, count in metrics(verdicts).items() if count and reason != "kept")


def _shown(source: str, text: str) -> str:
    return f"{text[:SHOWN]!r} of {source}"
