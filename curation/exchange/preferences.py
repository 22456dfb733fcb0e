"""Sources, generators and judges for preference sets."""

import re
from collections.abc import Sequence
from typing import Any

from curation.core.messages import first_names
from curation.core.text import one_line
from curation.exchange.answers import guess_verifier
from curation.exchange.draft import Draft
from curation.exchange.generators import guess_size
from curation.exchange.looking import Column, Look
from curation.exchange.matching import Read
from curation.exchange.thoughts import guess_rule
from curation.exchange.transcripts import find_transcript, has_turns
from curation.exchange.words import column_name

SCALES = ((0.0, 1.0), (1.0, 5.0), (0.0, 4.0), (1.0, 7.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0))
OF_LAYOUT = ("order_by", "winner", "prefix", "turn")  # what is guessed of a layout, and said there
ITEM = re.compile(r"(.+?)\.\d+\.(.+)")  # a field of an item of a list
MOST_MODELS = 20  # whose size is written down


def draft_preferences(draft: Draft, sets: Sequence[Read]) -> None:
    """A source of kind pairs for each set, and the generator, the judge and the pairwise judge that it holds."""
    for one in sets:
        layout = one.guess.layout or {}
        name = draft.add("sources", column_name(one.label, "pairs"), _source(draft, one))
        prefix = f"{name}_" if len(sets) > 1 else ""
        place = ("sources", name)
        for role, note in one.guess.notes.items():
            draft.note((*place, "layout" if role in OF_LAYOUT else "columns", role), note)
        _draft_generator(draft, name, one)
        scale = scales_of(one.guess.look, layout)
        if scale:
            of_set = draft.add("judges", f"{prefix}ratings", {"kind": "listed", "source": name, "scale": scale},
                               "What the file itself says of each response.")  # fmt: skip
            draft.note(("judges", of_set, "scale"), "guessed: the lowest and the highest of what the file has, or a "
                       "usual scale around them")  # fmt: skip
        if layout["kind"] != "responses" or layout.get("order_by"):
            draft.add("pairwise_judges", f"{prefix}labels", {"kind": "listed", "source": name},
                      "Which of two responses the file itself prefers.")  # fmt: skip


def _source(draft: Draft, one: Read) -> dict[str, Any]:
    guess = one.guess
    transcript = find_transcript(guess)
    roles = ("prompt", "messages", "system", "tools", "answer", "task", "row_id")
    columns: dict[str, Any] = {role: guess.columns[role] for role in roles if role in guess.columns}
    settings: dict[str, Any] = {"kind": "pairs", **one.file, "split": "train", "layout": guess.layout}
    settings["columns"] = {"prompt": None} | columns | ({"carried": guess.carried} if guess.carried else {})
    if transcript is not None:
        settings["transcript"] = transcript
    if has_turns(guess):
        settings["turns"] = "lists"
    rule, why = guess_rule(list(_responses(guess.look, guess.layout or {})))
    if rule is not None:
        settings["reasoning"] = rule
        draft.said.append(one_line(f"{guess.look.title}: {why}"))
    answer = guess.column("answer")
    if answer is not None:
        verifier, _ = guess_verifier([str(value) for value in answer.given if not isinstance(value, list)])
        settings["verifier"] = verifier
    return settings


def _draft_generator(draft: Draft, source: str, one: Read) -> None:
    models = models_of(one.guess.look, one.guess.layout or {})
    known = {model: guess_size(model) for model in models[:MOST_MODELS]}
    sizes = {
        model: {"family": family, "scale_b": scale} for model, (family, scale) in known.items() if scale is not None
    }
    settings: dict[str, Any] = {"kind": "listed", "source": source, "family": None, "scale_b": None}
    settings |= {"models": sizes} if sizes else {}
    said = f"{len(models)} models: {first_names(map(one_line, models), 8)}" if models else "The file names no models."
    name = draft.add("generators", source, settings, said)
    draft.note(("generators", name, "models"), "guessed: families and billions of parameters, by the names")


def models_of(look: Look, layout: dict[str, Any]) -> list[str]:
    names: set[str] = set()
    for key in ("model", "chosen_model", "rejected_model", "model_a", "model_b"):
        for column in _of_response(look, layout, layout.get(key)):
            values = [inner for value in column.given for inner in (value if isinstance(value, list) else [value])]
            names |= {value for value in values if isinstance(value, str)}
    return sorted(names)


def _of_response(look: Look, layout: dict[str, Any], name: Any) -> list[Column]:
    """The column, or the field within the list of responses."""
    if not isinstance(name, str):
        return []
    columns = look.columns[layout["each"]].fields() if layout.get("each") else look.columns
    of_item = ITEM.fullmatch(name)
    if name not in columns and of_item is not None and of_item[1] in columns:
        columns, name = columns[of_item[1]].fields(), of_item[2]
    return [columns[name]] if name in columns else []


def _responses(look: Look, layout: dict[str, Any]) -> list[str]:
    texts: list[str] = []
    for key in ("chosen", "rejected", "a", "b", "completion", "text"):
        for column in _of_response(look, layout, layout.get(key)):
            for value in column.given:
                last = value[-1] if isinstance(value, list) and value else value
                said = last.get("content", last.get("value")) if isinstance(last, dict) else last
                texts += [said] if isinstance(said, str) else []
    return texts


def scales_of(look: Look, layout: dict[str, Any]) -> dict[str, list[float]]:
    """The lowest and the highest of each rating. Those of whole numbers up to 5 have one scale."""
    numbers: dict[str, list[float]] = {}
    for name, where in (layout.get("ratings") or {}).items():
        places = list(where.values()) if isinstance(where, dict) else [where]
        columns = [column for place in places for column in _of_response(look, layout, place)]
        numbers[name] = [number for column in columns for number in numbers_of(column)]
    alike = [own for own in numbers.values() if own and max(own) <= 5 and all(one == int(one) >= 0 for one in own)]
    common = [number for own in alike for number in own]
    found = {name: scale_of(common if own in alike else own) for name, own in numbers.items()}
    if layout["kind"] == "labelled":
        found[layout["rating"]] = [0.0, 1.0]
    if layout.get("rating") and layout["kind"] in ("ranked", "votes"):
        place = layout["rank"] if layout["kind"] == "ranked" else layout["winner"]
        own = [number for column in _of_response(look, layout, place) for number in numbers_of(column)] or [1.0, 2.0]
        half = max(map(abs, own)) / 2  # of a vote each side has half
        ranked = [-max(own), 0 - min(own) if max(own) > min(own) else 1 - max(own)]
        found[layout["rating"]] = ranked if layout["kind"] == "ranked" else [-half, half]
    return found


def numbers_of(column: Column) -> list[float]:
    """The numbers of a column, those of lists one by one."""
    if column.kind != "numbers":
        return column.numbers
    return [float(number) for value in column.given for number in value if number is not None]


def scale_of(numbers: Sequence[float]) -> list[float]:
    """The usual scale that holds the numbers, if they fill it, else their own ends."""
    if not numbers:
        return [0.0, 1.0]
    low, high = min(numbers), max(numbers)
    for bottom, top in SCALES:
        if bottom <= low and high <= top and high > (bottom + top) / 2:
            return [bottom, top]
    return [low, high if high > low else low + 1]
