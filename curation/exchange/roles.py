"""What a file that is no preference set holds: prompts, traces or ratings, guessed by its columns' names and
values. What cannot be guessed is a CurationError."""

from typing import Any

from curation.core.errors import CurationError
from curation.core.messages import first_names, show_value
from curation.core.text import one_line
from curation.exchange.guess import OF_A_TRACE, SPOKEN, Guess, Holds, Roles
from curation.exchange.id_columns import find_ids
from curation.exchange.looking import Column, Look
from curation.exchange.options import are_options, find_options
from curation.exchange.rating_columns import find_rating_columns, find_ratings
from curation.exchange.words import WORDS, is_called, rate_name, split_name, swap_word
from curation.tables.user_messages import ROLE_OF, parse_list

HALF = 0.5
FEW_ROWS = 3
SHORT = 12  # characters of a text that is no prompt, and no answer to one


def guess_roles(look: Look) -> Guess:
    """What a file that is no preference set holds. Raises CurationError if nothing in it can be a prompt, a completion
    or a rating."""
    roles = Roles(look, [one.name for one in find_options(look)])
    wide = _find_what_was_said(roles)
    thoughts = {} if wide else _find_wide_thoughts(roles)
    roles.taken.update((*thoughts, *thoughts.values()))
    wide = wide or [*thoughts]
    for role in ("system", "tools", "model", "sample_index", "finish_reason", "reasoning"):
        roles.take(role)
    said = {"completion", "messages"} & roles.columns.keys()
    if not (said or wide) and any(role in roles.columns for role in OF_A_TRACE) and "prompt" in roles.columns:
        said = {"completion"} if roles.take("completion") or _take_answer_as_completion(roles) else set()
    wide = wide or ([] if said or "prompt" not in roles.columns else _find_wide(roles))
    roles.taken.update(wide)
    find_ids(roles, bool(said or wide))
    roles.take("answer")
    ratings = find_ratings(roles)
    if said or wide:
        roles.take("task")
        holds: Holds = "traces"
        if not roles.columns.keys() & {"prompt", "messages", "prompt_id"}:
            raise CurationError(_nothing(look, "no column of prompts, and no ids of any"))
    elif (silent := _find_silent(roles)) is not None:
        holds, roles.columns = "nothing", roles.columns | {"completion": silent.name}
    elif "prompt" in roles.columns:
        roles.take("task")
        holds = "prompts"
    elif (found := find_rating_columns(roles)) and (
        roles.columns.keys() & {"trace_id", "prompt_id"}
        or any(rate_name(one.name, "score") is not None for one in found.values())
    ):
        holds, ratings = "ratings", found
    else:
        raise CurationError(_nothing(look, "no column of text that could be a prompt or a completion"))
    return Guess(look, holds, roles.columns, wide, None, ratings, roles.notes, thoughts=thoughts)


def _find_silent(roles: Roles) -> Column | None:
    """The column of completions, if it has none in any row, as where every request failed."""
    empty = [one for one in roles.look.of_kind("empty") if is_called(one.name, "completion")]
    return empty[0] if empty and any(role in roles.columns for role in OF_A_TRACE) else None


def _nothing(look: Look, what: str) -> str:
    names = first_names((show_value(name) for name in look.columns), 20)
    return one_line(f"{look.title}: {what}; it has {names}; rename a column, as prompt or completion")


def _find_what_was_said(roles: Roles) -> list[str]:
    """The columns of prompts and completions, or of conversations that end in one. Returns those of completions where
    each model has a column of its own."""
    lists = roles.free("messages")
    said = [one for one in lists if _is_only_answer(one)]
    conversations = [one for one in lists if one not in said and _ends_in_answer(one)]
    asked = [one for one in lists if one not in conversations and one not in said]
    completions = [*said, *(one for one in roles.find("completion") if not are_options(one))]
    listed = [one for one in completions if one.kind in ("samples", "texts") and _has_several(one)]
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


def _has_several(column: Column) -> bool:
    """Whether a row has several samples: of one alone, a conversation that ends in it says as much, and more."""
    return any(len(value) > 1 for value in column.given)


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
        if one.length >= SHORT and not any(is_called(one.name, role) for role in others) and not _says_why(one)
    ]


def _find_wide_thoughts(roles: Roles) -> dict[str, str]:
    """Where several models have a column of reasoning each, named alike but for one word, the column of each one's
    completion, with that of its reasoning."""
    thoughts = [one for one in roles.free("text") if rate_name(one.name, "reasoning") is not None]
    for one in thoughts:
        alike = [other for other in thoughts if other is not one and _in_one_word(one, other)]
        if not alike:
            continue
        words = {other.name: _word_of(other, one) for other in alike} | {one.name: _word_of(one, alike[0])}
        mine = words.pop(one.name)
        texts = {other.name: other for other in roles.free("text") if other not in thoughts}
        completions = [
            own
            for own in sorted(texts.values(), key=lambda own: -own.length)
            if mine in split_name(own.name) and not _says_why(own)
            and all(swap_word(own.name, mine, word, texts) for word in words.values())
        ]  # fmt: skip
        if "prompt" in roles.columns and completions:
            first = completions[0].name
            others = {swap_word(first, mine, word, texts) or "": name for name, word in words.items()}
            return {first: one.name} | others
    return {}


def _word_of(column: Column, other: Column) -> str:
    """The word in which its name differs from another's."""
    both = zip(split_name(column.name), split_name(other.name), strict=True)
    return next(one for one, two in both if one != two)


def _says_why(column: Column) -> bool:
    """Whether its name ends in a word for the reasons of a rating, or for reasoning, and so for no answer."""
    rates = [rate_name(column.name, role) for role in ("rationale", "reasoning")]
    return any(rate is not None for rate in rates)


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
