"""`curation sql`: one statement, one of the documented questions, or a shell."""

import sys
from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from curation.commands.rows import print_rows
from curation.commands.terminal import Parser
from curation.core.errors import CurationError
from curation.core.messages import did_you_mean, first_names
from curation.core.params import read
from curation.tables import ask, db
from curation.tables.other_study import WAYS_OUT, find_unlike

FORMS = {"json": "a list of objects", "csv": "CSV", "md": "a Markdown table"}
MOST_FILES_NAMED = 3
LEAVING = ("exit", "quit", ".exit", ".quit", "\\q")


def main(arguments: list[str]) -> None:
    """Print the answer. Raises CurationError with DuckDB's message if a statement is wrong."""
    parser = Parser(prog="curation sql", description="Ask the tables; without SQL an interactive shell.")
    parser.add_argument("sql", nargs="?", help="SQL statements")
    parser.add_argument("-q", "--question", help="one of the documented questions; `list` names them")
    form = parser.add_mutually_exclusive_group()
    for name, text in FORMS.items():
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=f"print {text}")
    safe = "SQL opens no file, no network and no extension, and has 2 GB and two threads; for that of strangers"
    parser.add_argument("--safe", action="store_true", help=safe)
    given = parser.parse_args(arguments)
    if given.question and given.sql:
        raise CurationError("sql: both a statement and --question; give one")
    study = read()
    with db.connect(study, given.safe) as connection:
        if not given.safe:
            connection.execute(
                "set python_enable_replacements = false"
            )  # or a table's name might be ours of a variable
        if absent := db.absent_parts(study):
            named = first_names(absent, MOST_FILES_NAMED)
            print(f"note: not built yet, so not among the rows: {named}", file=sys.stderr)
        for line in find_unlike(connection, study, db.views(connection)):
            print(f"note: {line}: made before an edit, or by another study; {WAYS_OUT}", file=sys.stderr)
        if given.question == "list":
            for name, text in db.questions().items():
                print(f"{name:32} {text.splitlines()[0].removeprefix('--').strip()}")
        elif given.question or given.sql:
            for rows in ask.answer(connection, given.sql or _question(given.question)):
                print_rows(rows, given.form)
        else:
            _shell(connection, given.form)


def _question(name: str) -> str:
    questions = db.questions()
    if name not in questions:
        raise CurationError(f"sql --question {name}: no such question{did_you_mean(name, questions)}")
    return questions[name]


def _shell(connection: DuckDBPyConnection, form: str | None) -> None:
    """Answer what is typed until `exit` or Ctrl-D; a mistake is told and forgotten."""
    print(f"views: {', '.join(db.views(connection))}\nend a statement with ';', leave with Ctrl-D", file=sys.stderr)
    for statement in _statements():
        try:
            for rows in ask.answer(connection, statement):
                print_rows(rows, form)
        except CurationError as error:
            print(error.report(), file=sys.stderr)


def _statements() -> Iterable[str]:
    """What is typed, in parts that end in a semicolon or with the input."""
    statement = ""
    while True:
        try:
            line = input(("... " if statement else "sql> ") if sys.stdin and sys.stdin.isatty() else "")
        except (EOFError, RuntimeError):  # RuntimeError: standard input was closed from the start
            break
        if line.strip().rstrip(";") in LEAVING:
            return
        statement += f"{line}\n" if statement or line.strip() else ""
        if statement.rstrip().endswith(";"):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
