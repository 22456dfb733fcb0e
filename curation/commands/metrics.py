"""`curation metrics diff`: which metrics moved beyond their intervals between two data versions."""

from curation.commands.fitting import find_width, list_lines
from curation.commands.terminal import Parser
from curation.core.metric_files import Metrics, read_metrics, read_metrics_of
from curation.core.moved_metrics import Moved, find_moved, group
from curation.core.text import say_count
from curation.tables.contracts import DATA

FOLDER = DATA / "metrics"
MOST_LINES = 15
ABOUT = """\
The metrics of data/metrics that differ between two revisions of git, or a revision and the working tree: first
contrasts, then what else has a 95 % interval and is outside the earlier one now, then what has none. Metrics that
measure the same of several judges, arms or files are one line, which shows the one that moved most.

  curation metrics diff              # HEAD against the working tree
  curation metrics diff v1 v2 --all
"""


def main(arguments: list[str]) -> None:
    """Print the metrics that moved, those that matter first, in MOST_LINES at most; or a line for each of all. Raises
    CurationError if there is no such revision, or no metrics."""
    parser = Parser(prog="curation metrics", description=ABOUT)
    parser.add_argument("action", choices=["diff"])
    parser.add_argument("before", nargs="?", default="HEAD", metavar="REV", help="the earlier one, by default HEAD")
    parser.add_argument("after", nargs="?", metavar="REV", help="the later one, by default the working tree")
    parser.add_argument("--all", action="store_true", help="a line for each, also for those within their intervals")
    given = parser.parse_args(arguments)
    before = _read(given.before)
    after = read_metrics(FOLDER) if given.after is None else _read(given.after)
    moved = list(find_moved(before, after))
    families = [[one] for one in moved] if given.all else group(one for one in moved if not one.within)
    shown = families if given.all else families[:MOST_LINES]
    for line in list_lines([(_name(family), _describe(family)) for family in shown], find_width()):
        print(line)
    if more := sum(map(len, families[len(shown) :])):
        print(f"{say_count(more, 'metric')} more moved; --all prints all")
    if within := 0 if given.all else sum(one.within for one in moved):
        print(f"{say_count(within, 'metric')} more moved within {'its interval' if within == 1 else 'their intervals'}")
    if not moved:
        print("no metric differs")


def _read(revision: str) -> Metrics:
    return read_metrics_of(revision, FOLDER, revision)


def _name(family: list[Moved]) -> str:
    """That of the one metric; of several what they measure."""
    first = family[0]
    return f"{first.file}:{first.name}" if len(family) == 1 else ":".join(first.family)


def _describe(family: list[Moved]) -> str:
    first = family[0]
    if len(family) == 1:
        return first.describe()
    files = {one.file for one in family}
    place = "" if len(files) == 1 else f"{first.file.partition('/')[2]}:"
    own = first.name.rpartition(".")[0]
    return f"{len(family)} moved, most {f'{place}{own}'.strip(':') or first.name}: {first.describe()}"
