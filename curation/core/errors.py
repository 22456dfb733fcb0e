"""What a user may do wrong, said in one line each."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path

from curation.core.output import abandon_output, neutral_streams
from curation.core.text import neutralize, one_line
from curation.core.threads import let_threads_sleep

MOST_LINES = 100  # of a message


class CurationError(Exception):
    """A mistake or a missing thing that its message names, with the value and the way out."""

    def report(self) -> str:
        """What a command prints of it: lines that a terminal can show, and no more of them than a user can read."""
        lines = [f"error: {one_line(line)}" for line in str(self).splitlines()]
        return "\n".join([*lines[:MOST_LINES], *_more(len(lines))])


class Errors(CurationError):
    """Several mistakes at once, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Outdated(CurationError):
    """A file of an earlier version: what its lines call by an old name, and each of these lines rewritten, which is
    printed as it is to be pasted."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{what}\n{line}" for what, line in lines))
        self.lines = lines

    def report(self) -> str:
        lines = [f"error: {one_line(what)}\n{neutralize(line)}" for what, line in self.lines]
        return "\n".join([*lines[:MOST_LINES], *_more(len(lines))])


def _more(count: int) -> list[str]:
    return [f"error: and {count - MOST_LINES:,} more like these"] if count > MOST_LINES else []


def run(main: Callable[[], None]) -> None:
    """Run a command. A `CurationError` prints its lines on stderr and exits 1, as does what the system refuses; an
    interrupt exits 130; no traceback. Whatever is printed is neutralized."""
    let_threads_sleep()  # here, for whoever loads torch first need not know of it
    with neutral_streams():
        try:
            try:
                main()
            finally:
                sys.stdout.flush()
        except CurationError as error:
            sys.exit(error.report())
        except BrokenPipeError:  # `… | head` has read enough
            abandon_output()
            sys.exit(141)
        except KeyboardInterrupt as interrupt:
            print("; ".join(["interrupted", *map(str, interrupt.args)]), file=sys.stderr)
            sys.exit(130)
        except OSError as error:
            if error.filename is None and error.errno == ENOSPC:
                abandon_output()
            nameless = "standard output" if error.errno == ENOSPC else "the system"
            what = one_line(str(error.filename or nameless))
            sys.exit(f"error: {what}: {one_line(error.strerror or str(error))}")
        except MemoryError:
            sys.exit("error: out of memory; ask for less at once, or use a machine with more")


def name_argument(section: str) -> str:
    """The one argument of a stage, a name in `section` of params.yaml. Raises CurationError if it is not given."""
    if len(sys.argv) != 2:
        place = f"the grid's {section}" if section in ("arms", "runs") else f"params.yaml: {section}"
        raise CurationError(f"name one entry of {place}, as in `{Path(sys.argv[0]).stem} NAME`")
    return sys.argv[1]


def write_whole(file: Path, body: bytes) -> None:
    """`file` holds `body`, or after an error what it held before. Raises CurationError if it cannot be written."""
    partial = partial_of(file)
    try:
        with refused_writes(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(body)
            partial.replace(file)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def refused_writes(file: Path) -> Iterator[None]:
    """Inside the block the system's refusal to write is a CurationError that names `file`."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":  # of a package not loaded here
            raise
        why = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
        raise CurationError(f"{file}: cannot be written: {why}") from None


def partial_of(file: Path) -> Path:
    """A new name beside `file` to write to before it is whole: two processes that write one file at once do not
    share it."""
    return file.with_name(f"{file.name}.{os.urandom(4).hex()}.partial")


def require_existing(path: Path, way_out: str) -> Path:
    """`path` itself. Raises CurationError with `way_out` if there is no such file or folder."""
    if not path.exists():
        raise CurationError(f"{path}: does not exist; {way_out}")
    return path
