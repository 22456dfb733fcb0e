"""`curation metrics diff`: which metrics moved beyond their intervals between two data versions."""

from curation.commands.terminal import Parser
from curation.core.metric_files import Metrics, read_metrics, read_metrics_of
from curation.core.moved_metrics import Moved, find_moved
from curation.core.text import say_count
from curation.tables.contracts import DATA

FOLDER = DATA / "metrics"
ABOUT = """\
The metrics of data/metrics that differ between two revisions of git, or a revision and the working tree: first
contrasts, then what reliability measured, then all others. One with a 95 % interval is shown where the later value is
outside the earlier interval; how many moved within theirs is one line.

  curation metrics diff              # HEAD against the working tree
  curation metrics diff v1 v2
"""


def main(arguments: list[str]) -> None:
    """Print a line for each metric that moved. Raises CurationError if there is no such revision, or no metrics."""
    parser = Parser(prog="curation metrics", description=ABOUT)
    parser.add_argument("action", choices=["diff"])
    parser.add_argument("before", nargs="?", default="HEAD", metavar="REV", help="the earlier one, by default HEAD")
    parser.add_argument("after", nargs="?", metavar="REV", help="the later one, by default the working tree")
    parser.add_argument("--all", action="store_true", help="also those that moved within their intervals")
    given = parser.parse_args(arguments)
    before = _read(given.before)
    after = read_metrics(FOLDER) if given.after is None else _read(given.after)
    moved = list(find_moved(before, after))
    within = 0 if given.all else sum(one.within for one in moved)
    shown = [one for one in moved if given.all or not one.within]
    for line in _lines(shown):
        print(line)
    if within:
        print(f"{say_count(within, 'metric')} more moved within {'its interval' if within == 1 else 'their intervals'}")
    if not moved:
        print("no metric differs")


def _read(revision: str) -> Metrics:
    return read_metrics_of(revision, FOLDER, revision)


def _lines(moved: list[Moved]) -> list[str]:
    """The names in a column of their own."""
    names = [f"{one.file}:{one.name}" for one in moved]
    width = max(map(len, names), default=0)
    return [f"{name:{width}}  {one.describe()}" for name, one in zip(names, moved, strict=True)]
