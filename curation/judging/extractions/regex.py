r"""What a regular expression of the user's own matches.

It is run by RE2, the engine in DuckDB, whose time grows with the text and no faster: `(a+)+$` hangs Python's own, not
this. It has no lookaround, no backreference, no possessive quantifier and no `\Z` (write `\z`); `\d`, `\w`, `\s` and
`\b` know ASCII only, `\pN` and `\pL` all digits and letters.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from curation.core.params import Strict
from curation.judging.extractions._kind import Match, pick


def _check_pattern(pattern: str) -> str:
    """`pattern`, if RE2 reads it and it has one group. Raises ValueError otherwise."""
    import duckdb

    with duckdb.connect() as connection:
        try:
            connection.execute("select regexp_matches('', ?)", [pattern])
        except duckdb.Error as error:
            reason = str(error).removeprefix("Invalid Input Error: ").splitlines()[0]
            raise ValueError(
                f"{pattern!r} is no regular expression of RE2: {reason}; it has no lookaround, no backreference, and "
                "\\z in place of \\Z"
            ) from None
        try:  # a pattern that always matches is the only one whose groups DuckDB counts
            connection.execute("select regexp_extract_all('', ?, 9)", [f"(?:{pattern})|"])
            groups = "9"
        except duckdb.InvalidInputException as error:
            groups = str(error).partition("has ")[2].partition(" ")[0]
    if groups != "1":
        raise ValueError(f"{pattern!r} has {groups} groups, not 1; put the answer in one and write the others (?:…)")
    return pattern


class Params(Strict):
    """An extraction of kind regex: what the one group of `pattern` holds, in the first or the last match where that is
    not blank."""

    kind: Literal["regex"]
    pattern: Annotated[str, AfterValidator(_check_pattern)]
    match: Match


def extract(settings: Params, texts: Sequence[str]) -> list[str | None]:
    """What the group holds in each text; None where nothing matches, or only blanks."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as connection:
        connection.register("texts", pa.table({"text": pa.array(texts, pa.string())}))
        rows = connection.execute("select regexp_extract_all(text, ?, 1) from texts", [settings.pattern]).fetchall()
    return [pick(filter(None, groups), settings.match) for (groups,) in rows]
