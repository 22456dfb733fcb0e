"""`curation view`: a local page over all pairs, with the why of each."""

import signal
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from curation.commands.terminal import Parser
from curation.core.errors import CurationError
from curation.core.params import read

ABOUT = """\
Serve pages over the study's tables on this machine alone, until Ctrl-C: pairs filtered and sorted by any expression of
selections, searched, and shown side by side with the why of each. No page writes a table; labels are
appended to data/import/gold.jsonl.

The address that is printed holds a token; without it nobody is answered. From another machine:
ssh -L 8000:127.0.0.1:8000 that machine.
"""
PACKAGES = ("starlette", "uvicorn")
PORT = 8000


def main(arguments: list[str]) -> None:
    """Serve until a signal ends the process, at once: reading loses nothing, and a label is whole or not there. Raises
    CurationError if a package is not there, params.yaml cannot be read, or the port is taken."""
    parser = Parser(prog="curation view", description=ABOUT)
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT}; 0 takes any that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    parser.add_argument("--labeller", metavar="NAME", help="open the page to label pairs at, as NAME")
    given = parser.parse_args(arguments)
    if absent := [name for name in PACKAGES if find_spec(name) is None]:
        raise CurationError(f'view: {", ".join(absent)} is not installed; `pip install -e ".[view]"`')
    if not 0 <= given.port < 2**16:
        raise CurationError(f"--port {given.port}: is not from 0 to {2**16 - 1}")
    read()
    from curation.explore.view.server import listen, make_server

    with listen(given.port) as listening:
        _, address, run = make_server(Path(), listening)
        if given.labeller is not None:
            address = address.replace("/?", f"/label?{urlencode({'labeller': given.labeller})}&", 1)
        print(f"{address}\nCtrl-C ends it", flush=True)
        if not given.no_browser:
            import webbrowser

            webbrowser.open(address)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which uvicorn raises again, as SIGTERM, once it has ended
        run()
