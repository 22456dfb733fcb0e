"""`curation params`: check a params file whole, and that this machine has what it needs."""

import sys
from pathlib import Path

from curation.commands.terminal import Parser
from curation.core.errors import Errors
from curation.core.needs import look_around
from curation.core.params import read
from curation.core.text import say_count
from curation.experiment.registration import find_absent

COUNTED = ("sources", "generators", "judges", "pairwise_judges", "scorers", "selections", "arms", "runs")
ABOUT = "Check a params file whole, and that this machine has what it needs."


def main(arguments: list[str]) -> None:
    """Say what the file declares. Raises CurationError with every mistake in it, or with all that the machine lacks."""
    parser = Parser(prog="curation params", description=ABOUT)
    parser.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="params.yaml unless named")
    parser.add_argument(
        "--file-only", action="store_true", help="do not look for files, columns, weights, devices and packages"
    )
    given = parser.parse_args(arguments)
    study = read(given.file)
    if not given.file_only:
        unmet, warnings = look_around(study)
        told = [*warnings, *find_absent(study)]
        print("".join(f"warning: {line}\n" for line in told), end="", file=sys.stderr)
        if unmet:
            raise Errors(unmet)
    kinds = {section: section.replace("_", " ").removesuffix("s") for section in COUNTED}
    counts = ", ".join(say_count(len(study.names(section)), kind) for section, kind in kinds.items())
    print(f"{given.file}: valid; {counts}")
