"""`curation params`: check a params file whole."""

from pathlib import Path

from curation.commands.terminal import Parser
from curation.core.params import read

COUNTED = ("sources", "generators", "judges", "pairwise_judges", "scorers", "selections", "arms", "runs")


def main(arguments: list[str]) -> None:
    """Say what the file declares. Raises CurationError with every mistake in it."""
    parser = Parser(prog="curation params", description="Check a params file whole.")
    parser.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="params.yaml unless named")
    file = parser.parse_args(arguments).file
    study = read(file)
    counts = ", ".join(f"{len(study.names(section))} {section.replace('_', ' ')}" for section in COUNTED)
    print(f"{file}: valid; {counts}")
