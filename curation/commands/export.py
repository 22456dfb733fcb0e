"""`curation export`: arms and selections as the files that a trainer reads, with what it would drop or mangle named."""

import sys
from argparse import Namespace
from importlib import import_module
from typing import Any, cast

from curation.commands.terminal import Parser, count
from curation.core.errors import CurationError, Errors
from curation.core.kinds import formats
from curation.core.messages import did_you_mean
from curation.core.params import read
from curation.core.study import Study
from curation.core.text import say_count, to_path
from curation.exchange.export import export
from curation.exchange.exported import TABLES, Source
from curation.exchange.formats._kind import Format, Method
from curation.exchange.templates import Template
from curation.exchange.written import Made, Order
from curation.tables import contracts

ABOUT = """Write arms and selections as the files that a trainer reads: rows, the file that tells the trainer of them,
and manifest.json. Rows that the trainer would drop or mangle without a word are named; with --strict nothing is written
then, and the exit code is 1."""
UNCHECKED = (
    "no tokenizer was named, so that what a chat template does to the rows was not looked for; "
    "--tokenizer DIR names the student's"
)
SHAPES = {"soft_dpo": "dpo"}  # kinds of methods whose rows other trainers know by another name
WAYS = ("reasoning_content", "thinking", "inline", "drop")


def main(arguments: list[str]) -> None:
    """The folder of the option --out holds what was asked for. Raises Errors with every mistake, or as `export`
    does."""
    given = _parse_arguments(arguments)
    study = read()
    module = import_module(f"curation.exchange.formats.{given.to.replace('-', '_')}")
    format = cast("Format", module.FORMAT)
    sources = list_sources(study, given.arms, given.method, given.to, format)
    way = _way(study, given, format)
    template = None if given.tokenizer is None else _template(study, given, way, sources)
    order = Order(sources, given.to, format, way, study.student, given.max_length, template)
    made = export(order, to_path(given.out), given.replace, given.strict)
    for one in made:
        for line in one.say(order):
            print(f"warning: {line}", file=sys.stderr)
    if order.template is None:
        print(f"note: {UNCHECKED}", file=sys.stderr)
    _print_made(made, given)


def list_sources(study: Study, names: list[str], method: Method | None, to: str, format: Format) -> list[Source]:
    """The table of each name for each method: of an arm or a selection those that the grid trains it by, of a run its
    own; DPO where none does. Raises Errors with each name that there is none of, and each method that the format
    lacks."""
    sources: dict[tuple[str, str], Source] = {}
    faults = []
    for name in dict.fromkeys(names):
        run = study.runs.get(name)
        arm = run.arm.name if run else name
        if arm not in study.arms and arm not in study.selections:
            known = [*study.selections, *study.arms, *study.runs]
            faults.append(f"{name}: no selection, arm or run of params.yaml{did_you_mean(name, known)}")
            continue
        kinds = _methods(study, arm, run.method if run else None, method)
        there = {kind: settings for kind, settings in kinds.items() if kind in format.rows}
        if not there:
            faults.append(f"{name}: {to}: {format.no_kto}, and takes pairs alone: --method dpo")
        elif len(there) < len(kinds):
            print(f"note: {name}: {format.no_kto}, which the grid trains it by as well", file=sys.stderr)
        for kind, settings in there.items():
            table = TABLES[kind].name
            file = contracts.arm_path(table, arm) if arm in study.arms else contracts.path(table, arm)
            sources[arm, kind] = Source(arm, kind, file, settings)
    if faults:
        raise Errors(faults)
    return list(sources.values())


def _methods(study: Study, arm: str, of_run: str | None, asked: Method | None) -> dict[Method, dict[str, Any]]:
    """The methods to export for, with the settings of the study's own."""
    trained = [run.method for run in study.runs.values() if run.arm.name == arm or run.arm.selection == arm]
    names = [of_run] if of_run else list(dict.fromkeys(trained))
    settings = {
        SHAPES.get(study.methods[name].kind, study.methods[name].kind): study.methods[name].model_dump(mode="json")
        for name in reversed(names)
    }
    kinds: tuple[Method, ...] = ("dpo", "kto")
    known = {kind: settings[kind] for kind in kinds if kind in settings}
    if asked is not None:
        return {asked: known.get(asked, {})}
    return known or {"dpo": {}}


def _way(study: Study, given: Namespace, format: Format) -> Any:
    """How reasoning goes: as it was asked, else as the study's student gets it, or in the content where the trainer
    reads no other key. Raises CurationError where the trainer does not read what was asked, or the study appends it."""
    asked, own = given.reasoning, study.student.reasoning
    known = ", ".join(format.ways)
    if asked is not None and asked not in format.ways:
        raise CurationError(f"--reasoning {asked}: {given.to} does not read it; it takes {known}")
    if asked is None and own == "text":
        raise CurationError(
            f"student.reasoning: text goes past the chat template, which a trainer does not; say how {given.to} gets "
            f"it: --reasoning, one of {known}"
        )
    return asked or (own if own is None or own in format.ways else "inline")


def _template(study: Study, given: Namespace, way: Any, sources: list[Source]) -> Template:
    """The tokenizer that was named, under the student's settings; the length is that asked for, or the shortest of the
    methods'."""
    from curation.models import rendering, weights

    model, _, revision = given.tokenizer.partition("@")
    local = weights.locate(model)
    revision = revision or ("main" if local is None else weights.fingerprint(local))
    student = study.student.model_copy(update={"model": model, "revision": revision, "reasoning": way})
    lengths = [source.settings["max_length"] for source in sources if source.settings.get("max_length")]
    return Template(rendering.load(student), given.max_length or min(lengths, default=None))


def _print_made(made: list[Made], given: Namespace) -> None:
    for one in made:
        left = sum(map(len, one.left_out.values()))
        less = f", {left:,} left out" if left else ""
        print(
            f"{one.source.name} ({one.source.method}): {say_count(one.rows_out, 'row')}{less}: {', '.join(one.files)}"
        )
    print(f"{given.out}: an export to {given.to}; manifest.json says what is in it")


def _parse_arguments(arguments: list[str]) -> Namespace:
    names = [name.replace("_", "-") for name in formats()]
    parser = Parser(prog="curation export", description=ABOUT)
    parser.add_argument("arms", nargs="+", metavar="ARM", help="a selection, an arm of the grid, or a run")
    parser.add_argument("--to", required=True, choices=names, metavar="FORMAT", help=", ".join(names))
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder that is made")
    parser.add_argument("--method", choices=["dpo", "kto"], help="pairs or labelled traces; else as the grid does")
    parser.add_argument("--reasoning", choices=WAYS, help="how reasoning goes; else as student.reasoning says")
    parser.add_argument("--tokenizer", metavar="DIR", help="look at what its chat template does to the rows")
    parser.add_argument("--max-length", type=count, metavar="N", help="tokens of prompt and answer; else the method's")
    parser.add_argument("--strict", action="store_true", help="write nothing if a row would be dropped or mangled")
    parser.add_argument("--replace", action="store_true", help="take the place of an export that is there")
    given: Namespace = parser.parse_args(arguments)
    return given
