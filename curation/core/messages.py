"""What is said of a mistake in params.yaml: the place, the value, the way out."""

import datetime
import difflib
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from curation.core.text import MOST_SHOWN, clip

MOST_KNOWN_NAMED = 20
EXPECTED = {  # in words, by pydantic's name for a value that is something else
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "finite_number": "a finite number",
}


class _Short(reprlib.Repr):
    """As Python writes a value, but for what YAML and JSON write otherwise (null, true, dates), without ever writing
    more than is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother, self.maxlong = 4, MOST_SHOWN, MOST_SHOWN, MOST_SHOWN
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 20

    def repr_date(self, value: datetime.date, level: int) -> str:
        return str(value)

    repr_datetime = repr_date

    def repr_bool(self, value: bool, level: int) -> str:
        return str(value).lower()

    def repr_NoneType(self, value: None, level: int) -> str:
        return "null"


def show_value(value: Any) -> str:
    """A value as a message shows it, of at most MOST_SHOWN characters: one that YAML's aliases make stand for a
    million others too."""
    return clip(_Short().repr(value))


class InnerMistakes(ValueError):
    """What is wrong with a value that has settings of its own: a line for each mistake, which begins with its place
    within the value."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(line.removeprefix(".") for line in lines))
        self.lines = lines


def format_validation_errors(model: type[BaseModel], problems: Iterable[Any], prefix: str) -> list[str]:
    """A line about each of pydantic's `problems` with what stands at `prefix`; one where a value is none of several
    sorts."""
    lines: dict[tuple[tuple[str, ...], bool], str] = {}
    for problem in problems:
        place, of_key = tuple(_walk(model, problem["loc"])[0]), problem["loc"][-1:] == ("[key]",)
        inner = problem.get("ctx", {}).get("error")
        if isinstance(inner, InnerMistakes):
            start = ".".join([prefix, *place])
            lines |= {((*place, line), of_key): f"{start}{line}" for line in inner.lines}
        else:
            lines.setdefault((place, of_key), format_validation_error(model, problem, prefix))
    return list(lines.values())


def format_validation_error(model: type[BaseModel], problem: Any, prefix: str) -> str:
    """One line about one of pydantic's `problem`s with what stands at `prefix`, which should be a `model`."""
    loc, holder = _walk(model, problem["loc"])
    place = ".".join([prefix, *loc])
    value, context = problem["input"], problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return f"{place}: unknown key{did_you_mean(loc[-1], holder.model_fields)}"
        case "missing":
            return f"{place}: missing; add it"
        case "greater_than_equal":
            return f"{place}: {show_value(value)} is less than {_bound(context['ge'])}"
        case "greater_than":
            return f"{place}: {show_value(value)} is not greater than {_bound(context['gt'])}"
        case "less_than":
            return f"{place}: {show_value(value)} is not less than {_bound(context['lt'])}"
        case "less_than_equal":
            return f"{place}: {show_value(value)} is more than {_bound(context['le'])}"
        case "too_short":
            return f"{place}: {context['actual_length']} are fewer than {context['min_length']}; add to them"
        case "literal_error":
            nearest = did_you_mean(value, re.findall(r"'([^']*)'", context["expected"]), ())
            return f"{place}: {show_value(value)} is not one of {context['expected']}{nearest}"
        case "union_tag_invalid":
            return f"{place}.kind: {context['tag']!r} is not one of {context['expected_tags'].replace(chr(39), '')}"
        case "union_tag_not_found":
            return f"{place}.kind: missing; add it"
        case "invalid_key":
            return f"{place}: a key must be text; put it in quotes"
        case kind if kind in EXPECTED:
            return f"{place}: {show_value(value)} is not {EXPECTED[kind]}"
        case "value_error":
            return f"{place}: {str(context['error']).replace(repr(value), show_value(value))}"
        case _:
            return f"{place}: {show_value(value)}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _bound(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _walk(model: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[list[str], type[BaseModel]]:
    """The keys of `loc` as they stand in the file, without the kinds that pydantic puts among them; and the
    innermost model on the way."""
    place: list[str] = []
    parts = iter(loc)
    for part in parts:
        if part == "[key]":  # pydantic's word for a name in a mapping, which stands before it
            continue
        place.append(str(part))
        field = model.model_fields.get(str(part))
        inner: Any = field.annotation if field else None
        if field and field.discriminator:
            tag = next(parts, None)
            kinds = get_args(inner)
            inner = next((kind for kind in kinds if tag in get_args(kind.model_fields["kind"].annotation)), None)
        elif get_origin(inner) in (Union, UnionType) and len(set(get_args(inner)) - {type(None)}) > 1:
            next(parts, None)  # which of its sorts the value was tried as
        for kind in _list_models(inner):
            model = kind
    return place, model


def _list_models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type: itself, or what `| None`, a list or a mapping holds, one in the other."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _list_models(inner)


def first_names(names: Iterable[object], most: int) -> str:
    """The first `most` of the names, and how many more there are."""
    listed = list(names)
    return ", ".join(map(str, listed[:most])) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def did_you_mean(word: object, known: Iterable[object], listed: Sequence[str] | None = None) -> str:
    """What to say after an unknown word: the nearest known one, else a few of them, or of those to be `listed` in
    their place."""
    names = [str(name) for name in known]
    if nearest := difflib.get_close_matches(str(word), names, n=1):
        return f"; did you mean '{nearest[0]}'?"
    listed = names if listed is None else listed
    few = [*listed[:MOST_KNOWN_NAMED], *(["…"] if len(listed) > MOST_KNOWN_NAMED else [])]
    return f"; known: {', '.join(few)}" if few else ""
