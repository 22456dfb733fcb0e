"""What rows of several files have in common: the prompts that they are about, by what these say or by ids; and which
file gives the prompts of which traces."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.core.errors import CurationError
from curation.core.text import one_line
from curation.exchange.guess import Guess
from curation.exchange.looking import Column
from curation.tables.texts import normal_form
from curation.tables.user_messages import ROLE_OF, parse_list
from curation.tables.user_values import KEY

Key = str | None
ALIKE = 0.5  # of the rows of traces are of the prompts of a file


def prompt_keys(guess: Guess) -> list[Key]:
    """What each row's prompt says, as a text that equal prompts share; null where there is none."""
    prompt, messages, system = (guess.column(role) for role in ("prompt", "messages", "system"))
    column = prompt or messages
    if column is None:
        return [None] * guess.look.rows
    systems: Sequence[Any] = system.values if system is not None else [None] * guess.look.rows
    return [
        _key(value, system, drop_last=messages is not None)
        for value, system in zip(column.values, systems, strict=True)
    ]


def _key(value: Any, system: Any, drop_last: bool) -> Key:
    listed = _listed(value)
    if listed is None:
        return None
    turns = [_turn(message) for message in listed]
    if drop_last and turns and turns[-1][0] == "assistant":
        turns.pop()
    if isinstance(system, str) and system.strip() and not any(role == "system" for role, _ in turns):
        turns.insert(0, ("system", normal_form(system)))
    return json.dumps(turns, ensure_ascii=False)


def _listed(value: Any) -> list[Any] | None:
    if isinstance(value, str):
        try:
            return parse_list(value) or [{"role": "user", "content": value}]
        except ValueError:
            return [{"role": "user", "content": value}]
    return value if isinstance(value, list) else None


def _turn(message: Any) -> tuple[str, str]:
    if not isinstance(message, dict):
        return "", str(message)
    role = str(message.get("role", message.get("from", ""))).strip().lower()
    content = message.get("content", message.get("value", ""))
    text = content if isinstance(content, str) else json.dumps(content, sort_keys=True, default=str)
    return ROLE_OF.get(role, role), normal_form(text)


def ids(guess: Guess, role: str = "prompt_id") -> list[Key]:
    """Each row's id, as params read it; null where there is none."""
    column = guess.column(role)
    return [None] * guess.look.rows if column is None else column_ids(column)


def column_ids(column: Column) -> list[Key]:
    """What the column's values are as ids."""
    return [None if value is None else _id(value) for value in column.values]


def _id(value: Any) -> str:
    try:
        return str(KEY.convert(value))
    except ValueError:
        return str(value)


def agree(keys: Sequence[Key], names: Sequence[Key]) -> bool:
    """Whether each id is of one prompt, and each prompt has one id."""
    pairs = {(key, name) for key, name in zip(keys, names, strict=True) if key is not None and name is not None}
    return len({key for key, _ in pairs}) == len(pairs) == len({name for _, name in pairs})


def share(values: Sequence[Key], known: set[str]) -> float:
    """How many of the values that there are, as a share of all, are among those known."""
    given = [value for value in values if value is not None]
    return sum(value in known for value in given) / len(given) if given else 0.0


@dataclass
class Read:
    """A file with what params call it: where it lies for them, and what tells it from the others."""

    guess: Guess
    path: str
    label: str
    keys: list[Key]
    ids: list[Key]

    @property
    def file(self) -> dict[str, str]:
        """What params say of where its rows are."""
        within = self.guess.look.within
        return {"path": self.path} | ({} if within is None else {"rows": within})


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
    """A file of prompts with the files of traces that answer them; `by_id` where they are matched by ids, and
    `shares_ids` where they would be, but another file means other prompts by these."""

    source: Read
    traces: list[Read]
    by_id: bool
    shares_ids: bool = False


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
                one_line(f"{left[0].guess.look.title}: has no prompts, and no other file has those of its ids; name "
                         "the file of prompts too")
            )  # fmt: skip
        own = [trace for trace in left if trace is source or _answers(trace, source)]
        sources = [one for one in sources if one is not source]
        left = [trace for trace in left if trace not in own]
        found.append(Matched(source, own, all(_share_ids(trace, source) for trace in own)))
    for one in found:
        others = {name for other in found if other is not one and other.by_id for name in other.source.ids}
        known = {key for key in one.source.keys if key is not None}
        by_text = all(share(trace.keys, known) >= ALIKE for trace in one.traces)
        if one.by_id and by_text and not others.isdisjoint(one.source.ids):
            one.by_id, one.shares_ids = False, True
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
    return sum(key == other or _is_within(key, other) for key, other in pairs) >= ALIKE * len(pairs)


def _is_within(key: Key, other: Key) -> bool:
    """Whether the last turn of one prompt is in that of the other whole, as a question is in a template."""
    one, two = (json.loads(turns)[-1][1] if turns else "" for turns in (key, other))
    return bool(one and two) and (one in two or two in one)
