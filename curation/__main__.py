"""SQL over the tables, the ledger, params checks, published selections, and proof that the pure tables rebuild bit
for bit."""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.core.errors import CurationError, run
from curation.core.messages import first_names
from curation.core.params import read

if TYPE_CHECKING:  # a command imports what it needs, so that none waits for the others'
    import polars as pl
    from duckdb import DuckDBPyConnection

PARAMS = Path("params.yaml")
NAMED = 3  # files in a note


def entry() -> None:
    """The command `curation`, which is `python -m curation`."""
    run(main)


def main() -> None:
    parser = _parser()
    arguments, more = parser.parse_known_args()
    if more and arguments.do is not _shelf:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    arguments.placeholders = more
    arguments.do(arguments)


class _Parser(argparse.ArgumentParser):
    """It and its commands' parsers take options by their whole names alone: `orphans --del` deleted."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)


def _parser() -> _Parser:
    parser = _Parser(prog="curation", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    sql = commands.add_parser("sql", help="ask the tables; without SQL an interactive shell")
    sql.add_argument("sql", nargs="?", help="one SQL statement")
    sql.add_argument("-q", "--question", help="one of the documented questions; `list` names them")
    form = sql.add_mutually_exclusive_group()
    for name, text in (("json", "a list of objects"), ("csv", "CSV"), ("md", "a Markdown table")):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=f"print {text}")
    sql.set_defaults(do=_sql)

    ledger = commands.add_parser("ledger", help="count, export, import, verify or prune the model calls")
    ledger.add_argument("action", choices=["stat", "export", "import", "verify", "prune"])
    ledger.add_argument("file", nargs="?", type=Path, help="the Parquet file to write or to read")
    ledger.add_argument("--stage", help="export this stage's calls only: generate, judge or evaluate")
    ledger.add_argument("--name", help="export the calls of this generator, judge or run only")
    ledger.add_argument(
        "--redacted",
        action="store_true",
        help="prune the good replies that hold `[key]`, which may stand for text that is gone",
    )
    ledger.set_defaults(do=_ledger)

    forecast = commands.add_parser(
        "plan", help="what generate, judge and prefer would ask, and what that would cost; asks nothing"
    )
    forecast.add_argument("--json", action="store_true", help="print JSON")
    forecast.add_argument(
        "--runs", action="store_true", help="instead, how long training and evaluating take here, by timing the student"
    )
    forecast.set_defaults(do=_plan)

    batch = commands.add_parser(
        "batch", help="a stage's outstanding calls as an OpenAI batch file, and its results back into the ledger"
    )
    batch.add_argument("action", choices=["write", "read"])
    batch.add_argument("stage", choices=["generate", "judge"])
    batch.add_argument("name", help="a generator or a judge")
    batch.add_argument("file", type=Path, help="the JSONL file to write, or the results to read")
    batch.set_defaults(do=_batch)

    params = commands.add_parser("params", help="check a params file whole")
    params.add_argument(
        "file", nargs="?", type=Path, default=PARAMS, help="the file to check, params.yaml unless named"
    )
    params.set_defaults(do=_params)

    published = commands.add_parser("shelf", help="published selections: list them, or print one for params.yaml")
    what = published.add_mutually_exclusive_group()
    what.add_argument(
        "name", nargs="?", help="the one to print; then its placeholders, as in `--judge rubric --dimension factuality`"
    )
    what.add_argument("--all", action="store_true", help="print all")
    what.add_argument("--md", action="store_true", help="list them as a Markdown table")
    published.set_defaults(do=_shelf)

    left = commands.add_parser(
        "orphans", help="files of names that params.yaml declares no more: list them, or delete them"
    )
    left.add_argument("--delete", action="store_true")
    left.set_defaults(do=_orphans)

    proof = commands.add_parser("verify", help="rebuild the pure tables elsewhere and compare the bytes")
    proof.set_defaults(do=_verify)
    return parser


def _sql(arguments: argparse.Namespace) -> None:
    if arguments.question and arguments.sql:
        raise CurationError("sql: both a statement and --question; give one")
    from curation.tables import db

    study = read(PARAMS)
    with db.connect(study) as connection:
        if absent := db.absent_parts(study):
            print(f"note: not built yet, so not among the rows: {first_names(absent, NAMED)}", file=sys.stderr)
        if arguments.question == "list":
            for name, text in db.questions().items():
                print(f"{name:32} {text.splitlines()[0].removeprefix('--').strip()}")
        elif arguments.question or arguments.sql:
            for rows in db.answer(connection, arguments.sql or _question(arguments.question)):
                show(rows, arguments.form)
        else:
            _shell(connection, arguments.form)


def _question(name: str) -> str:
    from curation.tables import db

    known = db.questions()
    if name not in known:
        raise CurationError(f"sql --question {name}: no such question; known: {', '.join(known)}")
    return known[name]


def _shell(connection: "DuckDBPyConnection", form: str | None) -> None:
    """Statements end in a semicolon or the end of input; `exit` or Ctrl-D leaves."""
    from curation.tables import db

    print(f"views: {', '.join(db.views(connection))}\nend a statement with ';', leave with Ctrl-D", file=sys.stderr)
    statement = ""
    while True:
        try:
            line, leaving = input(("... " if statement else "sql> ") if sys.stdin.isatty() else ""), False
        except EOFError:
            line, leaving = "", True
        if line.strip().rstrip(";") in ("exit", "quit", ".exit", ".quit", "\\q"):
            return
        statement += f"{line}\n" if statement or line.strip() else ""
        if statement.strip() and (leaving or statement.rstrip().endswith(";")):
            try:
                for rows in db.answer(connection, statement):
                    show(rows, form)
            except CurationError as error:
                print(error, file=sys.stderr)
            statement = ""
        if leaving:
            return


def show(rows: "pl.DataFrame", form: str | None) -> None:
    """Print rows as a table, or as JSON (64-bit ids as strings, NaN and infinity as null), CSV or Markdown."""
    import polars as pl

    if form in ("json", "csv"):
        ids = [name for name, dtype in rows.schema.items() if name.endswith(("_id", "against")) and dtype == pl.Int64]
        rows = rows.with_columns(pl.col(ids).cast(pl.String))
    if form == "json":
        finite = [
            pl.when(pl.col(name).is_finite()).then(pl.col(name))
            for name, dtype in rows.schema.items()
            if dtype.is_float()
        ]
        rows = rows.with_columns(finite)
        print(json.dumps(rows.to_dicts(), indent=1, ensure_ascii=False, default=str))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(rows.rows())
    else:
        with pl.Config(
            tbl_formatting="MARKDOWN" if form == "md" else "UTF8_FULL_CONDENSED", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True,
            tbl_rows=200, tbl_cols=40, tbl_width_chars=200, fmt_str_lengths=80, float_precision=3,
        ):  # fmt: skip
            print(rows)


def _ledger(arguments: argparse.Namespace) -> None:
    import polars as pl

    from curation.calls.ledger import Ledger

    if arguments.action in ("export", "import") and arguments.file is None:
        raise CurationError(f"ledger {arguments.action}: name a Parquet file")
    if arguments.redacted and arguments.action != "prune":
        raise CurationError(f"ledger {arguments.action}: --redacted goes with prune alone")
    study = read(PARAMS)
    with Ledger(study.ledger, study.budget) as ledger:
        if arguments.action == "stat":
            show(pl.DataFrame(ledger.stat(), infer_schema_length=None), None)
        elif arguments.action == "verify":
            print(f"{study.ledger.path}: {ledger.verify()} rows, each what its key says")
        elif arguments.action == "prune" and arguments.redacted:
            print(
                f"{study.ledger.path}: {ledger.drop_redacted()} replies that held `[key]` deleted; the next run buys them again"
            )
        elif arguments.action == "prune":
            print(f"{study.ledger.path}: {ledger.prune()} rows deleted, none of which could answer a call")
        elif arguments.action == "export":
            known = {(row["stage"], row["name"]) for row in ledger.stat()}
            if (arguments.stage or arguments.name) and not any(
                arguments.stage in (None, stage) and arguments.name in (None, name) for stage, name in known
            ):
                raise CurationError(
                    f"ledger export: no such calls; there are {', '.join(' '.join(one) for one in sorted(known)) or 'none'}"
                )
            print(f"{arguments.file}: {ledger.export_file(arguments.file, arguments.stage, arguments.name)} calls")
        else:
            print(f"{arguments.file}: {ledger.import_file(arguments.file)} new rows read")
        if arguments.action in ("verify", "import") and (found := ledger.redacted()):
            named = first_names((f"{key[:16]}… of {stage} {name}" for key, stage, name in found), NAMED)
            print(
                f"warning: {study.ledger.path}: {len(found)} replies hold `[key]` ({named}): an earlier version may have cut the API key's text out of them, "
                "or it is the model's own; `curation ledger prune --redacted` deletes them, and the next run buys them again", file=sys.stderr,
            )  # fmt: skip


def _plan_runs(arguments: argparse.Namespace) -> None:
    from curation.commands.duration import durations

    study = read(PARAMS)
    found = durations(study)
    if arguments.json:
        print(json.dumps([one._asdict() for one in found], indent=1))
        return
    for one in found:
        took = (
            f"not timed here: engine {study.evaluate.engine.kind}"
            if one.seconds is None
            else f"about {max(one.seconds / 60, 0.1):.1f} min"
        )
        print(
            f"{one.stage}: {one.to_come} of {one.runs} runs to come, {took if one.to_come else 'nothing to wait for'}"
        )
    print(
        f"one after the other, on {study.student.device} in {study.student.dtype}; replies counted at {study.evaluate.sampling.max_tokens} tokens each"
    )


def _plan(arguments: argparse.Namespace) -> None:
    if arguments.runs:
        return _plan_runs(arguments)
    import polars as pl

    from curation.calls.ledger import Ledger
    from curation.commands.plan import plan

    study = read(PARAMS)
    planned = plan(study)
    stages = pl.DataFrame(planned, orient="row")
    with Ledger(study.ledger, study.budget) as ledger:
        spent = ledger.spending()
    sums = ("calls", "in_ledger", "to_make", "prompt_tokens", "completion_tokens", "usd", "usd_low", "usd_high")
    total = {name: sum(getattr(stage, name) for stage in planned) for name in sums}
    if arguments.json:
        budget = {
            "calls_made": spent.calls,
            "usd_spent": spent.usd,
            "max_calls": study.budget.max_calls,
            "max_usd": study.budget.max_usd,
        }
        print(json.dumps({"stages": stages.to_dicts(), "total": total, "budget": budget}, indent=1))
        return
    if stages.height:
        show(
            stages.with_columns(pl.when("at_most").then(pl.lit("at most")).otherwise(pl.lit("")).alias("at_most")), None
        )
    print(
        f"{total['to_make']} calls to make of {total['calls']}, ${total['usd']:.2f} (${total['usd_low']:.2f} to ${total['usd_high']:.2f})"
    )
    caps = [
        f"budget.{name}: {cap:g}"
        for name in ("max_calls", "max_usd")
        if (cap := getattr(study.budget, name)) is not None
    ]
    print(f"attempts bought here so far: {spent.calls}, ${spent.usd:.2f}; {', '.join(caps) or 'no budget'}")
    free = sorted({stage.model for stage in planned if stage.to_make} - study.budget.prices.keys())
    if free:
        print(f"no price in budget.prices, so counted as $0: {', '.join(free)}")
    most, dear = study.budget.max_calls, study.budget.max_usd
    if (most is not None and spent.calls + total["to_make"] > most) or (
        dear is not None and spent.usd + total["usd"] > dear
    ):
        print("the budget will stop this run")


def _batch(arguments: argparse.Namespace) -> None:
    from curation.commands.batch import read_batch, write_batch

    study, stage, name, file = read(PARAMS), arguments.stage, arguments.name, arguments.file
    if arguments.action == "write":
        print(f"{file}: {write_batch(study, stage, name, file)} calls of {stage} {name}")
    else:
        print(
            f"{file}: " + ", ".join(f"{count} {what}" for what, count in read_batch(study, stage, name, file).items())
        )


def _params(arguments: argparse.Namespace) -> None:
    study = read(arguments.file)
    sections = ("sources", "generators", "judges", "pairwise_judges", "scorers", "selections", "arms", "runs")
    print(
        f"{arguments.file}: sound; "
        + ", ".join(f"{len(study.names(name))} {name.replace('_', ' ')}" for name in sections)
    )


def _orphans(arguments: argparse.Namespace) -> None:
    from curation.commands.orphans import delete, orphans

    found = orphans(read(PARAMS))
    if arguments.delete:
        delete(found)
    print("\n".join(f"{file}{': deleted' if arguments.delete else ''}" for file in found) or "there are none")


def _shelf(arguments: argparse.Namespace) -> None:
    from curation.selection import shelf

    given = _given(arguments.placeholders)
    if arguments.name is None and given:
        raise CurationError(
            f"shelf: --{next(iter(given))} is of one entry; name it first, as in `shelf sample_delta --judge rubric`"
        )
    if arguments.name is not None:
        print(shelf.printed(arguments.name, given))
    elif arguments.all:
        print("\n".join(shelf.printed(name, {}) for name in shelf.entries()))
    else:
        import polars as pl

        show(pl.DataFrame(shelf.table()), "md" if arguments.md else None)


def _verify(_: argparse.Namespace) -> None:
    from curation.commands.verify import verify

    print("\n".join(verify()))


def _given(words: list[str]) -> dict[str, str]:
    """`--judge rubric` or `--judge=rubric` by name."""
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(name.startswith("--") for name in names):
        raise CurationError(f"shelf: {' '.join(words)}: write placeholders as `--name value`")
    return {name.removeprefix("--"): value for name, value in zip(names, values, strict=True)}


if __name__ == "__main__":
    entry()
