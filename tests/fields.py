"""Every setting that params.yaml may hold, found by walking the types of its sections: where it stands and what it may
be."""

import importlib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from curation.core.kinds import KIND_FOLDERS, kind, kinds
from curation.core.params import COLLECTIONS, SECTIONS


class Setting(NamedTuple):
    """`place` is as in docs/params.md, `judges.rubric.repeats`: a kind stands for an entry's name. `low` and `high` are
    None where there is no such bound; a bound that is no value itself is `open`."""

    place: str
    type: Any
    low: float | None
    high: float | None
    open: tuple[float, ...]
    why: str | None


def models() -> dict[str, type[BaseModel]]:
    """Every model by the place of what it types."""
    found = {name: importlib.import_module(module).Params for name, module in SECTIONS.items()}
    found |= {name: importlib.import_module(module).Params for name, module in COLLECTIONS.items()}
    return found | {
        f"{section}.{name}": kind(section, name).Params for section in KIND_FOLDERS for name in kinds(section)
    }


def settings() -> Iterator[Setting]:
    """Every scalar setting, each place once."""
    seen = set()
    for place, model in models().items():
        for setting in _of_model(place, model):
            if (setting.place, setting.type) not in seen:
                seen.add((setting.place, setting.type))
                yield setting


def _of_model(place: str, model: type[BaseModel]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        # a section that is itself a mapping of names has no field to name
        yield from _of_type(place if issubclass(model, RootModel) else f"{place}.{name}", field.annotation, [field])


def _of_type(place: str, annotation: Any, marks: list[Any]) -> Iterator[Setting]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _of_type(place, inner[0], [*marks, *inner[1:]])
    elif origin in (Union, UnionType):
        for one in inner:
            yield from _of_type(place, one, marks if len(inner) == 2 and type(None) in inner else [])
    elif origin is list:
        yield from _of_type(place, inner[0], [])
    elif origin is dict:
        yield from _of_type(f"{place}.*", inner[1], [])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _of_model(place, annotation)
    elif annotation in (int, float, str, bool):
        yield _setting(place, annotation, marks)


def _setting(place: str, scalar: type, marks: list[Any]) -> Setting:
    bounds: list[Any] = []
    why = None
    for mark in marks:
        bounds += mark.metadata if isinstance(mark, FieldInfo) else [mark]
        why = getattr(mark, "description", None) or why
    low = [bound.ge for bound in bounds if isinstance(bound, annotated_types.Ge)]
    above = [bound.gt for bound in bounds if isinstance(bound, annotated_types.Gt)]
    high = [bound.le for bound in bounds if isinstance(bound, annotated_types.Le)]
    below = [bound.lt for bound in bounds if isinstance(bound, annotated_types.Lt)]
    lows, highs = [*low, *above], [*high, *below]
    return Setting(place, scalar, max(lows, default=None), min(highs, default=None), (*above, *below), why)
