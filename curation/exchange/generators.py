"""The generators of a file of traces, and what a model's name says of it."""

import re
from collections import Counter
from typing import Any

from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.completions import texts_of
from curation.exchange.draft import Draft
from curation.exchange.guess import Guess
from curation.exchange.looking import Column, quoted
from curation.exchange.matching import Matched, Read
from curation.exchange.options import map_options
from curation.exchange.thoughts import guess_rule
from curation.exchange.words import slug

SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)
ENDED_BADLY = ("error", "abort", "aborted", "cancelled")
NEVER_NULL = ("model", "sample_index", "finish_reason", "trace_id")
OF_ONE_SAMPLE = ("sample_index", "finish_reason", "trace_id", "reasoning")


def draft_generators(draft: Draft, trace: Read, matched: Matched) -> None:
    """The generators of a file of traces: one, or one for each of its columns of completions."""
    guess = trace.guess
    completions: list[str | None] = [*guess.wide] or [None]
    for column in completions:
        columns = _columns_of_traces(draft, trace, matched)
        if column is not None:
            columns["completion"] = column
            columns |= {"reasoning": guess.thoughts[column]} if column in guess.thoughts else {}
        _draft_generator(draft, trace, matched, columns, trace.label if column is None else column)


def _columns_of_traces(draft: Draft, trace: Read, matched: Matched) -> dict[str, Any]:
    guess = trace.guess
    empty = dict.fromkeys(("prompt", "completion", "generator", "sample_index", "family", "scale_b", "finish_reason"))
    columns: dict[str, Any] = dict(empty)
    names = {"model": "generator"}
    for role in ("prompt", "messages", "system", "tools", "completion", "model", "sample_index", "finish_reason",
                 "reasoning", "trace_id"):  # fmt: skip
        column = guess.column(role)
        if column is None or (role in NEVER_NULL and _has_null(guess, column)):
            continue
        columns[names.get(role, role)] = column.name
    if guess.options and columns["prompt"]:
        columns["options"] = map_options(guess.options)
    if matched.by_id:
        columns["prompt_id"] = guess.columns["prompt_id"]
    completion = guess.column("completion")
    lists = completion is not None and completion.kind in ("samples", "texts")
    if completion is not None and lists and any(len(value) > 1 for value in completion.given):
        columns |= {role: None for role in OF_ONE_SAMPLE if columns.get(role)}
    if columns["sample_index"] and not _numbers_samples(trace, columns):
        columns["sample_index"] = None
    return {role: column for role, column in columns.items() if column is not None or role in empty}


def _has_null(guess: Guess, column: Column) -> bool:
    """Whether it is null in a row that has a completion; the others are left out."""
    said = guess.column("completion") or guess.column("messages")
    rows = [True] * guess.look.rows if said is None else [value is not None for value in said.values]
    return any(value is None for value, kept in zip(column.values, rows, strict=True) if kept)


def _numbers_samples(trace: Read, columns: dict[str, Any]) -> bool:
    """Whether no two rows of a prompt and a model have one number."""
    number, model = trace.guess.column("sample_index"), trace.guess.column("model")
    if number is None or any(value != int(value) or value < 0 for value in number.numbers):
        return False
    models = model.values if model is not None else [None] * len(number.values)
    keys = trace.keys if any(trace.keys) else trace.ids
    rows = list(zip(keys, models, number.values, strict=True))
    return len(set(rows)) == len(rows)


def _is_another_run(trace: Read, other: Read) -> bool:
    """Whether another file has what the same model says to the same prompts."""
    model, its = trace.guess.column("model"), other.guess.column("model")
    if trace is other or model is None or its is None or not {*model.given} & {*its.given}:
        return False
    mine, others = (set(one.keys if any(one.keys) else one.ids) - {None} for one in (trace, other))
    return bool(mine & others)


def _draft_generator(draft: Draft, trace: Read, matched: Matched, columns: dict[str, Any], label: str) -> None:
    guess, model = trace.guess, trace.guess.column("model")
    kept = _find_kept(guess, columns)
    if not any(kept):
        where = "" if columns["completion"] is None else f" in {show_value(columns['completion'])}"
        said = f"left out: no row has a prompt and a completion{where} that ended well"
        draft.said.append(one_line(f"{guess.look.title}: {said}"))
        return
    models = Counter[str]()
    if model is not None and columns["generator"]:
        models = Counter(name for name, is_kept in zip(model.values, kept, strict=True) if is_kept)
        if silent := {*model.given} - models.keys():
            names = first_names(sorted(map(show_value, silent)), 5)
            draft.said.append(one_line(f"{guess.look.title}: left out: all rows of {names}, which answered nothing"))
    if any(_is_another_run(trace, other) for other in matched.traces):  # of one model: two generators
        columns["generator"], models = None, Counter()
    called = next(iter(models)) if len(models) == 1 else label.replace("__", "/")  # as lm-eval writes a model's name
    family, scale_b = (None, None) if len(models) > 1 else guess_size(called)
    rule, why = guess_rule([text for texts in texts_of(guess, columns["completion"]) for text in texts])
    settings: dict[str, Any] = {"kind": "imported", "family": family, "scale_b": scale_b, **trace.file}
    where = _where(guess, columns)
    settings |= {"where": where} if where else {}
    settings |= {"columns": columns, "unmatched": "drop"} | ({"reasoning": rule} if rule else {})
    name = draft.add("generators", slug(called.rpartition("/")[2], "model"), settings)
    place = ("generators", name)
    if len(models) > 1:
        counted = first_names((f"{one_line(one)} ({count})" for one, count in models.most_common()), 8)
        draft.note(place, f"{len(models)} models: {counted}")
    elif not models:
        what = "column" if columns["completion"] in guess.wide else "file"
        why_not = "no column names a model"
        if model is not None and _has_null(guess, model):
            why_not = f"{show_value(model.name)} is null in {model.nulls} rows"
        draft.note(place, f"guessed: called by its {what}, as {why_not}")
    if scale_b is not None:
        draft.note((*place, "scale_b"), "guessed: billions of parameters, by the name")
    for role, column in columns.items():
        if column is not None:
            draft.note((*place, "columns", role), guess.notes.get({"generator": "model"}.get(role, role), ""))
    draft.note((*place, "where"), "leaves out rows without a prompt or a completion, or that ended in an error")
    draft.note((*place, "reasoning"), why)


def _where(guess: Guess, columns: dict[str, Any]) -> str:
    """A filter that leaves out what is no trace, "" where all rows are one."""
    said = []
    if (prompt := guess.column("prompt")) is not None and columns["prompt"] == prompt.name and prompt.nulls:
        said.append(f"{quoted(prompt)} is not null")
    completion = None if columns["completion"] is None else guess.look.columns.get(columns["completion"])
    if completion is not None and completion.nulls and "reasoning" not in columns:
        said.append(f"{quoted(_null_with(guess, completion))} is not null")
    ended = guess.column("finish_reason")
    if ended is not None and columns["finish_reason"]:
        bad = sorted({value for value in ended.given if str(value).lower() in ENDED_BADLY})
        if bad:
            listed = ", ".join("'" + value.replace("'", "''") + "'" for value in bad)
            said.append(f"{quoted(ended)} not in ({listed})")
    return " and ".join(said)


def _find_kept(guess: Guess, columns: dict[str, Any]) -> list[bool]:
    """Which rows are read: those that `_where` keeps."""
    kept = [True] * guess.look.rows
    nulls = [columns["prompt"], columns["completion"]] if "reasoning" not in columns else [columns["prompt"]]
    for column in (guess.look.columns[name] for name in nulls if name is not None):
        kept = [one and value is not None for one, value in zip(kept, column.values, strict=True)]
    ended = guess.column("finish_reason")
    if ended is not None and columns["finish_reason"]:
        kept = [one and str(why).lower() not in ENDED_BADLY for one, why in zip(kept, ended.values, strict=True)]
    return kept


def _null_with(guess: Guess, completion: Column) -> Column:
    """The column, or where a filter cannot compare its lists another one that is null in the same rows."""
    if completion.kind == "text":
        return completion
    missing = [value is None for value in completion.values]
    beside = (
        one for one in guess.look.of_kind("text", "number", "truth") if [v is None for v in one.values] == missing
    )
    return next(beside, completion)


def guess_size(name: str) -> tuple[str | None, float | None]:
    """The family and the billions of parameters that a model's name tells, null where it does not."""
    last = name.rpartition("/")[2]
    found = SIZE.search(last)
    if found is None:
        return None, None
    scale = float(found[1]) / (1000 if found[2].lower() == "m" else 1)
    family = slug(last[: found.start()], "")
    return family or None, scale if 1e-6 <= scale <= 1e6 else None
