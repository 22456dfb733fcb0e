"""What the settings of all harnesses have."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, first_names
from curation.core.params import BASELINE, Strict
from curation.core.ranges import FilePath, Scale, Word
from curation.core.study import Study
from curation.core.text import one_line, to_path

WATCHED = Path("data/harness")  # what DVC looks at
SHOWN = 5  # tasks in a message
MOST_READ = 2**25  # bytes of logs that are read to look whether they can be


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Tasks = Annotated[list[Word], BeforeValidator(_as_list), Field(min_length=1)]  # names, or patterns as `mmlu_*`


class HarnessParams(Strict):
    """A benchmark that another harness asked, under the name of its entry. `split` is what it counts as, `runs` says
    where the logs of each run lie: of the grid, of `models`, or `baseline`. `scale` are the scores that are worth 0 and
    1, which may be left out where they are 0 and 1."""

    kind: str
    split: Literal["in_domain", "out_of_domain"]
    runs: Annotated[dict[str, FilePath], Field(min_length=1)]
    scale: Scale | None = None

    @model_validator(mode="after")
    def _scale_rises(self) -> "HarnessParams":
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError(f"scale: {self.scale} does not rise; write the score that is worth 0 first")
        return self

    def mistakes(self, study: Study) -> Iterator[str]:
        """Runs that there are not, and paths that DVC would not see change."""
        known = [BASELINE, *study.runs, *study.models.names]
        for run, path in self.runs.items():
            if run not in known:
                hint = did_you_mean(run, known)
                yield f"runs.{run}: no run of the grid, and not in models, where `{run}: null` declares it{hint}"
            place = Path(os.path.relpath(to_path(path)))
            if WATCHED not in (place, *place.parents):
                yield f"runs.{run}: {path} is not in {WATCHED}, which DVC watches; put the logs there, or links to them"
            for folder in (place, *place.parents):
                if WATCHED in folder.parents and folder.is_symlink() and folder.is_dir():
                    yield f"runs.{run}: {folder} is a link to a folder, which DVC does not follow; link or copy files"

    def unmet(self, study: Study) -> Iterator[str]:
        """Logs that are not there, not whole, or not to be read."""
        from curation.exchange.measured import find_logs, read_run

        for run, path in self.runs.items():
            try:
                sizes = [file.stat().st_size for file in find_logs(self, path)]
                if sum(sizes) <= MOST_READ:
                    read_run(self, "", path)
            except CurationError as error:
                yield one_line(f"runs.{run}: {error}")
            except OSError as error:
                yield one_line(f"runs.{run}: {path}: cannot be read: {error.strerror}; correct the path, or its rights")


def choose(what: str, wanted: str | None, there: Iterable[str]) -> str:
    """The name that settings want of those that a log has, or the only one. Raises CurationError if it has none of
    that name, or several where none is named."""
    names = sorted(set(there))
    if wanted is not None and wanted not in names:
        raise CurationError(f"no {what} {wanted!r}{did_you_mean(wanted, names)}")
    if wanted is None and len(names) != 1:
        raise CurationError(f"has {len(names)} {what}s: {', '.join(names) or 'none'}; name one as {what}")
    return names[0] if wanted is None else wanted


def is_one_of(name: str, tasks: Iterable[str]) -> bool:
    """Whether a task of that name is among those named, or is meant by a pattern of them."""
    return any(name == task or fnmatchcase(name, task) for task in tasks)


def pick(place: Path, named: Mapping[Path, str], tasks: Sequence[str], way_out: str) -> dict[Path, str]:
    """The logs whose task is one of those wanted, of those at a place, with their tasks. Raises CurationError with the
    first that no log is of, and the tasks that there are, or `way_out` where there is none."""
    for task in tasks:
        if not any(is_one_of(name, [task]) for name in named.values()):
            there = first_names(sorted(set(named.values())), SHOWN)
            raise CurationError(f"{place}: has no log of {task}; {f'it has those of {there}' if there else way_out}")
    return {file: name for file, name in named.items() if is_one_of(name, tasks)}


def find_named(place: Path, tasks: Sequence[str], pattern: re.Pattern[str], ending: str) -> dict[Path, str]:
    """The logs that are called as `pattern` says, and their tasks: the file, or those of the folder, however deep. A
    file of another name is of the task that is wanted. Raises CurationError where that may be several."""
    if place.is_dir():
        files = sorted(place.rglob(f"*.{ending}"))
        return {file: match["task"] for file in files if (match := pattern.fullmatch(file.name))}
    if match := pattern.fullmatch(place.name):
        return {place: match["task"]}
    if len(tasks) > 1 or set("*?[") & set(tasks[0]):
        raise CurationError(f"{place}: its name says no task; call it as the harness did, or name one as task")
    return {place: tasks[0]}


def name_pattern(kind: str, ending: str) -> re.Pattern[str]:
    """How such a file is called, with its `task` and its `date`."""
    return re.compile(rf"{kind}_(?P<task>.+)_(?P<date>\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.{ending}")
