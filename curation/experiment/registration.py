"""The primary contrast, registered: what decides it is written down before its results are seen, in a file that git
keeps."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from curation.core.canonical import canonical
from curation.core.errors import CurationError, write_whole
from curation.core.parsed import parse_yaml
from curation.core.study import Study
from curation.core.text import shorten

FILE = "registered.yaml"  # beside params.yaml
HEAD = """\
# What decides the primary contrast, as `curation register` found it in params.yaml. Keep it in git: `compare` marks a
# primary that differs. `after_results` says whether there were results when it was registered.
"""
KEYS: dict[str, type | tuple[type, ...]] = {
    "primary": (str, type(None)), "sha256": str, "after_results": bool, "declaration": dict
}  # fmt: skip
PLAIN = re.compile(r"(?!(?:true|false|null)$)[a-z][a-z0-9_-]*")  # a key that needs no quotes
MOST_NAMED = 3  # differences in a message
MISSING = object()  # what a mapping has where it has no such key

NONE = "`curation register --replace` registers that there is none"

Standing = Literal["registered", "after_results", "differs", "missing"]


class Registration(NamedTuple):
    """A contrast's name, all that decides it as plain data, whether there were results of the study when it was
    registered, and the hash of these. A study without a primary registers that there is none."""

    primary: str | None
    sha256: str
    after_results: bool
    declaration: dict[str, Any]


def register(primary: str | None, declaration: dict[str, Any], after_results: bool, file: Path) -> Registration:
    """`file` holds the registration, which is returned."""
    made = Registration(primary, _digest(primary, after_results, declaration), after_results, declaration)
    write_whole(file, (HEAD + "".join(_lines(made._asdict()))).encode())
    return made


def _lines(body: dict[str, Any], margin: str = "") -> Iterator[str]:
    """Lines of YAML, a key each; what is no mapping is written as JSON, which YAML reads as it is."""
    for key, value in body.items():
        named = f"{margin}{key if PLAIN.fullmatch(key) else _json(key)}:"
        if isinstance(value, dict) and value:
            yield f"{named}\n"
            yield from _lines(value, f"{margin}  ")
        else:
            yield f"{named} {_json(value)}\n"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in text)


def read_registration(file: Path) -> Registration | None:
    """What `file` holds; None if there is none. Raises CurationError if that is no registration, or was edited."""
    if not file.exists():
        return None

    def refuse(why: str) -> CurationError:
        return CurationError(f"{file}:{why}; `curation register --replace` writes it anew, and git has what it was")

    try:
        whole = file.read_bytes()
    except OSError as error:
        raise refuse(f" cannot be read: {error.strerror}") from None
    if not whole.strip():
        raise refuse(" is empty")
    body = parse_yaml(whole, refuse)
    if body.keys() != KEYS.keys() or not all(isinstance(body[key], kind) for key, kind in KEYS.items()):
        raise refuse(" is no registration")
    found = Registration(**body)
    if found.sha256 != _digest(found.primary, found.after_results, found.declaration):
        raise refuse(" was edited: its sha256 is not that of what it holds")
    return found


def standing(study: Study) -> Standing | None:
    """How the study's primary contrast stands to the file beside its params.yaml; None where neither has one. A
    contrast of another name that asks the same is the same. Raises as `read_registration` does."""
    declaration, found = study.compare.declaration(study), read_registration(study.path.parent / FILE)
    if declaration is None and (found is None or found.primary is None):
        return None
    if found is None:
        return "missing"
    if declaration is None or canonical(found.declaration) != canonical(declaration):
        return "differs"
    return "after_results" if found.after_results else "registered"


def messages(study: Study) -> Iterator[str]:
    """What to say of a primary contrast that is not registered, is another than the one that was, or was registered
    when it had results already."""
    primary = f"compare.primary: {study.compare.primary}"
    match standing(study):
        case "missing":
            yield f"{primary} is not registered; `curation register` does that, before its results are seen"
        case "differs":
            found, declaration = read_registration(study.path.parent / FILE), study.compare.declaration(study)
            assert found is not None
            if declaration is None:
                yield f"compare.primary: null, but {FILE} registers {found.primary}; name that, or {NONE}"
                return
            yield f"{primary} is not the one that is registered"
            yield from (f"{FILE}: {one}" for one in name_changes(found, str(study.compare.primary), declaration))
        case "after_results":
            yield f"{primary} was registered when there were results already"


def find_absent(study: Study) -> Iterator[str]:
    """That DVC will not compare without the file, where DVC runs the study and there is none."""
    folder = study.path.parent
    if (folder / "dvc.yaml").exists() and not (folder / FILE).exists():
        what = "the primary contrast" if study.compare.primary else "that there is no primary contrast"
        yield f"{FILE}: does not exist, and `dvc repro` stops before it compares; `curation register` writes {what}"


def metrics(study: Study) -> dict[str, int]:
    """Whether the primary contrast was registered before its results, and is the one that was; nothing where there is
    none, and none was registered."""
    found = standing(study)
    return {} if found is None else {"primary_registered": int(found == "registered")}


def name_changes(found: Registration, primary: str | None, declaration: dict[str, Any]) -> list[str]:
    """What differs between what was registered and another declaration, a text each: `place: old → new`, the first
    few."""
    changes = _changes({"primary": found.primary} | found.declaration, {"primary": primary} | declaration)
    shown = [f"{place}: {_show(old, new)} → {_show(new, old)}" for place, old, new in changes]
    return shown[:MOST_NAMED] + ([f"and {len(shown) - MOST_NAMED} more"] if len(shown) > MOST_NAMED else [])


def _changes(old: dict[str, Any], new: dict[str, Any], place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two mappings differ, as deep as both go, and what either has there; MISSING for nothing."""
    for key in dict.fromkeys([*old, *new]):
        one, other = old.get(key, MISSING), new.get(key, MISSING)
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _changes(one, other, f"{place}{key}.")
        elif one is MISSING or other is MISSING or canonical(one) != canonical(other):
            yield f"{place}{key}", one, other


def _show(value: Any, beside: Any) -> str:
    """A value `beside` another; of a mapping that comes or goes no more than that it is there."""
    if value is MISSING:
        return "nothing"
    return "declared" if isinstance(value, dict) and beside is MISSING else shorten(canonical(value))


def short(sha256: str) -> str:
    """Enough of a hash to know it by."""
    return sha256[: len("sha256:") + 12]


def _digest(primary: str | None, after_results: bool, declaration: dict[str, Any]) -> str:
    return f"sha256:{hashlib.sha256(canonical([primary, after_results, declaration]).encode()).hexdigest()}"
