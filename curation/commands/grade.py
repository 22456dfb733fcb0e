"""`curation grade`: an extraction and a verifier, tried on a file's lines before a study rests on them."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from curation.commands.rows import print_rows
from curation.commands.terminal import Parser
from curation.core.errors import CurationError, require_existing
from curation.core.inner_kinds import read_extraction, read_verifier, write_verifier
from curation.core.kinds import extraction_kind, extractions, verifier_kind, verifiers
from curation.core.parsed import parse_yaml

UNSTATED = {"match": "last", "until": "line", "take": "all"}  # settings of extractions that need not be given here
PASS_AT = 0.99
VERDICTS = ("right", "wrong", "no_answer", "unscored", "no_gold")

EPILOG = f"""
A kind is a name, or a mapping with its settings: --extract '{{kind: after, marker: "####", match: first}}'. Settings
that are not given are {", ".join(f"{name}: {value}" for name, value in UNSTATED.items())}; a verifier's, what its bare
name stands for.

extractions: {", ".join(extractions())}
verifiers:   {", ".join(name for name in verifiers() if name != "reasoning_gym")}

docs/answers.md says what each does.
"""


def main(arguments: list[str]) -> None:
    """Print a verdict for each row of the file, and how many there are of each. Raises CurationError if the file, one
    of its columns, an extraction or the verifier is not what it should be."""
    parser = Parser(
        prog="curation grade", description="Try extractions and a verifier of answers on a file.", epilog=EPILOG
    )
    parser.add_argument(
        "file", type=Path, help="a .jsonl or .parquet file with a column of completions and one of answers"
    )
    parser.add_argument(
        "--extract",
        action="append",
        required=True,
        metavar="KIND",
        help="where the answer is; several are tried in order",
    )
    parser.add_argument(
        "--verifier", required=True, metavar="KIND", help="how the answer is compared with the gold one"
    )
    parser.add_argument("--completion", default="completion", metavar="COLUMN", help="completion unless named")
    parser.add_argument("--gold", default="gold", metavar="COLUMN", help="gold unless named; a text, or a list of them")
    parser.add_argument("--only", choices=VERDICTS, help="print the rows with this verdict alone")
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    given = parser.parse_args(arguments)
    extract = [_read_extraction(text) for text in given.extract]
    verifier = _read_verifier(given.verifier)
    rows = _grade(given.file, given.completion, given.gold, extract, verifier)
    counts = Counter(row["verdict"] for row in rows)
    _print([row for row in rows if given.only in (None, row["verdict"])], given.json)
    summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    print(f"{given.file}: {len(rows)} rows: {summary}", file=sys.stderr if given.json else sys.stdout)


def _read_extraction(text: str) -> Any:
    raw = _read_kind(text, "--extract")
    if isinstance(raw, str):
        raw = {"kind": raw}
    if raw.get("kind") in extractions():
        fields = extraction_kind(raw["kind"]).Params.model_fields
        raw = {name: value for name, value in UNSTATED.items() if name in fields} | raw
    try:
        return read_extraction(raw)
    except ValueError as error:
        raise CurationError(f"grade --extract {text}: {error}") from None


def _read_verifier(text: str) -> str:
    """A verifier as the column of `prompts` has it."""
    raw = _read_kind(text, "--verifier")
    if "reasoning_gym" in (raw, raw.get("kind") if isinstance(raw, dict) else raw.partition(":")[0]):
        raise CurationError(
            f"grade --verifier {text}: reasoning_gym asks the library about a prompt of its own, which no row "
            "of a file has; name another verifier"
        )
    if isinstance(raw, dict) and raw.get("kind") in verifiers() and (plain := verifier_kind(raw["kind"]).PLAIN):
        raw = plain.model_dump() | raw
    try:
        return write_verifier(read_verifier(raw))
    except ValueError as error:
        raise CurationError(f"grade --verifier {text}: {error}") from None


def _read_kind(text: str, option: str) -> Any:
    """A kind's name, or a mapping."""
    if not text.lstrip().startswith("{"):
        return text
    return parse_yaml(text.encode(), lambda what: CurationError(f"grade {option} {text}: {what}"))


def _grade(file: Path, completion: str, gold: str, extract: list[Any], verifier: str) -> list[dict[str, Any]]:
    """A row for each of the file's: its number, the verdict, what was extracted, the gold answer, how each of the two
    was read, and why."""
    from curation.judging.judges.answer import choose_verdict, find_answers
    from curation.judging.verification import Case, verify_all
    from curation.tables.user_files import read_columns
    from curation.tables.user_values import ANSWERS, TEXT, ColumnType

    require_existing(file, "name a file that is there")
    types = {"completion": ColumnType(TEXT, nullable=True), "gold": ColumnType(ANSWERS, nullable=True)}
    table = read_columns(str(file), {"completion": completion, "gold": gold}, types, under="--")
    answers = find_answers(extract, table["completion"].to_list())
    golds = [list(dict.fromkeys(texts or ())) for texts in table["gold"].to_list()]
    cases = [
        [Case(answer, gold, verifier, None) for gold in golds_of_row] if answer is not None else []
        for answer, golds_of_row in zip(answers, golds, strict=True)
    ]
    verdicts = verify_all((case for of_row in cases for case in of_row), "grade")
    rows = []
    for number, (answer, golds_of_row, of_row) in enumerate(zip(answers, golds, cases, strict=True)):
        row: dict[str, Any] = {"row": number, "verdict": "no_gold" if not golds_of_row else "no_answer"}
        row |= dict.fromkeys(("answer", "gold", "read_answer", "read_gold", "why"))
        row |= {"answer": answer, "gold": golds_of_row[0] if golds_of_row else None}
        if of_row:
            of_golds = [verdicts[case] for case in of_row]
            verdict = choose_verdict(of_golds, PASS_AT)
            gold = of_row[of_golds.index(verdict)].reference
            row |= {"verdict": _name(verdict.score), "gold": gold, "read_answer": verdict.answer}
            row |= {"read_gold": verdict.reference, "why": verdict.why}
        rows.append(row)
    return rows


def _name(score: float | None) -> str:
    if score is None:
        return "unscored"
    return "right" if score >= PASS_AT else "wrong"


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    import polars as pl

    texts = dict.fromkeys(("verdict", "answer", "gold", "read_answer", "read_gold", "why"), pl.String)
    print_rows(pl.DataFrame(rows, schema={"row": pl.Int64, **texts}), "json" if as_json else None)
