"""`curation verify-release`: whether a release is what it says, on any machine, of what it holds alone."""

from curation.commands.terminal import Parser
from curation.core.text import to_path
from curation.exchange.release import sums
from curation.exchange.release.verifying import verify

ABOUT = """Check a release: the hash of every file, the contract of every table, and whether its rows come out the same,
byte for byte, when they are made again of the traces, judgments and params.yaml that it holds. It wants no study, no
network and no key. Says the first thing that differs, and exits 1."""


def main(arguments: list[str]) -> None:
    """Print a line for each thing that holds. Raises Errors with what does not."""
    parser = Parser(prog="curation verify-release", description=ABOUT)
    parser.add_argument("dir", metavar="DIR", help="the folder of the release")
    folder = to_path(parser.parse_args(arguments).dir)
    print("\n".join(verify(folder)))
    print(f"{folder}: verified, sha256:{sums.digest(folder)} of {sums.SUMS}")
