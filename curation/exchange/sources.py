"""The source of a file of prompts, and the answers that it has."""

from typing import Any

from curation.core.messages import show_value
from curation.exchange.answers import MARK, guess_verifier
from curation.exchange.draft import Draft
from curation.exchange.looking import quoted
from curation.exchange.matching import ALIKE, Key, Read, agree
from curation.exchange.options import LETTERS, find_first, map_options
from curation.exchange.words import column_name


def draft_source(draft: Draft, source: Read, split: str, by_id: bool = True) -> tuple[Any, dict[Key, str]]:
    """A source of kind table for a file of prompts. Returns its verifier, and the answer to each prompt."""
    guess = source.guess
    columns: dict[str, Any] = {"prompt": None, "answer": None, "task": None}
    columns |= {role: guess.columns[role] for role in ("prompt", "messages", "system", "tools", "task")
                if role in guess.columns}  # fmt: skip
    golds, why_not = _golds(source)
    if guess.options:
        columns["options"] = map_options(guess.options)
    answer = guess.column("answer") if guess.options else None
    first = find_first(answer) if answer is not None else None
    if first is not None:
        golds = {key: LETTERS[int(float(gold)) - first].upper() for key, gold in golds.items()}
    marked = sum(MARK in gold for gold in golds.values()) > ALIKE * len(golds)
    if marked:
        golds = {key: gold.rpartition(MARK)[2].strip() for key, gold in golds.items()}
    verifier, why = guess_verifier(list(golds.values()))
    if golds:
        name = guess.columns["answer"]
        columns["answer"] = {"column": name, "after": MARK} if marked else name
        if first is not None:
            columns["answer"] = {"column": name, "first": first}
            why_not = "guessed: numbers of options, `first` the number of the first"
    if by_id and "prompt_id" in guess.columns and agree(source.keys, source.ids) and None not in source.ids:
        columns["prompt_id"] = guess.columns["prompt_id"]
    prompt = guess.column("prompt")
    where = {"where": f"{quoted(prompt)} is not null"} if prompt is not None and prompt.nulls else {}
    settings = {"kind": "table", **source.file, "split": split, **where, "columns": columns,
                "verifier": verifier, "instruction": None}  # fmt: skip
    name = draft.add("sources", column_name(source.label, "prompts"), settings)
    for role in columns:
        draft.note(("sources", name, "columns", role), guess.notes.get(role, ""))
    draft.note(("sources", name, "columns", "answer"), why_not)
    draft.note(("sources", name, "verifier"), why)
    return verifier, golds


def _golds(source: Read) -> tuple[dict[Key, str], str]:
    """The answer to each prompt, none at all where a prompt has two; and why there are none."""
    column = source.guess.column("answer")
    if column is None:
        return {}, ""
    golds: dict[Key, str] = {}
    for key, value in zip(source.keys, column.values, strict=True):
        gold = None if value is None else " or ".join(map(str, value)) if isinstance(value, list) else str(value)
        if gold is not None and golds.setdefault(key, gold) != gold:
            return {}, f"no column: {show_value(column.name)} has two answers to one prompt, as of what models wrote"
    return golds, ""
