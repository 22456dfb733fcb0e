"""Kinds that are named within another's settings: the extractions of an answer judge, the verifier of a source, and the
layout of a preference set.

A verifier has a second form, a text: that is what the column `verifier` of `prompts` holds, so that a table says all
that its rows are compared by. It is the name, and after a colon the settings as JSON, or the task of a prompt of
reasoning-gym.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from curation.core.kinds import extraction_kind, extractions, layout_kind, layouts, verifier_kind, verifiers
from curation.core.messages import InnerMistakes, did_you_mean, format_validation_errors, show_value

if TYPE_CHECKING:
    from curation.judging.answers._kind import Verdict, Verifier


def read_extraction(raw: Any) -> Any:
    """An extraction's settings, from a mapping with its `kind` (or from settings, as they are). Raises ValueError on
    another value, InnerMistakes with each mistake in it."""
    return _read(raw, extractions(), extraction_kind)


def read_layout(raw: Any) -> Any:
    """A layout's settings, from a mapping with its `kind` (or from settings, as they are). Raises as
    `read_extraction`."""
    return _read(raw, layouts(), layout_kind)


def read_verifier(raw: Any) -> Any:
    """A verifier's settings, from its bare name or a mapping with its `kind` (or from settings, as they are). Raises
    ValueError on another value or a name that needs settings, InnerMistakes with each mistake in it."""
    if not isinstance(raw, str):
        return _read(raw, verifiers(), verifier_kind)
    if raw not in verifiers():
        raise ValueError(f"{show_value(raw)} is not one of {_list(verifiers())}{did_you_mean(raw, verifiers(), ())}")
    plain = verifier_kind(raw).PLAIN
    if plain is None:
        fields = [name for name in verifier_kind(raw).Params.model_fields if name != "kind"]
        example = ", ".join(f"{name}: …" for name in fields)
        raise ValueError(f"{raw!r} has settings to be stated; write {{kind: {raw}, {example}}}")
    return plain


def _read(raw: Any, names: list[str], load: Callable[[str], Any]) -> Any:
    if hasattr(raw, "kind"):
        return raw
    if not isinstance(raw, dict):
        raise ValueError(f"{show_value(raw)} is not a mapping with a kind, one of {_list(names)}")
    if "kind" not in raw:
        raise InnerMistakes([f".kind: missing; one of {_list(names)}"])
    if raw["kind"] not in names:
        nearest = did_you_mean(raw["kind"], names, ())
        raise InnerMistakes([f".kind: {show_value(raw['kind'])} is not one of {_list(names)}{nearest}"])
    model = load(raw["kind"]).Params
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise InnerMistakes(format_validation_errors(model, error.errors(), "")) from None


def _list(names: list[str]) -> str:
    return ", ".join(names)


def write_verifier(settings: Any, task: str = "") -> str:
    """A verifier's settings as text: the name alone where they are what it stands for, with the prompt's `task` where
    it has one."""
    body = settings.model_dump(mode="json", exclude={"kind"})
    plain = settings == verifier_kind(settings.kind).PLAIN
    rest = task if plain else json.dumps(body, sort_keys=True, ensure_ascii=False)
    return f"{settings.kind}:{rest}" if rest else str(settings.kind)


class ReadVerifier(NamedTuple):
    """A verifier with its settings, and the task that it is given."""

    module: "Verifier[Any]"
    settings: Any
    task: str

    def verify(self, answer: str, reference: str, entry: str | None) -> "Verdict":
        """Whether `answer` is what `reference` says."""
        return self.module.verify(self.settings, answer, reference, self.task, entry)


@cache
def parse_verifier(text: str) -> ReadVerifier:
    """The verifier that a text of `write_verifier` names. Raises CurationError if there is none of that name."""
    name, _, rest = text.partition(":")
    module = verifier_kind(name)
    if rest.startswith("{"):
        body = json.dumps({"kind": name} | json.loads(rest))
        return ReadVerifier(module, module.Params.model_validate_json(body), "")
    return ReadVerifier(module, module.PLAIN, rest)
