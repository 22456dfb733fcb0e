"""The prompts of a study, from all its sources, decontaminated and deduplicated, and what its preference sets hold."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.core.messages import show_value
from curation.core.text import one_line, say_count
from curation.prompts.decontaminate import Params, decontaminate
from curation.prompts.near_responses import Repeat, find_repeats
from curation.prompts.preferences.tables import PreferenceTables, no_preferences, tabulate
from curation.prompts.sources._kind import HasPreferences
from curation.tables.contracts import DECONTAMINATION_REASONS, PROMPTS, SIDES, empty
from curation.tables.ids import content_id
from curation.tables.prompt_identity import identities

if TYPE_CHECKING:
    from curation.prompts.sources._kind import Source

SHOWN = 60  # characters of a prompt in a message
OPTIONAL = ("external_id", "messages", "tools")  # what a source need not give
LAST_TEXT = pl.col("prompt").list.last().struct.field("content").alias("text")


def read_sources(sources: Mapping[str, "Source"]) -> pl.DataFrame:
    """The prompts of all sources, in the order of the sources. A source that makes its prompts makes none whose text an
    earlier source has."""
    return _read(sources)[0]


def _read(sources: Mapping[str, "Source"]) -> tuple[pl.DataFrame, PreferenceTables]:
    """The prompts of all sources, and the tables of those that are preference sets."""
    existing_texts: set[str] = set()
    parts, sets = [empty(PROMPTS)], [no_preferences()]
    for name, settings in sources.items():
        module = kind("sources", settings.kind)
        preferences = module.preference_set(settings) if isinstance(module, HasPreferences) else None
        part = module.prompts(settings, existing_texts) if preferences is None else preferences.prompts
        part = part.with_columns(
            pl.lit(None, pl.String).alias(column) for column in OPTIONAL if column not in part.columns
        )
        texts = identities(part)
        existing_texts.update(texts)
        ids = pl.Series("prompt_id", [content_id(name, text) for text in texts], dtype=pl.Int64)
        parts.append(
            part.with_columns(ids, pl.lit(name).alias("source"), pl.lit(settings.split).alias("split")).select(
                PROMPTS.schema.names
            )
        )
        if preferences is not None:
            sets.append(tabulate(name, ids, preferences))
    return pl.concat(parts), PreferenceTables(*(pl.concat(rows) for rows in zip(*sets, strict=True)))


class Collected(NamedTuple):
    """The rows of five tables, those of the preference sets empty in a study that has none; and how many responses were
    dropped since they nearly repeat another, None where none are to be."""

    prompts: pl.DataFrame
    decontamination: pl.DataFrame
    responses: pl.DataFrame
    ratings: pl.DataFrame
    listed_pairs: pl.DataFrame
    near_duplicate_responses: int | None = None

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The rows by the names of their tables."""
        return {name: rows for name, rows in self._asdict().items() if isinstance(rows, pl.DataFrame)}


def collect(sources: Mapping[str, "Source"], settings: Params) -> Collected:
    """The rows of `prompts`, without the train prompts that `settings` drops, and of `decontamination`, a verdict on
    each train prompt.

    Raises CurationError if there are train prompts and all are dropped, or if two of the others have the same text.
    """
    prompts, preferences = _read(sources)
    verdicts = decontaminate(settings, prompts, {name: source.instruction for name, source in sources.items()})
    dropped = verdicts.filter(~pl.col("kept"))
    if dropped.height and dropped.height == verdicts.height:
        first, similar = (
            prompts.filter(prompt_id=prompt_id).select("source", LAST_TEXT).row(0)
            for prompt_id in dropped.select("prompt_id", "against").row(0)
        )
        raise CurationError(
            f"decontaminate drops all {dropped.height} train prompts: {summarize_reasons(verdicts)}; the first, "
            f"{_quote(*first)}, is like {_quote(*similar)}; give other train prompts, or change params.yaml: "
            "decontaminate"
        )
    kept = prompts.filter(~pl.col("prompt_id").is_in(dropped["prompt_id"]))
    _refuse_duplicates(kept)
    of_kept = _of_kept(preferences, kept)
    if settings.near_duplicate_responses is None:
        return Collected(kept, verdicts, *of_kept)
    repeats = find_repeats(settings.near_duplicate_responses, of_kept.responses)
    return Collected(kept, verdicts, *_without_repeats(of_kept, repeats), len(repeats))


def _of_kept(preferences: PreferenceTables, kept: pl.DataFrame) -> PreferenceTables:
    """The tables without what is of a prompt that was dropped; how much that is, is said on stderr."""
    ids = kept["prompt_id"].implode()
    responses, listed_pairs = (
        rows.filter(pl.col("prompt_id").is_in(ids)) for rows in (preferences.responses, preferences.listed_pairs)
    )
    ratings = preferences.ratings.filter(pl.col("trace_id").is_in(responses["trace_id"].implode()))
    if gone := preferences.responses.height - responses.height:
        print(
            f"collect: dropped with their prompts: {say_count(gone, 'response')}, "
            f"{say_count(preferences.ratings.height - ratings.height, 'rating')}, "
            f"{say_count(preferences.listed_pairs.height - listed_pairs.height, 'listed pair')}",
            file=sys.stderr,
        )
    return PreferenceTables(responses, ratings, listed_pairs)


def _without_repeats(preferences: PreferenceTables, repeats: list[Repeat]) -> PreferenceTables:
    """The tables without the responses that nearly repeat another, and without what is said of them; how much that is,
    and the first of them, is said on stderr."""
    if not repeats:
        return preferences
    dropped = pl.Series([repeat.trace_id for repeat in repeats], dtype=pl.Int64).implode()
    responses, ratings = (
        rows.filter(~pl.col("trace_id").is_in(dropped)) for rows in (preferences.responses, preferences.ratings)
    )
    sides = pl.any_horizontal(pl.col(f"{side}_trace_id").is_in(dropped) for side in SIDES)
    listed_pairs = preferences.listed_pairs.filter(~sides)
    first, like = (
        preferences.responses.filter(trace_id=trace_id).select("generator", "completion").row(0)
        for trace_id in repeats[0][:2]
    )
    print(
        one_line(
            f"collect: {len(repeats)} of {preferences.responses.height} responses nearly repeat another to their "
            f"prompt and are dropped (decontaminate.near_duplicate_responses), with "
            f"{say_count(preferences.ratings.height - ratings.height, 'rating')} and "
            f"{say_count(preferences.listed_pairs.height - listed_pairs.height, 'listed pair')}; the first, of "
            f"{first[0]}, "
            f"{show_value(first[1])}, is like that of {like[0]}, {show_value(like[1])}: {repeats[0].overlap:.2f}"
        ),
        file=sys.stderr,
    )
    return PreferenceTables(responses, ratings, listed_pairs)


def _refuse_duplicates(prompts: pl.DataFrame) -> None:
    """Raises CurationError if two prompts are the same in all turns and tools: the student would be trained and tested
    on one, or trained on it twice."""
    twice = prompts.select("source", "split", LAST_TEXT, identities(prompts)).filter(pl.col("identity").is_duplicated())
    if twice.is_empty():
        return
    same = twice.filter(identity=twice["identity"][0])
    (source, split, text), (other, other_split, _) = same.select("source", "split", "text").head(2).rows()
    rule = {2: "near_duplicates", 1: "exact"}.get([split, other_split].count("train"))
    way_out = f", or let params.yaml: decontaminate.{rule} drop them" if rule else ""
    count, first = twice["identity"].n_unique(), _quote(source, text)
    raise CurationError(
        f"{say_count(count, 'prompt is', 'prompts are')} in two sources, the first, {first}, in {other} too; remove "
        f"them from one{way_out}"
    )


def metrics(verdicts: pl.DataFrame) -> dict[str, int]:
    """The number of train prompts with each reason, in the order of the rules."""
    counts = dict(verdicts.group_by("reason").len().rows())
    return {reason: counts.get(reason, 0) for reason in DECONTAMINATION_REASONS}


def summarize_reasons(verdicts: pl.DataFrame) -> str:
    """The number of dropped prompts by reason, as text: `3 exact, 1 ngram`."""
    return ", ".join(f"{count} {reason}" for reason, count in metrics(verdicts).items() if count and reason != "kept")


def _quote(source: str, text: str) -> str:
    return f"{text[:SHOWN]!r} of {source}"
