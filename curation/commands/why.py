"""`curation why`: all that is known of a pair, a trace, a prompt or a run, and each selection's verdict in numbers."""

from pathlib import Path

from curation.commands.rows import dump_json
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, Errors, write_whole
from curation.core.params import read
from curation.core.text import one_line

ABOUT = """\
Show a pair, a trace, a prompt, a run, a selection, an arm or a call: texts, judges' scores and replies, deltas, every
selection's verdict with the numbers that it follows from, what controls draw, arms, calls, and from which line all of
it comes. Nothing is asked of any model.

ID is an id of any table, the first eight or more digits of one, an id of your own, the name of a run, a selection or
an arm, the key of a run's weights or of a call in the ledger, or a piece of a text. Where several have it, they are
listed, and the exit code is 1.
"""


def main(arguments: list[str]) -> None:
    """Print what is known. Raises CurationError if nothing has the id, or several have."""
    parser = Parser(prog="curation why", description=ABOUT)
    parser.add_argument("id", metavar="ID", help="of a row, a run or a call, a name, or a piece of a text")
    parser.add_argument("--full", action="store_true", help="print texts to their end")
    parser.add_argument(
        "--rendered", action="store_true", help="show what the student reads too, which loads its tokenizer"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object, all texts whole")
    form.add_argument("--html", type=Path, metavar="FILE", help="write a page that needs nothing else")
    given = parser.parse_args(arguments)
    from curation.explore.explain import explain
    from curation.explore.find import MOST, find
    from curation.explore.tables import Tables

    tables = Tables(read())
    hits = find(tables, given.id)
    if len(hits) > 1:
        listed = [one_line(f"{hit.kind} {hit.id}  {hit.where}") for hit in hits[:MOST]]
        more = [f"and more than these {MOST}"] if len(hits) > MOST else []
        raise Errors([f"why: {one_line(given.id)!r} is in several; name one by its id:", *listed, *more])
    found = explain(tables, hits[0], rendered=given.rendered)
    if given.json:
        print(dump_json(found))
    elif given.html is not None:
        from curation.explore.page import render

        if given.html.is_dir():
            raise CurationError(f"--html {given.html}: is a folder; name a file")
        write_whole(given.html, render("why.html", found=found))
        print(f"{given.html}: {hits[0].kind} {hits[0].id}")
    else:
        from curation.explore.text import write_text

        for line in write_text(found, given.full):
            print(line)
