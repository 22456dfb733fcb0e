"""The preference set that a file holds: its layout, and the columns that stand beside."""

from collections.abc import Mapping
from typing import Any

from curation.core.messages import first_names
from curation.exchange.answers import guess_verifier
from curation.exchange.guess import Guess, Roles
from curation.exchange.layouts.labelled import find_label, find_words
from curation.exchange.layouts.lists import find_list
from curation.exchange.layouts.pair import find_pair
from curation.exchange.layouts.votes import find_choice, find_votes
from curation.exchange.looking import Column, Look
from curation.exchange.rating_columns import surest_rating
from curation.exchange.roles import find_prompt_by_content
from curation.exchange.transcripts import are_conversations, first_side
from curation.exchange.values import SEEN
from curation.exchange.words import column_name, rate_name, split_name

SHORT_WORDS, MOST_CARRIED = 24, 4  # characters of a column that is carried, and how many are


def guess_set(look: Look) -> Guess | None:
    """The preference set that a file holds, None where it is none."""
    for find in (find_pair, find_votes, find_choice, find_list):
        roles = Roles(look)
        if (layout := find(roles)) is not None:
            return _with_columns(roles, layout)
    return None


def guess_rated(guess: Guess) -> Guess | None:
    """As `guess_set`, of a file of which each row has one completion, with ratings or a label beside it, or a whole
    conversation with a label."""
    completion = guess.column("completion") or guess.column("messages")
    if (
        guess.holds != "traces"
        or guess.wide
        or completion is None
        or completion.kind not in ("text", "message", "messages")
    ):
        return None
    label = find_label(guess)
    if label is None and (not guess.ratings or "messages" in guess.columns):
        return None
    roles = Roles(guess.look, [completion.name])
    if label is not None:
        roles.taken.add(label.name)
        name = column_name(" ".join(split_name(label.name)), "label")
        words = find_words(label)
        layout = {"kind": "labelled", "completion": completion.name, "label": label.name, "rating": name, **words}
        return _with_columns(roles, layout)
    layout = {"kind": "responses", "text": completion.name}
    return _with_columns(roles, layout, guess.ratings)


def _with_columns(roles: Roles, layout: dict[str, Any], ratings: Mapping[str, Column] | None = None) -> Guess:
    """The layout with the model and the ratings that stand beside it, and the columns of the prompt."""
    of_rows = layout["kind"] == "labelled" or (layout["kind"] == "responses" and "each" not in layout)
    if of_rows and "model" not in layout and (models := roles.find("model")):
        roles.taken.add(models[0].name)
        layout["model"] = models[0].name
    if ratings:
        layout["ratings"] = {name: column.name for name, column in ratings.items()}
        roles.taken.update(layout["ratings"].values())
    if layout["kind"] == "responses" and layout.get("ratings"):
        names = list(layout["ratings"])
        layout["order_by"] = surest_rating(names)
        others = [name for name in names if name != layout["order_by"]]
        said = f"; or {first_names(others, 5)}, or null: the file lists no pairs then" if others else ""
        roles.notes["order_by"] = f"guessed: which of two responses is the better one{said}"
    _take_prompt(roles, layout)
    for role in ("system", "tools"):
        roles.take(role)
    ids = [one for one in roles.find("prompt_id", ("text", "number")) if not one.nulls]
    if unique := [one for one in ids if one.distinct == roles.look.rows]:
        roles.set("row_id", unique[0], "", unique[1:])
    _take_answer(roles)
    carried = _find_carried(roles)
    roles.take("task")
    return Guess(roles.look, "preferences", roles.columns, [], layout, {}, roles.notes, carried)


def _take_prompt(roles: Roles, layout: Mapping[str, Any]) -> None:
    """The column of prompts or conversations; where the sides are conversations, one that these repeat, if any."""
    conversations = [one for one in roles.free("messages") if rate_name(one.name, "prompt") is None]
    if are_conversations(roles, layout):
        side = first_side(roles.look, layout)
        repeated = [one for one in roles.find("prompt") if side is not None and _is_repeated(one, side)]
        if repeated:
            roles.set("prompt", repeated[0], "", repeated[1:])
    elif roles.take("prompt") is None:
        if conversations:
            roles.set("messages", conversations[0], "", conversations[1:])
        else:
            find_prompt_by_content(roles)


def _is_repeated(prompt: Column, side: Column) -> bool:
    """Whether conversations, in lists or in one text, say what the column of prompts does."""
    both = [(one, two) for one, two in zip(prompt.values, side.values, strict=True) if one and two][:SEEN]
    return bool(both) and all(_said_last(asked).strip() in _said_by(said) for asked, said in both)


def _said_last(prompt: Any) -> str:
    last = prompt[-1] if isinstance(prompt, list) else prompt
    return str(last.get("content", last.get("value")) if isinstance(last, dict) else last)


def _said_by(conversation: Any) -> str | list[str]:
    return [_said_last([turn]).strip() for turn in conversation] if isinstance(conversation, list) else conversation


def _take_answer(roles: Roles) -> None:
    """The column of gold answers, if a verifier reads what it has."""
    for column in roles.find("answer", ("text", "number")):
        if guess_verifier([str(value) for value in column.given]).settings in ("math", "choice"):
            roles.set("answer", column, "")
            return


def _find_carried(roles: Roles) -> list[str]:
    """Short columns that play no part, which go with pairs to where they are used: a language, a source."""
    found = [*roles.find("task"), *roles.free("text", "truth")]
    return list(dict.fromkeys(one.name for one in found if one.length <= SHORT_WORDS and one.distinct > 1))[
        :MOST_CARRIED
    ]
