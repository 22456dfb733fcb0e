"""What a regular expression of the user's own matches, run by RE2 (`judging.patterns` says what that knows)."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from curation.core.params import Strict
from curation.judging.extractions._kind import Match, pick
from curation.judging.patterns import count_groups, find_all, find_re2_fault


def _check_pattern(pattern: str) -> str:
    """`pattern`, if RE2 reads it and it has one group. Raises ValueError otherwise."""
    if reason := find_re2_fault(pattern):
        raise ValueError(
            f"{pattern!r} is no regular expression of RE2: {reason}; it has no lookaround, no backreference, and "
            "\\z in place of \\Z"
        )
    if (groups := count_groups(pattern)) != "1":
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
    return [pick(filter(None, groups), settings.match) for groups in find_all(settings.pattern, texts)]
