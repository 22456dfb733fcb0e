"""`curation release`: rows with all that they stand on, in a folder that another machine can verify."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.calls.counts import count_calls
from curation.calls.ledger import Ledger
from curation.commands.ledger import asked_by
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, Errors
from curation.core.messages import did_you_mean
from curation.core.params import read
from curation.core.study import Study
from curation.core.text import say_count, to_path
from curation.exchange.release.bundle import Made, Order, release
from curation.exchange.release.calls import asks_model, write_calls

ABOUT = """Write selections and arms as a data set that others can load, and verify: rows as Parquet, a card,
params.yaml, dvc.lock, the traces, judgments and deltas that the rows stand on, and SHA256SUMS. What looks like a key or
tells of this machine is named, and nothing is written then; so it is where a license forbids to pass texts on."""


def main(arguments: list[str]) -> None:
    """The folder holds the release, which was verified. Raises Errors with every mistake, or as `release` does."""
    parser = Parser(prog="curation release", description=ABOUT)
    parser.add_argument("arms", nargs="+", metavar="ARM", help="a selection, an arm of the grid, or a run")
    parser.add_argument("dir", metavar="DIR", help="the folder that is made")
    parser.add_argument("--with-calls", action="store_true", help="add the model calls that the rows stand on")
    parser.add_argument("--replace", action="store_true", help="take the place of a release that is there")
    help_text = "what was found is no key and may leave this machine; MARK stands in the message"
    parser.add_argument("--accept", action="append", default=[], metavar="MARK", help=help_text)
    given = parser.parse_args(arguments)
    study = read()
    names, out = _find_arms(study, given.arms), to_path(given.dir)
    write = (lambda released, file: write_calls(study, released, file)) if given.with_calls else None
    made = release(Order(study, names, _count_calls(study), write, frozenset(given.accept)), out, given.replace)
    for note in made.notes:
        print(f"warning: {note}", file=sys.stderr)
    _print(made, out)


def _find_arms(study: Study, names: list[str]) -> list[str]:
    """The selections and arms that are meant, each once. Raises Errors with each name that there is none of."""
    found, faults = dict[str, None](), list[str]()
    for name in names:
        arm = study.runs[name].arm.name if name in study.runs else name
        found[arm] = None
        if arm not in study.arms and arm not in study.selections:
            known = [*study.selections, *study.arms, *study.runs]
            faults.append(f"{name}: no selection, arm or run of params.yaml{did_you_mean(name, known)}")
    if faults:
        raise Errors(faults)
    return list(found)


def _count_calls(study: Study) -> Sequence[Mapping[str, Any]]:
    """What `curation ledger stat` counts, for the costs of the card; nothing where nobody was asked, or where it can no
    longer be told what was."""
    if not asks_model(study) or not (study.ledger.file.exists() or Path(study.ledger.recorded).exists()):
        return []
    try:
        asked = asked_by(study)
        with Ledger(study.ledger, study.budget) as ledger:
            return count_calls(ledger, asked)
    except CurationError as error:
        print(f"warning: the card says nothing of costs, for {str(error).splitlines()[0]}", file=sys.stderr)
        return []


def _print(made: Made, out: Path) -> None:
    for config in made.configs:
        print(f"{config.name}: {say_count(config.rows, 'row')}: {config.file}")
    print(f"{out}: {made.size:,} bytes, sha256:{made.digest} of SHA256SUMS; verified")
