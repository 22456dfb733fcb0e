"""How the view ends.

Kinds of fault: a signal that waits for what is read, or prints of it; an exit status by which a shell goes on."""

import signal
import socket
from pathlib import Path
from urllib.parse import urlencode

import polars as pl
import pytest
import world
from served import started
from versions import rewrite
from viewing import Viewed

SLOW = "levenshtein(text, upper(text)) > 3"  # of 200,000 letters: minutes in one call, which nothing interrupts


def write(folder: Path) -> None:
    """`folder` holds a study whose first prompt is long."""
    world.write(world.sound(), folder)
    prompts = pl.read_parquet(folder / "data/prompts.parquet")
    said = [[{"role": "user", "content": "ab" * 100_000}], *prompts["prompt"].to_list()[1:]]
    longer = prompts.with_columns(pl.Series("prompt", said, prompts.schema["prompt"]))
    rewrite(folder / "data/prompts.parquet", lambda _: longer)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("asked", ["", f"/prompts?{urlencode({'where': SLOW})}"])
def test_a_signal_ends_it_whatever_it_reads_and_prints_nothing(how: signal.Signals, asked: str, tmp_path: Path) -> None:
    """By the signal itself, as a shell expects that is to end its own loop: 130 and 143 to it."""
    write(tmp_path)
    server = started(tmp_path, "curation", "view", "--port", "0", "--no-browser")
    assert server.stdout is not None
    first, said = server.stdout.readline().strip(), server.stdout.readline()
    host, _, port = first.removeprefix("http://").partition("/")[0].partition(":")
    view = Viewed(first, f"http://{host}:{port}")
    assert view.ask("/prompts").status == 200
    with socket.create_connection((host, int(port))) as asking:
        if asked:
            asking.sendall(f"GET {asked} HTTP/1.1\r\nHost: {host}\r\nCookie: {view.cookie()}\r\n\r\n".encode())
            asking.settimeout(1)
            with pytest.raises(TimeoutError):
                asking.recv(1)  # it reads
        server.send_signal(how)
        out, err = server.communicate(timeout=30)
    assert (server.returncode, said + out, err) == (-how, "Ctrl-C ends it\n", "")
