r"""Users' regular expressions, run over what models wrote: no text may hang them.

RE2, the engine in DuckDB, takes time that grows with the text and no faster. It has no lookaround, no backreference, no
possessive quantifier and no `\Z` (write `\z`). In it `\d`, `\w`, `\s` and `\b` know ASCII only, `\pN` and `\pL` all
digits and letters.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
ONE_CHARACTER = (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY, codes.CATEGORY)


@cache  # a study has few patterns, and a process judge asks at every trace
def find_re2_fault(pattern: str) -> str | None:
    """Why RE2 cannot read `pattern`; None if it can."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute("select regexp_matches('', ?)", [pattern])
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ").splitlines()[0]
    return None


@cache
def count_groups(pattern: str) -> str:
    """The number of groups of a pattern that RE2 can read."""
    import duckdb

    with duckdb.connect() as connection:
        try:  # a pattern that always matches is the only one whose groups DuckDB counts
            connection.execute("select regexp_extract_all('', ?, 9)", [f"(?:{pattern})|"])
        except duckdb.InvalidInputException as error:
            return str(error).partition("has ")[2].partition(" ")[0]
    return "9"


def check_separator(pattern: str) -> str:
    """`pattern`, if `split_all` can split at it. Raises ValueError otherwise.

    Where RE2 cannot read it, as it has lookaround, Python's engine runs it. That one may take time exponential in the
    text, but not where each repeat is of one character or of a set of them.
    """
    if (fault := find_re2_fault(pattern)) is None:
        groups = count_groups(pattern)
    else:
        try:
            parsed = _parser.parse(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if any(_nested(parsed)):
            raise ValueError(
                f"{pattern!r} repeats more than one character, or refers back, and is none of RE2: {fault}; some text "
                "would hang it: write it without lookaround, or repeat characters and sets of them only"
            )
        groups = str(parsed.state.groups - 1)
    if groups != "0":
        raise ValueError(f"{pattern!r} has {groups} groups, not 0; write (?:…)")
    return pattern


def _nested(parsed: Any) -> Iterator[bool]:
    """Whether each part, at any depth, is a repeat of more than one character or a reference to a group."""
    for code, argument in parsed:
        if code in REPEATS:
            _, most, body = argument
            yield most > 1 and (len(body) != 1 or body[0][0] not in ONE_CHARACTER)
        yield code in (codes.GROUPREF, codes.GROUPREF_EXISTS)
        for inner in _inner(argument):
            yield from _nested(inner)


def _inner(argument: Any) -> Iterator[Any]:
    """The patterns that the argument of a part holds."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for inner in argument:
            yield from _inner(inner)


def split_all(pattern: str, texts: Sequence[str]) -> list[list[str]]:
    """What stands between the matches of a checked `pattern` in each text."""
    if find_re2_fault(pattern):
        return [re.split(pattern, text) for text in texts]
    return _run("string_split_regex(text, ?)", pattern, texts)


def find_all(pattern: str, texts: Sequence[str]) -> list[list[str]]:
    """What the one group of `pattern`, which RE2 reads, holds in each of its matches in each text."""
    return _run("regexp_extract_all(text, ?, 1)", pattern, texts)


def _run(function: str, pattern: str, texts: Sequence[str]) -> list[list[str]]:
    """What a function of DuckDB gives for the pattern and each text, all in one statement."""
    import pyarrow as pa

    from curation.tables.ids import database

    with database().cursor() as connection:
        connection.register("texts", pa.table({"text": pa.array(texts, pa.string())}))
        rows = connection.execute(f"select {function} from texts", [pattern]).fetchall()
    return [parts for (parts,) in rows]
