"""Where files lie that outlive an experiment: `dvc exp run --temp` and DVC's queue work in a copy of the repository,
under `.dvc/tmp/exps`, which has nothing that git ignores, and which DVC deletes in the end."""

from contextlib import suppress
from pathlib import Path

COPIES = (".dvc", "tmp", "exps")


def in_main_repository(path: Path) -> Path:
    """`path`; where this process works in such a copy, the place of a relative one in the repository that was
    copied."""
    here = Path.cwd()
    above = [*reversed(here.parents), here]
    copies = next((folder for folder in above if folder.parts[-3:] == COPIES), None)
    if path.is_absolute() or copies is None:
        return path
    copy = next((folder for folder in above[len(copies.parts) :] if (folder / ".git").exists()), here)
    project = copies.parents[2]  # of DVC, which may be a folder of git's repository, all of which is copied
    repository = next((folder for folder in (project, *project.parents) if (folder / ".git").exists()), project)
    return repository / here.relative_to(copy) / path


def share_folder(folder: Path) -> Path:
    """`folder`, which in such a copy is a link to the repository's: it is called here as it is called there."""
    there = in_main_repository(folder)
    if there != folder and not folder.exists():
        with suppress(OSError):  # another process of the copy was first, or all is made here once more
            there.mkdir(parents=True, exist_ok=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(there)
    return folder
