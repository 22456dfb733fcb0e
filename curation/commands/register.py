"""`curation register`: the primary contrast is written down, before its results are seen."""

import sys
from pathlib import Path

from curation.calls.ledger import Ledger
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, Errors
from curation.core.params import BASELINE, read
from curation.core.study import Study
from curation.core.text import say_count
from curation.experiment import registration
from curation.experiment.registration import name_changes, read_registration, short
from curation.tables.contracts import DATA

ABOUT = "Write registered.yaml: all that decides compare.primary. Keep it in git; compare marks a primary that differs."


def main(arguments: list[str]) -> None:
    """Register the primary contrast, or that there is none. Raises Errors if another is registered already and is not
    to be replaced."""
    parser = Parser(prog="curation register", description=ABOUT)
    parser.add_argument("--replace", action="store_true", help="in the place of another; says what changes")
    replacing = parser.parse_args(arguments).replace
    study = read()
    file, primary = study.path.parent / registration.FILE, study.compare.primary
    declaration, name = study.compare.declaration(study) or {}, primary or "no primary contrast"
    found = None if replacing and not _is_sound(file) else read_registration(file)
    if found is not None and registration.standing(study) in (None, "registered", "after_results"):
        print(f"{file}: {name} is registered already, {short(found.sha256)}")
        return
    changes = [] if found is None else name_changes(found, primary, declaration)
    if found is not None and not replacing:
        other = f"{file}: registers another primary; `curation register --replace` replaces it"
        raise Errors([other, *(f"{file}: {one}" for one in changes)])
    answered = find_answered(study) if primary else set()
    made = registration.register(primary, declaration, bool(answered), file)
    print(*(f"changed: {one}" for one in changes), sep="\n", end="\n" if changes else "")
    print(f"{file}: registers {name}, {short(made.sha256)}; commit it")
    if answered:
        there = say_count(len(answered), "run has results", "runs have results")
        print(f"warning: {there} already, so it is registered after the fact, and marked so", file=sys.stderr)


def find_answered(study: Study) -> set[str]:
    """The runs whose results may have been seen: those in data/results, and those whose answers are in the ledger,
    from which the results can be had again at once."""
    there = {one.stem for one in (study.path.parent / DATA / "results").glob("[!.]*.parquet")}
    if study.ledger.file.exists():
        with Ledger(study.ledger, study.budget) as ledger:
            there |= {name for stage, name, _ in ledger.names() if stage == "evaluate" and name in study.runs}
    return there - {BASELINE}


def _is_sound(file: Path) -> bool:
    try:
        read_registration(file)
    except CurationError:
        return False
    return True
