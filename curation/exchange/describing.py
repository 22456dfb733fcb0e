"""What was found in a file, in the words of a table."""

from collections import Counter
from collections.abc import Iterator

from curation.core.messages import first_names, show_value
from curation.core.text import clip, one_line, say_count
from curation.exchange.completions import answers_of
from curation.exchange.guess import Guess
from curation.exchange.matching import Read
from curation.exchange.preferences import models_of, numbers_of, scales_of
from curation.exchange.thoughts import guess_rule

MOST_MODELS = 3
LONGEST = 30  # letters of a value that is shown
Row = tuple[str, str, str, str]  # the file, what it is, a column, and what that is


def describe(file: Read, held_out: str = "") -> Iterator[Row]:
    """A row for the file, and one for each part that a column of it plays."""
    guess = file.guess
    kind = f" ({guess.layout['kind']})" if guess.layout else ""
    yield guess.look.title, held_out or f"{guess.holds}{kind}", "", guess.look.seen
    for role, name in guess.columns.items():
        yield "", role, one_line(name), _what(file, role)
    for name in guess.options:
        yield "", "options", one_line(name), "end the prompt, a letter each"
    for name in guess.wide:
        yield "", "completion", one_line(name), "texts"
    if guess.holds == "traces" and (said := describe_reasoning(guess)):
        yield "", "reasoning", "", said
    for dimension, column in guess.ratings.items():
        low, high = min(numbers_of(column), default=0), max(numbers_of(column), default=0)
        yield "", "rating", one_line(column.name), f"{dimension}, {low:g} to {high:g}"
    if guess.layout:
        yield from _describe_layout(file)


def _what(file: Read, role: str) -> str:
    column = file.guess.columns[role]
    found = file.guess.look.columns[column]
    if role in ("prompt", "messages"):
        lists = "message lists" if found.kind == "messages" else "texts"
        return f"{say_count(len({*file.keys} - {None}), 'prompt')}, {lists}"
    if role in ("model", "task"):
        counted = Counter(map(str, found.given)).most_common()
        return first_names((f"{one_line(name)} ({count})" for name, count in counted), MOST_MODELS)
    if found.kind in ("samples", "texts"):
        return say_count(sum(len(value) for value in found.given), found.kind[:-1])
    if role == "reasoning":
        return f"in {say_count(len(found.given), 'row')}"
    return f"{say_count(found.distinct, 'value')}, as {_show(found.given[0])}" if found.given else "empty"


def _show(value: object) -> str:
    return one_line(show_value(clip(value, LONGEST) if isinstance(value, str) else value))


def describe_reasoning(guess: Guess) -> str:
    """How many completions have reasoning of their own, or mark it; "" where none does."""
    answers = [answer for of_row in answers_of(guess) for answer in of_row]
    own = sum(bool((answer["reasoning_content"] or "").strip()) for answer in answers)
    if own:
        return f"apart from the answer, in {own} of {len(answers)}"
    _, why = guess_rule([text for answer in answers if (text := answer["content"]) is not None])
    return why.removeprefix("guessed: ")


def _describe_layout(file: Read) -> Iterator[Row]:
    layout = file.guess.layout or {}
    scales = scales_of(file.guess.look, layout)
    for place, name in layout.items():
        if isinstance(name, str) and place not in ("kind", "order_by", "negative", "rating"):
            yield "", place, one_line(name), ""
    for dimension, (low, high) in scales.items():
        yield "", "rating", dimension, f"from {low:g} to {high:g}"
    if models := models_of(file.guess.look, layout):
        yield "", "models", "", first_names(map(one_line, models), MOST_MODELS)
