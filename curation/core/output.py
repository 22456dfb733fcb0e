"""What a process writes to a terminal or a pipe: text, and nothing that a terminal acts on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from curation.core.text import neutralize


class Neutral:
    """A stream whose texts are neutralized as they are written: what a model or a file said is data, wherever it is
    printed. The stream itself is `stream`, for those who mean to move the cursor."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write all of `text`, which may be longer as it is written. Returns its own length."""
        self.stream.write(neutralize(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def neutral_streams() -> Iterator[None]:
    """While it is open, standard output and error are neutral, and take every letter: one that their encoding lacks is
    escaped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    out, err = (Neutral(stream or Path(os.devnull).open("w")) for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    with redirect_stdout(out), redirect_stderr(err):
        yield


def abandon_output() -> None:
    """Nothing is written to standard output any more, not even at the end of the process: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
