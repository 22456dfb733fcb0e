"""What a file's columns are: prompts, completions, ids, models and the rest, guessed by their names and by what they
hold. What cannot be guessed is a CurationError."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal, TypeAlias

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.looking import Column, Kind, Look, as_number
from curation.exchange.words import WORDS, column_name, rate_name, split_name
from curation.tables.user_messages import ROLE_OF, parse_list

Holds: TypeAlias = Literal["traces", "prompts", "preferences", "ratings"]
HALF = 0.5
LONGEST_NAME = 100  # characters of a model's, on average
TOLD = ("prompt", "completion", "answer")
NOT_TOLD = {"id", "ids", "hash", "url", "tokens", "length", "type", "lang", "language", "error", "path", "file", "name"}
FEW_ROWS = 3
OPTIONS = {"choices", "choice", "options", "option"}  # of a question; a server's choices are objects
SHORT = 12  # characters of a text that is no prompt, and no answer to one
ALTERNATIVES = 3  # that a comment names
SPOKEN: tuple[Kind, ...] = ("text", "texts", "samples", "message")
KINDS: dict[str, tuple[Kind, ...]] = {
    "prompt": ("text", "messages"),
    "completion": SPOKEN,
    "answer": ("text", "number", "texts", "numbers"),
    "reasoning": ("text",),
    "model": ("text",),
    "system": ("text",),
    "tools": ("structs", "text"),
    "sample_index": ("number",),
    "finish_reason": ("text",),
    "prompt_id": ("text", "number"),
    "trace_id": ("text", "number"),
    "task": ("text",),
    "dimension": ("text",),
    "rater": ("text", "number"),
    "rationale": ("text",),
}
OF_A_TRACE = ("model", "sample_index", "finish_reason", "reasoning")  # that say that a file holds what models wrote
NO_SCORE = {  # words in names of numbers that rate nothing
    "id", "idx", "index", "seed", "tokens", "token", "length", "len", "time", "latency", "created", "timestamp", "cost",
    "logprob", "logprobs", "temperature", "count", "num", "year", "page", "line", "turn", "turns", "size", "code",
    "status", "duration", "chars", "words", "version", "rank", "nr", "age",
}  # fmt: skip


@dataclass
class Guess:
    """What a file holds: the column of each part, of `wide` traces the columns of completions, a generator each; the
    layout of a preference set, the numbers that rate, what there is to say of a part, and what of
    a set's rows goes with its pairs."""

    look: Look
    holds: Holds
    columns: dict[str, str]
    wide: list[str] = field(default_factory=list)
    layout: dict[str, Any] | None = None
    ratings: dict[str, Column] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    carried: list[str] = field(default_factory=list)

    def column(self, role: str) -> Column | None:
        """The column that plays a part, if one does."""
        name = self.columns.get(role)
        return None if name is None else self.look.columns.get(name)  # "" is a name too


class Roles:
    """The parts of a file's columns, no column with two."""

    def __init__(self, look: Look, taken: Iterable[str] = ()) -> None:
        self.look, self.columns, self.notes = look, dict[str, str](), dict[str, str]()
        self.taken = set(taken)

    def free(self, *kinds: Kind) -> list[Column]:
        """The columns of these kinds that play no part yet."""
        return [one for one in self.look.of_kind(*kinds) if one.name not in self.taken]

    def set(self, role: str, column: Column, why: str, others: Sequence[Column] = ()) -> Column:
        """`column` plays the part, which a comment gives the reason of, and what else it might have been."""
        self.columns[role] = column.name
        self.taken.add(column.name)
        said = [why] if why else []
        if others:
            said.append(f"or {first_names((show_value(one.name) for one in others), ALTERNATIVES)}")
        if said:
            self.notes[role] = f"guessed: {'; '.join(said)}"
        return column

    def find(self, role: str, kinds: Sequence[Kind] | None = None) -> list[Column]:
        """The columns that may play the part by name and kind, the surest first."""
        beside = self.columns.get("completion", "")
        rated = [
            (rate, role in OF_A_TRACE and -_shared(one.name, beside), one.name.count("."), number, one)
            for number, one in enumerate(self.free(*(kinds or KINDS[role])))
            if (rate := rate_name(one.name, role)) is not None
            and (role != "model" or one.length <= LONGEST_NAME)
            and not (role in TOLD and set(split_name(one.name)) & NOT_TOLD)
        ]
        return [one for *_, one in sorted(rated, key=lambda entry: entry[:4])]

    def take(self, role: str, kinds: Sequence[Kind] | None = None) -> Column | None:
        """The surest column plays the part, if there is one."""
        found = self.find(role, kinds)
        return self.set(role, found[0], "", found[1:]) if found else None


def _shared(name: str, other: str) -> int:
    """How many parts of their dotted names two columns begin with alike."""
    parts = zip(name.split(".")[:-1], other.split(".")[:-1], strict=False)
    return sum(1 for one, two in takewhile(lambda both: both[0] == both[1], parts))


def guess_roles(look: Look) -> Guess:
    """What a file that is no preference set holds. Raises CurationError if nothing in it can be a prompt, a completion
    or a rating."""
    roles = Roles(look)
    wide = _find_what_was_said(roles)
    for role in ("system", "tools", "model", "sample_index", "finish_reason", "reasoning"):
        roles.take(role)
    said = {"completion", "messages"} & roles.columns.keys()
    if not said and any(role in roles.columns for role in OF_A_TRACE) and "prompt" in roles.columns:
        said = {"completion"} if roles.take("completion") or _take_answer_as_completion(roles) else set()
    wide = wide or ([] if said or "prompt" not in roles.columns else _find_wide(roles))
    roles.taken.update(wide)
    _find_ids(roles, bool(said or wide))
    roles.take("answer")
    ratings = find_ratings(roles)
    if said or wide:
        roles.take("task")
        holds: Holds = "traces"
        if not roles.columns.keys() & {"prompt", "messages", "prompt_id"}:
            raise CurationError(_nothing(look, "no column of prompts, and no ids of any"))
    elif "prompt" in roles.columns:
        roles.take("task")
        holds = "prompts"
    elif (found := _find_rating_columns(roles)) and roles.columns.keys() & {"trace_id", "prompt_id"}:
        holds, ratings = "ratings", found
    else:
        raise CurationError(_nothing(look, "no column of text that could be a prompt or a completion"))
    return Guess(look, holds, roles.columns, wide, None, ratings, roles.notes)


def _nothing(look: Look, what: str) -> str:
    names = first_names((show_value(name) for name in look.columns), 20)
    return one_line(f"{look.path}: {what}; it has {names}; rename a column, as prompt or completion")


def _find_what_was_said(roles: Roles) -> list[str]:
    """The columns of prompts and completions, or of conversations that end in one. Returns those of completions where
    each model has a column of its own."""
    lists = roles.free("messages")
    said = [one for one in lists if _is_only_answer(one)]
    conversations = [one for one in lists if one not in said and _ends_in_answer(one)]
    asked = [one for one in lists if one not in conversations and one not in said]
    completions = [*said, *(one for one in roles.find("completion") if not _are_options(one))]
    listed = [one for one in completions if one.kind in ("samples", "texts")]
    if conversations and not (asked and completions) and not (listed and roles.find("prompt")):
        roles.set("messages", conversations[0], "", conversations[1:])
        return []
    repeated = roles.look.rows > FEW_ROWS  # a text that all rows share asks nothing
    prompts = [one for one in roles.find("prompt") if one not in said and (one.distinct > 1 or not repeated)]
    if asked and not prompts:
        prompts = asked
    if asked and prompts and prompts[0].kind == "text" and completions:
        prompts = [*asked, *prompts]  # what the model was sent says more than the question in it
    completions = [one for one in completions if not prompts or one is not prompts[0]]
    completions.sort(key=lambda one: ("samples", "texts", one.kind).index(one.kind))
    if prompts:
        roles.set("prompt", prompts[0], "", prompts[1:])
    for texts in (completions, [one for one in roles.find("answer", ("text",)) if one.length >= SHORT]):
        alike = [one for one in texts if one.kind == "text" == texts[0].kind and _in_one_word(texts[0], one)]
        if alike and texts[0] not in prompts[:1]:
            roles.taken.update(one.name for one in (texts[0], *alike))
            return [one.name for one in (texts[0], *alike)]  # one of each model
    if completions and (len(completions) > 1 or prompts or split_name(completions[0].name) != ["text"]):
        roles.set("completion", completions[0], "", completions[1:])
    if "prompt" not in roles.columns:
        find_prompt_by_content(roles)
    return []


def _are_options(column: Column) -> bool:
    """Whether its lists are what a question has to choose from, or numbers and truths about these."""
    if column.kind != "texts":
        return False
    words = {word for part in column.name.split(".") for word in split_name(part)}
    flat = [text for value in column.given[:200] for one in value for text in (one if isinstance(one, list) else [one])]
    plain = all(as_number(text) is not None or str(text).lower() in ("true", "false") for text in flat)
    return bool(words & OPTIONS) or plain


def _in_one_word(column: Column, other: Column) -> bool:
    """Whether two names differ in one word, as `response_1` and `response_2` do."""
    words, others = split_name(column.name), split_name(other.name)
    differ = [both for both in zip(words, others, strict=False) if both[0] != both[1]]
    return len(words) == len(others) and len(differ) == 1


def find_prompt_by_content(roles: Roles) -> None:
    """Of texts whose names say nothing the one with the fewest values is the prompt."""
    texts = [one for one in _prose(roles) if not (roles.columns and one.distinct <= 1)]
    if not texts:
        return
    first = min(texts, key=lambda one: one.distinct)  # of equal ones the first
    roles.set("prompt", first, "the texts that repeat most" if len(texts) > 1 else "its only text", texts[1:])


def _prose(roles: Roles) -> list[Column]:
    """Columns of texts that play no part yet, and by their names none of an id, a model and the like."""
    others = [role for role in WORDS if role not in ("prompt", "completion", "answer", "score", "dimension")]
    return [
        one
        for one in roles.free("text")
        if one.length >= SHORT and not any(_is_called(one.name, role) for role in others)
    ]


def _is_called(name: str, role: str) -> bool:
    rate = rate_name(name, role)
    return rate is not None and rate < 100


def _find_wide(roles: Roles) -> list[str]:
    """Columns of texts beside a prompt, where names say nothing: the completions of a model each. One alone is a
    completion if it is long, and several of a file without an answer to be known."""
    texts = [one for one in _prose(roles) if all(rate_name(one.name, role) is None for role in ("answer", "prompt"))]
    prompt = roles.columns["prompt"]
    if len(texts) == 1 and texts[0].length < 40:
        return []
    if texts:
        roles.notes["completion"] = f"guessed: texts beside {show_value(prompt)} whose names say nothing else"
    return [one.name for one in texts]


def _take_answer_as_completion(roles: Roles) -> bool:
    """`answer` or `solution`, where other columns say that models wrote the file."""
    found = [one for one in roles.find("answer", SPOKEN) if one.length >= SHORT]
    if found:
        roles.set("completion", max(found, key=lambda one: one.length), "the file says who or how, so models wrote it")
    return bool(found)


def _find_ids(roles: Roles, of_traces: bool) -> None:
    """The ids of prompts and of traces: an id that each row has alone, in a file with several rows a prompt, is a
    trace's."""
    prompts = _count_prompts(roles)
    found = [one for one in roles.find("prompt_id") if not one.nulls and _may_be_id(one)]
    several = 0 < prompts < roles.look.rows
    for one in found:
        alone = one.distinct == roles.look.rows
        if of_traces and several and alone:
            continue
        if one.distinct < prompts:
            continue  # one id of two prompts
        roles.set("prompt_id", one, "", [other for other in found if other is not one])
        break
    traces = [one for one in roles.find("trace_id") if not one.nulls and one.distinct == roles.look.rows]
    if of_traces and traces and _may_be_id(traces[0]):
        roles.set("trace_id", traces[0], "", traces[1:])


def _count_prompts(roles: Roles) -> int:
    """How many prompts the file has, 0 where it has none: conversations differ in their last turn alone where they are
    samples of one."""
    if name := roles.columns.get("prompt"):
        return roles.look.columns[name].distinct
    if name := roles.columns.get("messages"):
        lists = (parse_list(one) if isinstance(one, str) else one for one in roles.look.columns[name].given)
        return len({repr(one[:-1]) for one in lists if isinstance(one, list)})
    return 0


def _may_be_id(column: Column) -> bool:
    return all(isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**53) for value in column.given)


def find_ratings(roles: Roles, known: bool = True) -> dict[str, Column]:
    """The numbers that rate, by the name of a dimension each: those whose names say so, or if not `known` all whose
    names say nothing else."""
    found: dict[str, Column] = {}
    for column in roles.free("number"):
        words = split_name(column.name)
        if column.distinct < 2 or set(words) & NO_SCORE or (known and rate_name(column.name, "score") is None):
            continue
        found.setdefault(rating_name(column.name), column)
    return found


def _find_rating_columns(roles: Roles) -> dict[str, Column]:
    """The ratings of a file that holds nothing else: numbers, a list of them for each trace's steps, or in a long file
    the one column of all dimensions."""
    named = roles.columns.pop("prompt_id", None)
    if named is not None:
        roles.taken.discard(named)
        ids = [one for one in roles.find("prompt_id") if not one.nulls and _may_be_id(one)]
        exact = [one for one in ids if _is_called(one.name, "trace_id")]
        roles.set("trace_id" if exact and "model" not in roles.columns else "prompt_id", (exact or ids)[0], "")
    for role in ("dimension", "rater", "rationale"):
        roles.take(role)
    scores = find_ratings(roles, known="dimension" in roles.columns)
    mostly = [one for one in roles.free("text") if rate_name(one.name, "score") is not None and _is_mostly_numbers(one)]
    scores |= {rating_name(one.name): one for one in [*mostly, *roles.free("numbers")]}
    if "dimension" in roles.columns and len(scores) > 1:
        first = next(iter(scores))
        return {first: scores[first]}
    return scores


def _is_mostly_numbers(column: Column) -> bool:
    return len(column.numbers) >= HALF * len(column.given) > 0


def rating_name(name: str) -> str:
    """What a column or a field rates: of `annotations.helpfulness.Rating` helpfulness."""
    words, above = split_name(name), split_name(name.rpartition(".")[0])
    words = above if above and words[-1:] in (["rating"], ["score"], ["value"]) else words
    text = column_name(" ".join(words), "rating")
    return text[:-1] if text in ("scores", "ratings", "rewards", "grades") else text


def _is_only_answer(column: Column) -> bool:
    """Whether its lists are one message of the assistant's."""
    lists = [parse_list(value) if isinstance(value, str) else value for value in column.given[:200]]
    return bool(lists) and all(
        isinstance(one, list) and len(one) == 1 and _last_role(one) == "assistant" for one in lists
    )


def _ends_in_answer(column: Column) -> bool:
    ended = [_last_role(value) == "assistant" for value in column.given[:200]]
    return sum(ended) >= HALF * len(ended)


def _last_role(value: Any) -> str | None:
    messages = parse_list(value) if isinstance(value, str) else value
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None
    name = messages[-1].get("role", messages[-1].get("from"))
    return ROLE_OF.get(name.strip().lower()) if isinstance(name, str) else None
