"""release.json: what a release holds, and by which versions it was made."""

import json
import platform
import re
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

import curation
from curation.core.errors import CurationError, write_whole
from curation.tables import contracts

FILE = "release.json"
STUDY = "study"  # the folder of what the rows stand on
DISTRIBUTION = "preference-curation"
DECIDING = ("curation", "python", "duckdb", "numpy", "polars", "pyarrow")  # what bytes are made by


def _within(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name:
        raise ValueError(f"{name!r} is no file within a release")
    return name


class Held(BaseModel):
    """A configuration, as `load_dataset` calls it: the rows of a selection or an arm in one `file`, of the table
    `subsets` or `unpaired`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    arm: str
    table: Literal["subsets", "unpaired"]
    file: Annotated[str, AfterValidator(_within)]
    rows: int

    def find_own(self, data: Path) -> Path:
        """Where the study's own table lies, of an arm or of a selection."""
        of_arm = contracts.arm_path(self.table, self.arm, data)
        return of_arm if of_arm.exists() else contracts.path(self.table, self.arm, data)


class Manifest(BaseModel):
    """All of release.json."""

    model_config = ConfigDict(extra="forbid", strict=True)
    made_by: Literal["curation release"]
    versions: dict[str, str]
    configs: Annotated[list[Held], Field(min_length=1)]

    @property
    def arms(self) -> list[str]:
        """The names of its selections and arms, each once."""
        return list(dict.fromkeys(config.arm for config in self.configs))


def write(manifest: Manifest, folder: Path) -> None:
    """`folder/release.json` holds the manifest."""
    body = json.dumps(manifest.model_dump(), indent=1, ensure_ascii=False)
    write_whole(folder / FILE, f"{body}\n".encode())


def read(folder: Path) -> Manifest:
    """What `folder/release.json` says. Raises CurationError where it is none."""
    file = folder / FILE
    try:
        return Manifest.model_validate_json(file.read_bytes())
    except OSError as error:
        raise CurationError(f"{file}: cannot be read: {error.strerror}; every release has one") from None
    except ValidationError as error:
        first: Any = error.errors()[0]
        raise CurationError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def list_versions() -> dict[str, str]:
    """Of this toolkit, of Python, and of the packages that it is made with, as far as they are here."""
    try:
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its source
        wanted = list(DECIDING[2:])
    own = [line for line in wanted if 'extra == "dev"' not in line.replace("'", '"')]
    names = sorted({re.split(r"[^\w.-]", line)[0].lower() for line in own} - {DISTRIBUTION})
    versions = {"curation": curation.__version__, "python": platform.python_version()}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def find_other_versions(made: dict[str, str]) -> list[str]:
    """What of the versions that decide bytes is another here: `polars 2.1.0, here 2.2.0`."""
    here = list_versions()
    return [
        f"{name} {made.get(name, 'unknown')}, here {here.get(name, 'none')}"
        for name in DECIDING
        if made.get(name) != here.get(name)
    ]
