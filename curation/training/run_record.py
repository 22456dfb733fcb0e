"""What lies beside a stored run's weights: of what they were made, what training measured, and the hash of each
file."""

import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from curation.core.canonical import canonical
from curation.core.errors import CurationError
from curation.core.hashing import hash_file
from curation.models import weights

KEY = re.compile(r"\w{1,128}")  # of a run, which names a folder
UNSAFE = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth", ".py"}  # what a library may run as it loads it


def _check_name(name: str) -> str:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name:
        raise ValueError(f"{name!r} is no file within a folder")
    if path.suffix.lower() in UNSAFE:
        raise ValueError(f"{name!r} may hold a program; weights are safetensors")
    return name


class File(BaseModel):
    """A file's size in bytes, and its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    size: Annotated[int, Field(ge=0)]
    sha256: str


class Record(BaseModel):
    """`run.json`: `weights` is the hash of the whole folder (`models.weights.fingerprint`), `files` each file within it
    by its name. `seconds` is how long training took, on the machine `host`; null where nobody noted it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    made_of: dict[str, Any]
    figures: dict[str, Any]
    weights: str
    files: Annotated[dict[Annotated[str, AfterValidator(_check_name)], File], Field(min_length=1)]
    seconds: float | None = None
    host: str | None = None

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(file.size for file in self.files.values())

    def text(self) -> bytes:
        """`run.json` itself."""
        return (json.dumps(self.model_dump(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def describe(
    folder: Path,
    made_of: dict[str, Any],
    figures: dict[str, Any],
    seconds: float | None = None,
    host: str | None = None,
) -> Record:
    """The record of the weights in `folder`. Raises CurationError if there are none, or what is there is no weights."""
    files = {name: File(size=size, sha256=hash_file(folder / name)) for name, size in sizes(folder).items()}
    whole = weights.combine([file.sha256 for file in files.values()])
    try:
        return Record(made_of=made_of, figures=figures, weights=whole, files=files, seconds=seconds, host=host)
    except ValidationError as error:
        raise CurationError(f"{folder}: holds no weights that can be kept: {_first(error)}") from None


def parse(body: bytes, place: str) -> Record:
    """The record that `body` is. Raises CurationError, which names `place`, if it is none."""
    try:
        return Record.model_validate_json(body)
    except ValidationError as error:
        raise CurationError(f"{place}: is no record of a run: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}".removeprefix(": ")


def key_of(made_of: dict[str, Any]) -> str:
    """The key of a run that is made of this."""
    return hashlib.sha256(canonical(made_of).encode()).hexdigest()


def sizes(folder: Path) -> dict[str, int]:
    """Every file in `folder`, by its name from there, and its size."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
