"""`curation aside`: what a study left in data/ makes room for another's, and comes back when it is wanted."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from curation.commands.rows import print_rows
from curation.commands.terminal import Parser
from curation.core.errors import CurationError
from curation.core.lock_file import LOCK, read_stages
from curation.core.messages import did_you_mean, show_value
from curation.core.text import say_count
from curation.tables import contracts, parquet
from curation.tables.contracts import ARMS, DATA

ASIDE = DATA / "aside"
MADE = [  # what stages write
    *(DATA / f"{table}.parquet" for table in contracts.TABLES),
    *(DATA / name for name in (*contracts.TABLES, ARMS, "deltas", "models", "metrics", "plots", "figures")),
    *(DATA / name for name in ("rendered.txt", "audited.txt", "report.html")),
    LOCK,
]
ASKED_FOR = (  # by DVC, empty or not
    "judgments", "preferences", "pair_scores", "selections", "subsets", "unpaired", "metrics/judge", "metrics/prefer",
)  # fmt: skip
KEPT = (Path(), DATA, ASIDE, *(DATA / name for name in ASKED_FOR))
ABOUT = "Move the tables, metrics and plots in data/, and dvc.lock, to a folder of their own, or back."


def main(arguments: list[str]) -> None:
    """Move aside what is there, bring back what was moved, or list it."""
    parser = Parser(prog="curation aside", description=ABOUT)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--back", metavar="NAME", help="bring back what was moved under this name")
    what.add_argument("--list", action="store_true", help="what was moved, a row a study")
    given = parser.parse_args(arguments)
    if given.list and not _moved():
        print("nothing was moved aside")
    elif given.list:
        print_rows(pl.DataFrame([describe(folder) for folder in _moved()]))
    elif given.back:
        print(
            f"{say_count(bring_back(given.back), 'file is', 'files are')} back in place; params.yaml is yours to "
            "bring back"
        )
    elif folder := move_aside():
        print(f"{folder}: {say_count(len(_made(folder)), 'file')} moved here; curation aside --back {folder.name}")
    else:
        print("there is nothing to move: no stage has written here")


def move_aside() -> Path | None:
    """What stages wrote is in a folder of `data/aside`, which is returned, and what git has of it is also here, as git
    has it. None, and nothing is moved, if nothing else is here. What DVC removed to make another study's prompts comes
    out of its cache first.

    Users' files, recorded calls and the ledger stay. The folder is named by what it holds, so a study has the same name
    whenever it is moved. Raises CurationError, and moves nothing, if a file cannot be moved.
    """
    _restore_collected()
    files = _made(Path())
    if not _not_of_git(files):
        return None
    folder = ASIDE / _name(files)
    if folder.exists():
        raise CurationError(f"{folder}: has been moved there before; delete it, or bring it back first")
    in_git = _of_git().intersection(map(str, files))
    _move(files, Path(), folder)
    _git("checkout-index", "--force", "--quiet", "-z", "--stdin", names=sorted(in_git))
    return folder


def _restore_collected() -> None:
    """What the stage `collect` wrote is here again, if DVC has it in its cache: DVC removes it before the stage runs,
    which may refuse the tables that are left of another study."""
    if contracts.path("prompts").exists() or not list((DATA / "traces").glob("*.parquet")) or not LOCK.exists():
        return
    outs = [out["path"] for out in (read_stages().get("collect") or {}).get("outs") or []]
    if outs:
        subprocess.run([sys.executable, "-m", "dvc", "checkout", "--quiet", *outs], capture_output=True, check=False)


def bring_back(name: str) -> int:
    """What lies in `data/aside/<name>` is where it was, and the folder is gone; returns the number of files. Raises
    CurationError, and moves nothing, if there is no such folder, or if another study's files are here."""
    names = [folder.name for folder in _moved()]
    if name not in names:
        raise CurationError(f"aside --back {show_value(name)}: no such study{did_you_mean(name, names)}")
    if here := _not_of_git(_made(Path())):
        raise CurationError(f"{here[0]}: is here, of another study; `curation aside` moves that away first")
    files = _made(ASIDE / name)
    _move(files, ASIDE / name, Path())
    return len(files)


def describe(folder: Path) -> dict[str, Any]:
    """What was moved to `folder`: its prompts and their sources, null where there are none; its generators and judges,
    files and megabytes."""
    files, prompts = _made(folder), folder / contracts.path("prompts")
    sources = parquet.read(contracts.PROMPTS, prompts, ["source"])["source"] if prompts.exists() else None
    parts = {
        name: sorted(file.stem for file in (folder / DATA / name).glob("[!.]*")) for name in ("traces", "judgments")
    }
    return {
        "name": folder.name,
        "prompts": None if sources is None else len(sources),
        "sources": None if sources is None else ", ".join(sources.unique().sort()),
        "generators": ", ".join(parts["traces"]),
        "judges": ", ".join(parts["judgments"]),
        "files": len(files),
        "mb": sum((folder / file).stat().st_size for file in files) / 1e6,
    }


def _moved() -> list[Path]:
    return sorted(folder for folder in ASIDE.glob("[!.]*") if folder.is_dir())


def _made(root: Path) -> list[Path]:
    """The files under `root` that stages write, as paths from there."""
    inside = (file for place in MADE for file in [root / place, *(root / place).rglob("*")])
    return sorted(file.relative_to(root) for file in inside if file.is_file() and not file.name.startswith("."))


def _not_of_git(files: list[Path]) -> list[Path]:
    """Those of the files that git does not have as they are."""
    clean = _of_git() - _of_git("--modified")
    return [file for file in files if str(file) not in clean]


def _of_git(*options: str) -> set[str]:
    """The names of the files that git has of data/ and dvc.lock, as its index says."""
    return set(_git("ls-files", "-z", *options, "--", str(DATA), str(LOCK)))


def _git(*arguments: str, names: Iterable[str] = ()) -> list[str]:
    """The names that git lists of this folder, given those; none where there is no git."""
    if (git := shutil.which("git")) is None:
        return []
    given = b"".join(os.fsencode(name) + b"\0" for name in names)
    done = subprocess.run([git, *arguments], input=given, capture_output=True, check=False)
    return [] if done.returncode else [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _name(files: list[Path]) -> str:
    """Of what they are: their names and sizes, the prompts, and all that dvc.lock says of the rest."""
    digest = hashlib.sha256("".join(f"{file} {file.stat().st_size}\n" for file in files).encode())
    for file in {contracts.path("prompts"), LOCK}.intersection(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _move(files: Iterable[Path], source: Path, target: Path) -> None:
    """The files are under `target`, and folders that are left empty are gone. All or none: raises CurationError."""
    moved = list[Path]()
    try:
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (source / file).replace(target / file)
            moved.append(file)
    except OSError as error:
        for file in moved:
            (target / file).replace(source / file)
        raise CurationError(f"{source / file}: cannot be moved to {target / file}: {error.strerror}") from None
    for folder in sorted({above for file in moved for above in (source / file).parents}, reverse=True):
        if folder not in KEPT and not any(folder.iterdir()):
            folder.rmdir()
