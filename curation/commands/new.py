"""`curation new`: look at files and write a params.yaml that reads them, with a comment on each guess."""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curation.commands.new_labels import split_labels
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, Errors, partial_of, write_whole
from curation.core.text import one_line

if TYPE_CHECKING:
    from curation.core.study import Study
    from curation.exchange.draft import Draft
    from curation.exchange.matching import Read

ABOUT = "Look at files, say what they hold, and write a params.yaml that reads them."
LOOK = """select chosen_model, rejected_model, count(*) as pairs from pairs
  semi join 'data/subsets/{}.parquet' using (pair_id) group by all order by all"""
LOOK_UNPAIRED = """select label, count(*) as responses
  from 'data/unpaired/{}.parquet' group by all order by all"""
A_COPY = "name a copy of the file without them; docs/traces.md says how to make one"
EPILOG = """
A FILE is .jsonl, .json, .csv, .tsv (also .gz, .zst) or .parquet, or a folder of such: what models answered, preference
sets, prompts with answers, ratings. It is linked into data/import, where DVC sees it change. Each guess has a comment
in what is written; a file that is there is not overwritten, and another study's registered.yaml is kept as FILE.old.
"""


def main(arguments: list[str]) -> None:
    """Write the file, and say what was found, what comes next and what it would cost. Raises CurationError if there is
    such a file, if one of those named cannot be read, or if they make no study."""
    parser = Parser(prog="curation new", description=ABOUT, epilog=EPILOG)
    parser.add_argument("file", nargs="+", metavar="FILE", help="a file or a folder of yours")
    parser.add_argument(
        "--benchmark", action="append", default=[], metavar="FILE", help="prompts that are not to be learnt from"
    )
    parser.add_argument("--judge", nargs=2, metavar=("URL", "MODEL"), help="a served model that is to rate traces")
    parser.add_argument("--out", type=Path, default=Path("params.yaml"), help="params.yaml unless named")
    parser.add_argument("--replace", action="store_true", help="keep what is at --out as FILE.old, and write anew")
    from curation.exchange.placing import link, unlink

    given = parser.parse_args(arguments)
    out: Path = given.out
    if out.is_dir() or out.resolve() in {Path(name).resolve() for name in (*given.file, *given.benchmark)}:
        what = "a folder" if out.is_dir() else "one of your files"
        raise CurationError(one_line(f"{out}: is {what}; name another file with --out"))
    if os.path.lexists(out) and not given.replace:
        raise CurationError(one_line(f"{out}: is there already; add --replace to keep it as {out}.old, or name another "
                                     "file with --out"))  # fmt: skip
    draft, places = look_and_draft(given.file, given.benchmark, given.judge)
    text = _make_text(draft, out, arguments)
    if made := link(places):
        draft.said.insert(0, f"linked into data/import: {', '.join(place.name for place in made)}")
    try:
        _check_files(text, out)
    except CurationError:
        unlink(made)
        raise
    if os.path.lexists(out):
        out.replace(_free_name(out))
    write_whole(out, text.encode())
    draft.said.extend(_keep_registration(out))
    _say_what_comes(draft, out)


def look_and_draft(
    paths: Sequence[str], benchmarks: Sequence[str], judge: Sequence[str] | None
) -> "tuple[Draft, dict[Path, Path]]":
    """The study that the files make, once what they hold is printed, and where it looks for each of them."""
    from curation.exchange.placing import label, list_tables, plan_links
    from curation.exchange.study import Asked, draft_study, find_beside, find_options_of_all

    files, held_out = split_labels(list_tables(paths)), list_tables(benchmarks)
    if both := {file.resolve() for file in files} & {file.resolve() for file in held_out}:
        raise CurationError(one_line(f"{min(both)}: is named as a benchmark too; what is learnt from measures nothing"))
    places = plan_links([*files, *held_out])
    read_files = [one for file in files for one in _read_file(file, places[file], label(file, files))]
    read_held_out = [one for file in held_out for one in _read_file(file, places[file], label(file, held_out), True)]
    find_beside(read_files)
    find_options_of_all(read_files, read_held_out)
    _print_findings(read_files, read_held_out)
    return draft_study(read_files, read_held_out, Asked(*judge) if judge else None), places


def _read_file(file: Path, place: Path, called: str, held_out: bool = False) -> "list[Read]":
    from curation.exchange.guessing import guess_file, tell_apart
    from curation.exchange.matching import read

    guesses = guess_file(str(file), held_out)
    names = tell_apart([guess.look.within for guess in guesses])
    return [
        read(guess, place.as_posix(), f"{called}-{name}" if name else called)
        for guess, name in zip(guesses, names, strict=True)
    ]


def _print_findings(files: Sequence["Read"], held_out: Sequence["Read"]) -> None:
    import polars as pl

    from curation.commands.rows import print_rows
    from curation.exchange.describing import describe
    from curation.exchange.unread import describe_unread

    rows = [row for file in files for row in describe(file)]
    rows += [row for file in held_out for row in describe(file, "benchmark")]
    print_rows(pl.DataFrame(rows, schema=dict.fromkeys(("file", "holds", "column", "what"), pl.String), orient="row"))
    for line in (line for file in files for line in describe_unread(file.guess)):
        print(line)


def _make_text(draft: "Draft", out: Path, arguments: Sequence[str]) -> str:
    """What is to be written, once it is known that params can be read from it."""
    from curation.core.params import read
    from curation.exchange.draft import write

    said = (
        f"Written by `curation new {' '.join(arguments)}`. A comment that begins with `guessed` says what was guessed"
    )
    text = write(draft, f"{said} and from what; `curation params` checks the file.")
    trial = partial_of(out)
    try:
        write_whole(trial, text.encode())
        read(trial)
    except Errors as errors:
        raise Errors([line.replace(str(trial), str(out)) for line in errors.lines]) from None
    finally:
        trial.unlink(missing_ok=True)
    return text


def _check_files(text: str, out: Path) -> None:
    """Raise CurationError if a file cannot be read as what is to be written says, with a line for each fault."""
    from curation.core.needs import look_around
    from curation.core.params import read

    trial = partial_of(out)
    try:
        write_whole(trial, text.encode())
        unmet, _ = look_around(read(trial))
    finally:
        trial.unlink(missing_ok=True)
    of_files = [line.partition(".path: ")[2] for line in unmet if ".path: " in line]
    if of_files:
        lines = [f"{line}; {out} is not written" for line in dict.fromkeys(of_files)]
        raise Errors([f"{line}: {A_COPY}" if "leave such rows out" in line else line for line in lines])


def _keep_registration(out: Path) -> Iterator[str]:
    """What to say of another study's registration beside `out`, which is kept as FILE.old where DVC would take it for
    this study's: a registration is never lost, and never another's. DVC finds one in its place, that there is no
    primary contrast yet."""
    from curation.core.params import read
    from curation.experiment import registration

    file, study = out.parent / registration.FILE, read(out)
    try:
        differs = registration.standing(study) == "differs"
    except CurationError:  # it cannot be read
        differs = True
    if differs and out.name == "params.yaml":
        kept = _free_name(file)
        file.replace(kept)
        yield f"{file}: of another study, so it is kept as {kept}; `curation register` writes this one's"
    elif differs:
        yield f"{file}: of another study; once {out} is in the place of params.yaml, `curation register --replace`"
    if out.name == "params.yaml" and any(registration.find_absent(study)):
        registration.register(None, {}, False, file)


def _free_name(out: Path) -> Path:
    """A name beside `out` that no file has."""
    names = (out.with_name(f"{out.name}.old{number or ''}") for number in itertools.count())
    return next(name for name in names if not os.path.lexists(name))


def _say_what_comes(draft: "Draft", out: Path) -> None:
    """Print what there is to say, what to run, and what it would cost; what this machine lacks is on stderr."""
    from curation.core.needs import look_around
    from curation.core.params import read
    from curation.tables.other_study import find_undeclared

    for line in draft.said:
        print(one_line(line))
    study = read(out)
    unmet, warnings = look_around(study)
    print("".join(f"warning: {line}\n" for line in warnings), end="", file=sys.stderr)
    try:
        if unmet:
            raise Errors(unmet)
        cost = _find_cost(study, draft.whole)
    except CurationError:
        print(f"{out}: written; this has to be put right before it runs", file=sys.stderr)
        raise
    first = next(iter(draft.params["selections"]))
    look = LOOK_UNPAIRED if study.selections[first].takes_no_pair else LOOK
    print(f"{out}: written; {cost}")
    if out != Path("params.yaml"):
        print(f"next: put {out} in the place of params.yaml, which DVC reads")
    if any(find_undeclared(study)):
        print("next: curation aside, as data/ has tables of another study")
    if not Path("dvc.yaml").exists():
        print("next: go to a clone of the project, as there is no dvc.yaml here", file=sys.stderr)
    print("next: dvc repro select")
    print(f'then: curation sql "{look.format(first)}"')


def _find_cost(study: "Study", whole: bool) -> str:
    """What `dvc repro select` asks, as `curation plan` reckons it. That no prompt has two traces is said on stderr.
    Raises CurationError where the files cannot be read as the study says. Large files are not read for nothing."""
    from curation.calls.dry import AsksModel
    from curation.commands.forecast import forecast
    from curation.commands.outstanding import known_calls

    if not whole and not any(isinstance(judge, AsksModel) for judge in study.judges.values()):
        return "no model is asked"
    known = known_calls(study)
    if study.pair.order != "listed" and not known.traces["prompt_id"].is_duplicated().any():
        print(
            "warning: no prompt has two traces, so there is no pair; add what another model answered, or more samples",
            file=sys.stderr,
        )
    planned = forecast(study, known.stages)
    calls = sum(one.to_make for one in planned)
    tokens = sum(one.prompt_tokens + one.completion_tokens for one in planned)
    return f"{calls:,} calls, {tokens:,} tokens" if planned else "no model is asked"
