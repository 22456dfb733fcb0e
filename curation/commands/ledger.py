"""`curation ledger`: count, export, import, verify or prune the model calls."""

import sys
from argparse import Namespace
from pathlib import Path

import polars as pl

from curation.calls import upkeep
from curation.calls.counts import NAMES, WHOSE, Asked, count_calls
from curation.calls.ledger import Ledger
from curation.commands.rows import print_rows
from curation.commands.terminal import Parser, refuse_untaken
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, first_names, show_value
from curation.core.params import BASELINE, read
from curation.core.study import Study
from curation.core.text import say_count

TAKES = {  # what each action takes beside its name
    "stat": (),
    "export": ("file", "stage", "name"),
    "import": ("file",),
    "verify": (),
    "prune": ("redacted", "without_reasoning"),
}
MOST_REPLIES_NAMED = 3


def main(arguments: list[str]) -> None:
    """Do what the first argument says. Raises CurationError if another argument does not go with it."""
    given = _parse_arguments(arguments)
    study = read()
    path, action = study.ledger.path, given.action
    asked = asked_by(study) if action == "stat" else None
    with Ledger(study.ledger, study.budget) as ledger:
        if action in ("import", "prune"):
            ledger.require_writable()
        if asked:
            _print_counts(pl.DataFrame(count_calls(ledger, asked), schema=NAMES))
        elif action == "verify":
            print(f"{path}: {say_count(upkeep.verify(ledger), 'row')}, all with the hash of their content")
        elif action == "prune" and given.redacted:
            count = upkeep.drop_redacted(ledger)
            print(
                f"{path}: {say_count(count, 'reply', 'replies')} that held `[key]` deleted, to be bought again by "
                "the next run"
            )
        elif action == "prune" and given.without_reasoning:
            _require_model(ledger, given.without_reasoning)
            count = upkeep.drop_without_reasoning(ledger, given.without_reasoning)
            print(
                f"{path}: {say_count(count, 'reply', 'replies')} kept without reasoning deleted, to be bought again "
                "by the next run"
            )
        elif action == "prune":
            print(f"{path}: {say_count(upkeep.prune(ledger), 'row')} deleted, none of which could answer a call")
        elif action == "export":
            _require_calls(ledger, given.stage, given.name)
            print(f"{given.file}: {say_count(ledger.export_file(given.file, given.stage, given.name), 'call')}")
        else:
            print(f"{given.file}: {say_count(ledger.import_file(given.file), 'new row')} read")
        if action in ("verify", "import"):
            _warn_of_redacted(ledger, path)
            _tell_of_unusable(ledger, path, refuse=action == "verify")


def asked_by(study: Study) -> Asked:
    """What the study asks, as far as it is known before its traces are there."""
    from curation.commands.outstanding import stage_calls  # forms every call, which no other action waits for

    calls = dict[str, tuple[str, str]]()
    for stage in stage_calls(study):
        calls = dict.fromkeys(stage.distinct, (stage.stage, stage.name)) | calls
    return Asked(calls, [BASELINE, *study.runs, *study.models.folders], study.student.model)


def _print_counts(rows: pl.DataFrame) -> None:
    print_rows(rows)
    own, shipped, other = (int(rows.filter(pl.col("of") == whose)["attempts"].sum() or 0) for whose in WHOSE)
    print(
        f"{say_count(own, 'attempt')} of this study, {say_count(shipped, 'shipped one')} that it does not ask, "
        f"{other} of other studies or of earlier versions of this one"
    )


def _parse_arguments(arguments: list[str]) -> Namespace:
    parser = Parser(prog="curation ledger", description="Count, export, import, verify or prune the model calls.")
    parser.add_argument("action", choices=TAKES)
    parser.add_argument("file", nargs="?", type=Path, help="export, import: the Parquet file to write or to read")
    parser.add_argument("--stage", help="export: this stage's calls only: generate, judge, prefer or evaluate")
    parser.add_argument("--name", help="export: the calls of this generator, judge or run only")
    redacted = "prune: the good replies that hold `[key]`, which may stand for text that is gone"
    parser.add_argument("--redacted", action="store_true", help=redacted)
    without = "prune: the good replies by this model whose reasoning an earlier version dropped"
    parser.add_argument("--without-reasoning", metavar="MODEL", help=without)
    given: Namespace = parser.parse_args(arguments)
    if given.redacted and given.without_reasoning:
        raise CurationError("ledger prune: --redacted and --without-reasoning are two prunings; do one, then the other")
    refuse_untaken("ledger", given, TAKES, "file")
    if "file" in TAKES[given.action] and given.file is None:
        raise CurationError(f"ledger {given.action}: name a Parquet file")
    return given


def _require_calls(ledger: Ledger, stage: str | None, name: str | None) -> None:
    """Nothing. Raises CurationError if the ledger has no call of that stage and name."""
    if stage is None and name is None:
        return
    pairs = sorted({(of_stage, of_name) for of_stage, of_name, _ in ledger.names()})
    if not any(stage in (None, of_stage) and name in (None, of_name) for of_stage, of_name in pairs):
        listed = ", ".join(" ".join(both) for both in pairs) or "none"
        raise CurationError(f"ledger export: no such calls; there are {listed}")


def _require_model(ledger: Ledger, model: str) -> None:
    """Nothing. Raises CurationError if the ledger has no call of that model."""
    models = sorted({of_model for *_, of_model in ledger.names()})
    if model not in models:
        raise CurationError(f"ledger prune: no call of the model {show_value(model)}{did_you_mean(model, models)}")


def _warn_of_redacted(ledger: Ledger, path: str) -> None:
    if redacted := upkeep.find_redacted(ledger):
        named = first_names((f"{key[:16]}… of {stage} {name}" for key, stage, name in redacted), MOST_REPLIES_NAMED)
        print(
            f"warning: {path}: {say_count(len(redacted), 'reply holds', 'replies hold')} `[key]` ({named}): an "
            "earlier version may have cut the "
            "API key's text out of them, or it is the model's own; `curation ledger prune --redacted` deletes them, "
            "and the next run buys them again",
            file=sys.stderr,
        )


def _tell_of_unusable(ledger: Ledger, path: str, refuse: bool) -> None:
    """Name what the ledger holds as replies and is none: a warning, or with `refuse` a CurationError."""
    unusable = upkeep.find_unusable(ledger)
    if not unusable:
        return
    named = first_names(
        (f"{key[:16]}… of {stage} {name}: {fault}" for key, stage, name, fault in unusable), MOST_REPLIES_NAMED
    )
    line = (
        f"{path}: {len(unusable)} rows that an earlier version kept as replies are none ({named}); no run "
        "reads them, and the next one buys their calls again; `curation ledger prune` deletes them"
    )
    if refuse:
        raise CurationError(line)
    print(f"warning: {line}", file=sys.stderr)
