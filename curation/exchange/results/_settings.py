"""What the settings of all harnesses have."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.params import BASELINE, Strict
from curation.core.ranges import FilePath, Scale
from curation.core.study import Study
from curation.core.text import one_line, to_path

WATCHED = Path("data/harness")  # what DVC looks at
MOST_READ = 2**25  # bytes of logs that are read to look whether they can be


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
            for folder in (to_path(path), *to_path(path).parents):
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
