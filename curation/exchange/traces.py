"""Sources and generators for files of prompts and of traces: which file gives the prompts, and what each row
answers."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.answers import MARK, guess_extractions, guess_verifier
from curation.exchange.draft import Draft
from curation.exchange.guess import Guess
from curation.exchange.looking import Column
from curation.exchange.matching import Key, agree, ids, prompt_keys, share
from curation.exchange.thoughts import guess_rule
from curation.exchange.words import column_name, rate_name, slug, split_name
from curation.tables.user_messages import read_answer, read_completions, read_messages

ALIKE = 0.5  # of the rows of traces are of the prompts of a file
SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)
ENDED_BADLY = ("error", "abort", "aborted", "cancelled")
NEVER_NULL = ("model", "sample_index", "finish_reason", "trace_id")
OF_ONE_SAMPLE = ("sample_index", "finish_reason", "trace_id", "reasoning")


@dataclass
class Read:
    """A file with what params call it: where it lies for them, and what tells it from the others."""

    guess: Guess
    path: str
    label: str
    keys: list[Key]
    ids: list[Key]


def read(guess: Guess, path: str, label: str) -> Read:
    """The file with what its rows have in common with those of others."""
    keys, named = prompt_keys(guess), ids(guess)
    if any(keys) and guess.holds == "traces" and not agree(keys, named):  # an id of each row's own
        name = guess.columns.pop("prompt_id", None)
        if name is not None and len({*named}) == guess.look.rows:
            guess.columns.setdefault("trace_id", name)
        named = [None] * guess.look.rows
    return Read(guess, path, label, keys, named)


@dataclass
class Matched:
    """A file of prompts with the files of traces that answer them; `by_id` where they are matched by ids."""

    source: Read
    traces: list[Read]
    by_id: bool


def match(prompts: Sequence[Read], traces: Sequence[Read]) -> list[Matched]:
    """Which file gives the prompts of which traces: a file of prompts, else that of the traces which has the most.
    Raises CurationError if the prompts of some are in no file."""
    found: list[Matched] = []
    left = list(traces)
    sources = sorted([*prompts], key=_rank)
    while left:
        source = next((one for one in sources if any(_answers(trace, one) for trace in left)), None)
        if source is None:
            source = next((one for one in sorted(left, key=_rank) if any(one.keys)), None)
        if source is None:
            raise CurationError(
                one_line(f"{left[0].guess.look.path}: has no prompts, and no other file has those of its ids; name "
                         "the file of prompts too")
            )  # fmt: skip
        own = [trace for trace in left if trace is source or _answers(trace, source)]
        sources = [one for one in sources if one is not source]
        left = [trace for trace in left if trace not in own]
        found.append(Matched(source, own, all(_share_ids(trace, source) for trace in own)))
    return found


def _rank(one: Read) -> tuple[bool, int]:
    """Files with answers first, then those of most prompts."""
    return "answer" not in one.guess.columns, -len({*one.keys})


def _answers(trace: Read, source: Read) -> bool:
    known = {key for key in source.keys if key is not None}
    return share(trace.keys, known) >= ALIKE or _share_ids(trace, source)


def _share_ids(trace: Read, source: Read) -> bool:
    """Whether both have ids of prompts, and mean the same by them."""
    known = {name for name in source.ids if name is not None}
    if not known or share(trace.ids, known) < ALIKE or not agree(source.keys, source.ids):
        return False
    if None in trace.ids or None in source.ids:
        return False
    if trace is source or not any(trace.keys):
        return True
    of = dict(zip(source.ids, source.keys, strict=True))
    pairs = [(key, of[name]) for key, name in zip(trace.keys, trace.ids, strict=True) if name in of]
    alike = [key == other or (key or "").endswith((other or "")[-40:]) for key, other in pairs]
    return sum(alike) >= ALIKE * len(pairs)


def draft_traces(draft: Draft, prompts: Sequence[Read], traces: Sequence[Read]) -> None:
    """The sources and generators of files of traces, and a judge of their answers where some are known."""
    cases: list[tuple[str, str]] = []
    verifiers: list[Any] = []
    found = match(prompts, traces)
    for matched in found:
        verifier, golds = draft_source(draft, matched.source, "train", matched.by_id)
        for trace in matched.traces:
            _draft_generators(draft, trace, matched)
            if lost := _count_lost(trace, matched):
                file, of = trace.guess.look.path, matched.source.guess.look.path
                said = f"{lost} rows are about prompts that {of} has not, which gives the prompts; left out"
                draft.said.append(one_line(f"{file}: {said}, unless you name a file that has all"))
            of_ids = dict(zip(matched.source.ids, matched.source.keys, strict=True)) if matched.by_id else {}
            keys = [of_ids.get(name) for name in trace.ids] if matched.by_id else trace.keys
            if verifier is not None:
                verifiers.append(verifier)
                cases += [
                    (text, golds[key])
                    for column in (*trace.guess.wide,) or (None,)
                    for key, texts in zip(keys, _texts(trace.guess, column), strict=True)
                    if key in golds
                    for text in texts
                ]
    for one in (trace for matched in found for trace in matched.traces if trace.guess.wide):
        _draft_wide_ratings(draft, one)
    unused = [
        one
        for one in prompts
        if not any(settings.get("path") == one.path for settings in draft.params["sources"].values())
    ]
    draft.said += [one_line(f"{one.guess.look.path}: no trace answers its prompts; left out") for one in unused]
    if cases:
        extract, why = guess_extractions(verifiers[0], cases)
        settings = {"kind": "answer", "extract": extract, "missing_answer": "wrong", "pass_at": 0.99}
        name = draft.add("judges", "answer", settings, "Compares the final answer of each trace with the gold one.")
        draft.note(("judges", name, "extract"), why)


def _count_lost(trace: Read, matched: Matched) -> int:
    """How many rows are about prompts that the source lacks, of what was looked at."""
    mine, known = (trace.ids, matched.source.ids) if matched.by_id else (trace.keys, matched.source.keys)
    there = set(known)
    return 0 if not matched.source.guess.look.whole else sum(one not in there for one in mine)


def draft_source(draft: Draft, source: Read, split: str, by_id: bool = True) -> tuple[Any, dict[Key, str]]:
    """A source of kind table for a file of prompts. Returns its verifier, and the answer to each prompt."""
    guess = source.guess
    columns: dict[str, Any] = {"prompt": None, "answer": None, "task": None}
    columns |= {role: guess.columns[role] for role in ("prompt", "messages", "system", "tools", "task")
                if role in guess.columns}  # fmt: skip
    golds, why_not = _golds(source)
    marked = sum(MARK in gold for gold in golds.values()) > ALIKE * len(golds)
    if marked:
        golds = {key: gold.rpartition(MARK)[2].strip() for key, gold in golds.items()}
    verifier, why = guess_verifier(list(golds.values()))
    if golds:
        name = guess.columns["answer"]
        columns["answer"] = {"column": name, "after": MARK} if marked else name
    if by_id and "prompt_id" in guess.columns and agree(source.keys, source.ids) and None not in source.ids:
        columns["prompt_id"] = guess.columns["prompt_id"]
    prompt = guess.column("prompt")
    where = {"where": f"{_quoted(prompt)} is not null"} if prompt is not None and prompt.nulls else {}
    settings = {"kind": "table", "path": source.path, "split": split, **where, "columns": columns,
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


def _draft_generators(draft: Draft, trace: Read, matched: Matched) -> None:
    """The generators of a file of traces: one, or one for each of its columns of completions."""
    guess = trace.guess
    completions: list[str | None] = [*guess.wide] or [None]
    for column in completions:
        columns = _columns_of_traces(draft, trace, matched)
        if column is not None:
            columns["completion"] = column
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


def _draft_wide_ratings(draft: Draft, trace: Read) -> None:
    """A judge of the numbers that stand beside each of a row's completions, whose names differ as theirs do."""
    guess, first = trace.guess, trace.guess.wide[0]
    responses: list[dict[str, Any]] = []
    numbers: list[float] = []
    for name in guess.wide:
        differ = [both for both in zip(split_name(first), split_name(name), strict=False) if both[0] != both[1]]
        word = differ[0][1] if differ else split_name(name)[-1]
        beside = [one for one in guess.look.of_kind("number") if _rates(one.name, word)]
        if not beside or "prompt" not in guess.columns:
            return
        which = {"prompt": guess.columns["prompt"], "completion": name}
        responses.append({"trace": which, "dimensions": {"score": beside[0].name}})
        numbers += beside[0].numbers
    low, high = min(numbers), max(numbers)
    scale = {"score": [low, high if high > low else low + 1]}
    settings = {"kind": "imported", "path": trace.path, "responses": responses, "unmatched": "drop", "scale": scale}
    draft.add("judges", "ratings", settings, "guessed: the numbers beside the completions rate these")


def _rates(name: str, side: str) -> bool:
    words = split_name(name)
    return words[-1:] == [side] and rate_name(" ".join(words[:-1]), "score") is not None


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
    models = Counter(model.given) if model is not None and columns["generator"] else Counter()
    if any(_is_another_run(trace, other) for other in matched.traces):  # of one model: two generators
        columns["generator"], models = None, Counter()
    called = next(iter(models)) if len(models) == 1 else label
    family, scale_b = (None, None) if len(models) > 1 else guess_size(called)
    rule, why = guess_rule([text for texts in _texts(guess, columns["completion"]) for text in texts])
    settings: dict[str, Any] = {"kind": "imported", "family": family, "scale_b": scale_b, "path": trace.path}
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
        said.append(f"{_quoted(prompt)} is not null")
    completion = None if columns["completion"] is None else guess.look.columns.get(columns["completion"])
    if completion is not None and completion.nulls and "reasoning" not in columns:
        said.append(f"{_quoted(_null_with(guess, completion))} is not null")
    ended = guess.column("finish_reason")
    if ended is not None and columns["finish_reason"]:
        bad = sorted({value for value in ended.given if str(value).lower() in ENDED_BADLY})
        if bad:
            listed = ", ".join("'" + value.replace("'", "''") + "'" for value in bad)
            said.append(f"{_quoted(ended)} not in ({listed})")
    return " and ".join(said)


def _null_with(guess: Guess, completion: Column) -> Column:
    """The column, or where a filter cannot compare its lists another one that is null in the same rows."""
    if completion.kind == "text":
        return completion
    missing = [value is None for value in completion.values]
    beside = (
        one for one in guess.look.of_kind("text", "number", "truth") if [v is None for v in one.values] == missing
    )
    return next(beside, completion)


def _quoted(column: Column) -> str:
    return '"' + column.name.replace('"', '""') + '"'


def guess_size(name: str) -> tuple[str | None, float | None]:
    """The family and the billions of parameters that a model's name tells, null where it does not."""
    last = name.rpartition("/")[2]
    found = SIZE.search(last)
    if found is None:
        return None, None
    scale = float(found[1]) / (1000 if found[2].lower() == "m" else 1)
    family = slug(last[: found.start()], "")
    return family or None, scale if 1e-6 <= scale <= 1e6 else None


def _texts(guess: Guess, name: str | None = None) -> list[list[str]]:
    """The texts that each row's completions have, those without any left out."""
    return [
        [text for answer in answers if (text := answer["content"]) is not None] for answers in answers_of(guess, name)
    ]


def answers_of(guess: Guess, name: str | None = None) -> list[list[dict[str, str | None]]]:
    """What each row's completions say, in the column `name` or in the file's own; none where they cannot be read."""
    column = guess.look.columns.get(name) if name else guess.column("completion") or guess.column("messages")
    if column is None:
        return [[] for _ in range(guess.look.rows)]
    conversation = column.name == guess.columns.get("messages")
    return [_answers_of(value, conversation) for value in column.values]


def _answers_of(value: Any, conversation: bool) -> list[dict[str, str | None]]:
    try:
        if value is None:
            return []
        return [read_answer(read_messages(value)[-1])] if conversation else read_completions(value)
    except ValueError:
        return []
