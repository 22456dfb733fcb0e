"""Judges for files of ratings: wide or long, of whole traces or step by step, by the ids that traces have."""

from collections.abc import Sequence
from typing import Any

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.exchange.draft import Draft
from curation.exchange.guess import Guess
from curation.exchange.looking import Column
from curation.exchange.matching import Read, ids, share
from curation.exchange.preferences import numbers_of, scale_of
from curation.exchange.values import as_number
from curation.exchange.words import column_name, split_name

MOST_DIMENSIONS = 40
MOSTLY = 0.5
STEP = {"step", "step_index", "step_idx", "step_id", "step_number", "step_no", "step_nr"}


def draft_ratings(draft: Draft, ratings: Sequence[Read], traces: Sequence[Read]) -> None:
    """A judge of kind imported for each file. Raises CurationError where its ids are of no trace."""
    for one in ratings:
        guess = one.guess
        settings: dict[str, Any] = {"kind": "imported", **one.file} | _trace(guess, traces)
        step = _find_step(guess)
        rated = {name: column for name, column in guess.ratings.items() if column is not step}
        columns = {name: column.name for name, column in rated.items()}
        scores = list(rated.values())
        dimension = guess.column("dimension")
        if dimension is not None:
            words = sorted({str(value) for value in dimension.given})[:MOST_DIMENSIONS]
            dimensions = {column_name(word, "dimension"): word for word in words}
            settings |= {"dimension": dimension.name, "score": scores[0].name, "dimensions": dimensions}
            of = {name: _numbers_of_word(scores[0], dimension, word) for name, word in dimensions.items()}
        else:
            settings["dimensions"] = columns
            of = {name: numbers_of(column) for name, column in rated.items()}
        if any(column.kind == "numbers" for column in scores):
            settings["steps"] = {"aggregate": "min"}
        if step is not None:
            settings["steps"] = {"aggregate": "min", "index": step.name}
        if missing := sorted({str(value) for column in scores for value in column.given if _is_no_number(value)}):
            settings["missing"] = missing
        for role in ("rater", "rationale"):
            if (column := guess.column(role)) is not None and (role != "rater" or _rates_once(guess, column)):
                settings[role] = column.name
        settings |= {"unmatched": "drop", "scale": {name: scale_of(own) for name, own in of.items()}}
        name = draft.add("judges", column_name(one.label, "ratings"), settings)
        if "trace_id" in settings:
            draft.note(("judges", name, "trace_id"), guess.notes.get("trace_id", ""))
        draft.note(("judges", name, "scale"), "guessed: a usual scale around what the file has, or its own ends")
        draft.note(("judges", name, "steps"), "guessed: a trace is as good as its worst step; or mean, last, product")
        draft.note(("judges", name, "missing"), "guessed: what is no number stands for no rating")


def names_traces(one: Read, traces: Sequence[Read]) -> bool:
    """Whether the sides of a file of votes are ids of traces."""
    layout = one.guess.layout or {}
    columns = [one.guess.look.columns.get(str(layout.get(side))) for side in ("a", "b")]
    known = {name for trace in traces for name in ids(trace.guess, "trace_id") if name is not None}
    values = [str(value) for column in columns if column is not None for value in column.given]
    return layout.get("kind") == "votes" and "winner" in layout and share(values, known) >= MOSTLY


def draft_verdicts(draft: Draft, verdicts: Sequence[Read]) -> None:
    """A pairwise judge of kind imported for each file of votes between two traces, which it names by their ids."""
    for one in verdicts:
        layout = one.guess.layout or {}
        settings: dict[str, Any] = {"kind": "imported", **one.file}
        settings |= {side: {"trace_id": layout[side]} for side in ("a", "b")} | {"verdict": layout["winner"]}
        settings |= {"words": layout["words"]} if layout.get("words") else {}
        settings |= {key: layout[key] for key in ("negative",) if key in layout} | {"unmatched": "drop"}
        draft.add("pairwise_judges", column_name(one.label, "verdicts"), settings, "What the file says of two traces.")


def _find_step(guess: Guess) -> Column | None:
    """The column that numbers the steps of a trace, each in a row of its own, if there is one beside a score."""
    found = [one for one in guess.look.of_kind("number") if "_".join(split_name(one.name)) in STEP]
    names = [name for role in ("trace_id", "prompt_id") for name in ids(guess, role) if name is not None]
    others = [one for one in guess.ratings.values() if one not in found]
    return found[0] if found and others and len({*names}) < len(names) else None


def _trace(guess: Guess, traces: Sequence[Read]) -> dict[str, Any]:
    """What says which trace a row is about: its id, or that of its prompt with the model."""
    known = {name for trace in traces for name in ids(trace.guess, "trace_id") if name is not None}
    for role in ("trace_id", "prompt_id"):
        if share(ids(guess, role), known) > 0:
            return {"trace_id": guess.columns[role]}
    known = {name for trace in traces for name in trace.ids if name is not None}
    for role in ("prompt_id", "trace_id"):
        if "model" in guess.columns and share(ids(guess, role), known) > 0:
            named = {"prompt_id": guess.columns[role], "generator": guess.columns["model"]}
            numbered = {"sample_index": guess.columns["sample_index"]} if "sample_index" in guess.columns else {}
            return {"trace": named | numbered}
    raise CurationError(
        one_line(
            f"{guess.look.title}: rates what has an id, and no trace of the other files has one of these; give traces "
            "and ratings a column of the same ids"
        )
    )


def _rates_once(guess: Guess, rater: Column) -> bool:
    """Whether no rater has two rows about one thing."""
    beside = [guess.column(role) for role in ("trace_id", "prompt_id", "model", "sample_index", "dimension")]
    rows = list(zip(rater.values, *(column.values for column in beside if column is not None), strict=True))
    return not rater.nulls and len(set(map(repr, rows))) == len(rows)


def _numbers_of_word(scores: Column, dimension: Column, word: str) -> list[float]:
    rows = zip(scores.values, dimension.values, strict=True)
    numbers = (as_number(value) for value, of in rows if of is not None and str(of) == word)
    return [number for number in numbers if number is not None]


def _is_no_number(value: Any) -> bool:
    return isinstance(value, str) and as_number(value) is None
