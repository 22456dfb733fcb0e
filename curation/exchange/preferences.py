"""Sources, generators and judges for preference sets."""

from collections.abc import Sequence
from typing import Any

from curation.core.messages import first_names
from curation.core.text import one_line
from curation.exchange.answers import guess_verifier
from curation.exchange.draft import Draft
from curation.exchange.looking import Column, Look
from curation.exchange.sets import find_transcript
from curation.exchange.thoughts import guess_rule
from curation.exchange.traces import Read, guess_size
from curation.exchange.words import slug

SCALES = ((0.0, 1.0), (1.0, 5.0), (0.0, 4.0), (1.0, 7.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0))
MOST_MODELS = 20  # whose size is written down
MOST_CARRIED = 4


def draft_preferences(draft: Draft, sets: Sequence[Read]) -> None:
    """A source of kind pairs for each set, and the generator, the judge and the pairwise judge that it holds."""
    for one in sets:
        layout = one.guess.layout or {}
        name = draft.add("sources", slug(one.label, "pairs"), _source(draft, one))
        place = ("sources", name)
        for role, note in one.guess.notes.items():
            draft.note((*place, "layout" if role in ("order_by", "winner") else "columns",
                        *([] if role not in ("order_by", "winner") else [role]),
                        *([role] if role not in ("order_by", "winner") else [])), note)  # fmt: skip
        _draft_generator(draft, name, one)
        scale = dict(_scales(one.guess.look, layout))
        if scale:
            of_set = draft.add("judges", f"{name}-ratings", {"kind": "listed", "source": name, "scale": scale},
                               "What the file itself says of each response.")  # fmt: skip
            draft.note(("judges", of_set, "scale"), "guessed: the lowest and the highest of what the file has, or a "
                       "usual scale around them")  # fmt: skip
        if layout["kind"] != "responses" or layout.get("order_by"):
            draft.add("pairwise_judges", f"{name}-labels", {"kind": "listed", "source": name},
                      "Which of two responses the file itself prefers.")  # fmt: skip


def _source(draft: Draft, one: Read) -> dict[str, Any]:
    guess = one.guess
    transcript = find_transcript(guess)
    roles = ("prompt", "messages", "system", "tools", "answer", "task", "row_id")
    columns: dict[str, Any] = {role: guess.columns[role] for role in roles if role in guess.columns}
    settings: dict[str, Any] = {"kind": "pairs", "path": one.path, "split": "train", "layout": guess.layout}
    settings["columns"] = {"prompt": None} | columns
    if transcript is not None:
        settings["transcript"] = transcript
    rule, why = guess_rule(list(_responses(guess.look, guess.layout or {})))
    if rule is not None:
        settings["reasoning"] = rule
        draft.said.append(one_line(f"{guess.look.path}: {why}"))
    answer = guess.column("answer")
    if answer is not None:
        verifier, _ = guess_verifier([str(value) for value in answer.given if not isinstance(value, list)])
        settings["verifier"] = verifier
    return settings


def _draft_generator(draft: Draft, source: str, one: Read) -> None:
    models = _models(one.guess.look, one.guess.layout or {})
    known = {model: guess_size(model) for model in models[:MOST_MODELS]}
    sizes = {
        model: {"family": family, "scale_b": scale} for model, (family, scale) in known.items() if scale is not None
    }
    settings: dict[str, Any] = {"kind": "listed", "source": source, "family": None, "scale_b": None}
    settings |= {"models": sizes} if sizes else {}
    said = f"{len(models)} models: {first_names(map(one_line, models), 8)}" if models else "The file names no models."
    name = draft.add("generators", source, settings, said)
    draft.note(("generators", name, "models"), "guessed: families and billions of parameters, by the names")


def _models(look: Look, layout: dict[str, Any]) -> list[str]:
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


def _scales(look: Look, layout: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """The lowest and the highest of each rating."""
    found: list[tuple[str, list[float]]] = []
    for name, where in (layout.get("ratings") or {}).items():
        places = list(where.values()) if isinstance(where, dict) else [where]
        columns = [column for place in places for column in _of_response(look, layout, place)]
        found.append((name, scale_of([number for column in columns for number in numbers_of(column)])))
    if layout["kind"] == "labelled":
        found.append((layout["rating"], [0.0, 1.0]))
    if layout["kind"] == "ranked" and layout.get("rating"):
        ranks = [number for column in _of_response(look, layout, layout.get("rank")) for number in numbers_of(column)]
        low, high = (min(ranks), max(ranks)) if ranks else (1.0, 2.0)
        found.append((layout["rating"], [-high, -low if high > low else 1 - high]))
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
