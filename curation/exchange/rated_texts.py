"""Judges for files that rate, or vote on, texts which files of traces beside them hold."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from curation.exchange.completions import texts_of
from curation.exchange.draft import Draft
from curation.exchange.guess import Guess, Roles
from curation.exchange.matching import ALIKE, Key, Read
from curation.exchange.preferences import scales_of
from curation.exchange.rating_columns import find_ratings
from curation.exchange.thoughts import guess_rule
from curation.exchange.words import column_name

SIDES = {"responses": ("text",), "labelled": ("completion",), "votes": ("a", "b")}  # of layouts that a judge reads too
LABELS = {"true": 1.0, "false": 0.0}


def rates_texts(one: Read, traces: Sequence[Read]) -> bool:
    """Whether what a preference set rates, row by row, is in files of traces to the same prompts, word for word."""
    layout = one.guess.layout or {}
    sides = SIDES.get(layout["kind"], ())
    prompt = one.guess.column("prompt")
    if not sides or "each" in layout or prompt is None or not isinstance(layout.get("winner", ""), str):
        return False
    known = {said for trace in traces for said in _said(trace)}
    columns = [one.guess.look.columns.get(layout[side]) for side in sides]
    rated = [
        (key, text.strip())
        for column in columns
        for key, text in zip(one.keys, column.values if column else (), strict=False)
        if isinstance(text, str)
    ]
    rule, _ = guess_rule([text for _, text in rated])  # traces have it apart then
    return rule is None and sum(said in known for said in rated) >= max(ALIKE * len(rated), 1)


def as_rated_texts(one: Read, traces: Sequence[Read]) -> Guess | None:
    """The guess that a file of traces rates those of other files, all of which it has; None where it has others too,
    names a model, or has no numbers beside them."""
    guess, completion = one.guess, one.guess.column("completion")
    if completion is None or completion.kind != "text" or "model" in guess.columns or not traces:
        return None
    layout = {"kind": "responses", "text": completion.name, "ratings": {}}
    rated = replace(guess, holds="rated texts", layout=layout)
    find_all_ratings(rated)
    known = {said for trace in traces for said in _said(trace)}
    return rated if layout["ratings"] and known.issuperset(_said(one)) else None


def _said(trace: Read) -> Iterator[tuple[Key, str]]:
    """What each trace of a file says, with its prompt."""
    for column in (*trace.guess.wide,) or (None,):
        for key, texts in zip(trace.keys, texts_of(trace.guess, column), strict=True):
            yield from ((key, text.strip()) for text in texts)


def draft_rated_texts(draft: Draft, files: Sequence[Read]) -> None:
    """A judge of kind imported for each file, a pairwise one for one of votes, by prompts and texts."""
    for one in files:
        layout = one.guess.layout or {}
        settings: dict[str, Any] = {"kind": "imported", **one.file}
        section, name = "judges", column_name(one.label, "ratings")
        if layout["kind"] == "votes":
            section = "pairwise_judges"
            settings |= {side: _which(one.guess, side) for side in ("a", "b")} | _vote(layout)
        elif layout["kind"] == "labelled":
            settings |= {"trace": _which(one.guess, "completion"), "dimensions": {layout["rating"]: layout["label"]}}
            settings |= {"words": _words(layout), "scale": {layout["rating"]: [0.0, 1.0]}}
        else:
            settings |= {"trace": _which(one.guess, "text"), "dimensions": layout["ratings"]}
            settings |= {"scale": scales_of(one.guess.look, layout)}
        said = "What the file says of texts that the files of traces have."
        made = draft.add(section, name, settings | {"unmatched": "drop"}, said)
        draft.note((section, made, "scale"), "guessed: a usual scale around what the file has, or its own ends")


def _which(guess: Guess, side: str) -> dict[str, str]:
    return {"prompt": guess.columns["prompt"], "completion": (guess.layout or {})[side]}


def _vote(layout: dict[str, Any]) -> dict[str, Any]:
    """The column of votes and its words; that both are bad is a tie."""
    words = layout.get("words")
    if words is None:
        return {"verdict": layout["winner"], "negative": layout["negative"]}
    ties = [*words.get("tie", ()), *words.get("both_bad", ())]
    return {
        "verdict": layout["winner"],
        "words": {side: words[side] for side in ("a", "b")} | ({"tie": ties} if ties else {}),
    }


def _words(layout: dict[str, Any]) -> dict[str, float]:
    """What the words of labels are worth."""
    words = layout.get("words")
    return LABELS if words is None else {**dict.fromkeys(words["good"], 1.0), **dict.fromkeys(words["bad"], 0.0)}


def find_all_ratings(guess: Guess) -> None:
    """Beside a text that is in other files every number rates it that is no id and no count, whatever its name."""
    layout = guess.layout or {}
    if layout["kind"] == "responses":
        taken = Roles(guess.look, [*guess.columns.values(), *layout["ratings"].values()])
        layout["ratings"] |= {name: column.name for name, column in find_ratings(taken, known=False).items()}
