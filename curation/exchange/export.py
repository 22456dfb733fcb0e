"""Arms and selections as the files of a trainer: rows, the file that tells the trainer of them, and a manifest."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import curation
from curation.core.errors import CurationError, Errors, partial_of, refused_writes
from curation.core.hashing import hash_file
from curation.core.progress import progress
from curation.exchange.exported import Source, count
from curation.exchange.templates import TRAPS
from curation.exchange.written import CHAT_TEMPLATE, Made, Order, add_text, write

MANIFEST, MADE_BY = "manifest.json", "curation export"


def export(order: Order, out: Path, replace: bool, strict: bool) -> list[Made]:
    """`out` holds the files of all sources, or after an error what it held before. Raises Errors where a table is not
    as it should be, there is nothing to export, `out` is there already, or with `strict` a trainer would drop or mangle
    a row."""
    refuse_existing(out, replace)
    rows = _count_all(order.sources)
    with whole_folder(out) as folder:
        if (template := order.student.template.text) is not None:
            add_text(folder / CHAT_TEMPLATE, template)
        with progress("export", rows, "rows") as shown:
            made = [write(order, source, folder, shown.advance) for source in order.sources]
        lines = [line for one in made for line in one.say(order)]
        empty = [f"{one.title}: no row is left to export" for one in made if not one.rows_out]
        if empty or (strict and lines):
            raise Errors([*empty, *lines])
        text = json.dumps(_manifest(order, made, folder), indent=1, ensure_ascii=False)
        add_text(folder / MANIFEST, f"{text}\n")
    return made


def refuse_existing(out: Path, replace: bool) -> None:
    """Nothing. Raises CurationError where `out` is there, and is not an export that `replace` may take the place of."""
    if not out.exists():
        return
    if not replace:
        raise CurationError(f"{out}: is there already; name another folder, or replace the export in it: --replace")
    try:
        made_by = json.loads((out / MANIFEST).read_text())["made_by"]
    except (OSError, ValueError, KeyError, TypeError):
        made_by = None
    if made_by != MADE_BY:
        raise CurationError(f"{out}: is no export, as it has no {MANIFEST} of one; it stays, so name another folder")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write to, which is `out` once the block is done, in the place of what was there; after an error
    nothing of it is left."""
    partial = partial_of(out)
    try:
        with refused_writes(out):
            partial.mkdir(parents=True)
        yield partial
        with refused_writes(out):
            old = partial_of(out)
            if out.exists():
                out.rename(old)
            partial.rename(out)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _count_all(sources: Sequence[Source]) -> int:
    """The rows of all tables. Raises Errors with each that is not as it should be."""
    rows, faults = 0, []
    for source in sources:
        try:
            rows += count(source)
        except CurationError as error:
            faults.append(str(error))
    if faults:
        raise Errors(faults)
    return rows


def _manifest(order: Order, made: Sequence[Made], folder: Path) -> dict[str, Any]:
    """What was written, from what, what was found, and how a study reads it back."""
    sets = [
        {
            "name": one.source.name,
            "method": one.source.method,
            "table": str(one.source.file),
            "table_sha256": hash_file(one.source.file),
            "rows_in": one.rows_in,
            "rows_out": one.rows_out,
            "left_out": one.left_out,
            "found": one.found,
            "files": one.files,
            "source": one.read_back(order),
        }
        for one in made
    ]
    files = {file.name: {"bytes": file.stat().st_size, "sha256": hash_file(file)} for file in sorted(folder.iterdir())}
    return {
        "made_by": MADE_BY,
        "version": curation.__version__,
        "format": order.name,
        "trainer": order.format.trainer,
        "reasoning": order.way,
        "system": order.student.system,
        "max_length": order.max_length,
        "not_checked": [] if order.template else list(TRAPS),
        "sets": sets,
        "files": files,
    }
