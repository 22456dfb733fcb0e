"""Ids that ratings and traces share, whatever their columns are called."""

from collections.abc import Iterator, Sequence

from curation.exchange.guess import Guess
from curation.exchange.id_columns import may_be_id
from curation.exchange.looking import Column
from curation.exchange.matching import ALIKE, Read, column_ids, ids, share
from curation.exchange.words import rate_name

NEVER = ("dimension", "rater", "rationale", "model", "sample_index")  # a column that plays one of these parts is no id


def name_shared_ids(one: Read, traces: Sequence[Read]) -> None:
    """The guess of a file of ratings whose ids, by their names, are of no trace has as trace_id the column whose values
    are, and the guess of the file of traces the column that has them; else as prompt_id one with the ids of prompts.
    Where no column has such values both stay as they are."""
    guess = one.guess
    known = {name for trace in traces for name in (*ids(trace.guess, "trace_id"), *trace.ids) if name is not None}
    if any(share(ids(guess, role), known) > 0 for role in ("trace_id", "prompt_id")):
        return
    for column in _may_be_ids(guess):
        values = column_ids(column)
        for trace in traces:
            if (own := _with_these(trace.guess, values)) is not None:
                trace.guess.columns["trace_id"] = own.name
                _set(guess, "trace_id", column)
                return
        if "model" in guess.columns and share(values, known) >= ALIKE:
            _set(guess, "prompt_id", column)
            return


def _may_be_ids(guess: Guess) -> list[Column]:
    """The columns that no name says more of, those with most values first."""
    taken = {guess.columns.get(role) for role in NEVER}
    found = [
        one
        for one in guess.look.of_kind("text", "number")
        if one.name not in taken and one.distinct > 1 and may_be_id(one) and rate_name(one.name, "score") is None
    ]
    return sorted(found, key=lambda one: -one.distinct)


def _with_these(guess: Guess, values: Sequence[str | None]) -> Column | None:
    """The column of a file of traces that has an id of its own in each row, most of the `values` among them."""
    taken = {name for role, name in guess.columns.items() if role != "trace_id"} | set(guess.wide)
    return next((one for one in _own_ids(guess) if one.name not in taken and share(values, _known(one)) >= ALIKE), None)


def _own_ids(guess: Guess) -> Iterator[Column]:
    for one in guess.look.of_kind("text", "number"):
        if not one.nulls and one.distinct == guess.look.rows and may_be_id(one):
            yield one


def _known(column: Column) -> set[str]:
    return {name for name in column_ids(column) if name is not None}


def _set(guess: Guess, role: str, column: Column) -> None:
    for other in ("trace_id", "prompt_id"):
        guess.columns.pop(other, None)
    guess.ratings = {name: rated for name, rated in guess.ratings.items() if rated is not column}
    guess.columns[role] = column.name
    guess.notes[role] = "guessed: its values are ids of the traces"
