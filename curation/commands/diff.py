"""`curation diff`: what changed between two data versions, by key, and what it comes from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from curation.commands.terminal import Parser
from curation.core.errors import Errors, write_whole

if TYPE_CHECKING:
    from curation.explore.changes.diff import Diff

ABOUT = """\
What changed between two data versions: which prompts, traces and pairs came and went, how far scores and deltas
drifted, which pairs each selection and arm gained and lost, contrasts before and after; and the settings, names, files
or code that it comes from. A version is a revision of git, or a folder with params.yaml, dvc.lock and data/, as another
clone or a release. Nothing is checked out.

  curation diff                         # HEAD against the working tree
  curation diff main                    # main against the working tree
  curation diff v1 v2 --html diff.html
  curation diff main --fail-on 'overlap.top_step_coherence < 0.9'
"""


def main(arguments: list[str]) -> None:
    """Print the comparison. Raises Errors with a sentence for each condition that is met."""
    parser = Parser(prog="curation diff", description=ABOUT)
    parser.add_argument("before", nargs="?", metavar="REV", help="the earlier version, by default HEAD")
    parser.add_argument("after", nargs="?", metavar="REV", help="the later version, by default the working tree")
    parser.add_argument("--rows", action="store_true", help="all figures too, and the rows that changed")
    parser.add_argument("--json", action="store_true", help="print JSON: figures and causes, and with --rows the rows")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page, with pairs that entered or left")
    fail = "fail if a figure is so, as in 'overlap.NAME < 0.9'; may be given again"
    parser.add_argument("--fail-on", action="append", default=[], metavar="EXPR", type=_condition, help=fail)
    given = parser.parse_args(arguments)

    from curation.explore.changes.conditions import find_fault
    from curation.explore.changes.diff import SECTIONS, diff
    from curation.explore.changes.version import read_versions

    with_rows = given.rows or given.html is not None
    found = diff(*read_versions(given.before, given.after), SECTIONS if with_rows else ())
    _print(found, given)
    if given.html is not None:
        from curation.explore.changes.page import make_page

        write_whole(given.html, make_page(found))
    figures = found.figures() if given.fail_on else {}
    faults = [fault for condition in given.fail_on if (fault := find_fault(condition, figures))]
    if faults:
        raise Errors([f"--fail-on {fault}" for fault in faults])


def _condition(text: str) -> object:
    from curation.explore.changes.conditions import parse

    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _print(found: "Diff", given: argparse.Namespace) -> None:
    import sys

    from curation.commands.fitting import WIDEST, find_width, list_lines
    from curation.commands.rows import dump_json, print_rows
    from curation.explore.changes.summary import describe_cause, summarize

    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if given.json:
        print(dump_json(found.to_json(given.rows)))
        return
    lines = list(summarize(found))
    if given.rows:
        lines = [line for line in lines if line[0] != "cause"]
        lines += [("cause", describe_cause(cause)) for cause in found.causes]
    for line in list_lines(lines, min(find_width(), WIDEST)):
        print(line)
    if not given.rows:
        return
    for name, section in found.sections.items():
        for what, rows in (("figures", section.figures), ("rows that changed", section.rows)):
            if rows.height:
                print(f"\n{name}, {what}")
                print_rows(rows)
