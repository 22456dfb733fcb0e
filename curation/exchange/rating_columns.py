"""Which columns rate, and what they rate."""

from collections.abc import Sequence

from curation.exchange.guess import Roles
from curation.exchange.id_columns import may_be_id
from curation.exchange.looking import Column
from curation.exchange.words import column_name, is_called, rate_name, split_name

OVERALL = ("overall_score", "overall", "score", "rating", "quality", "helpfulness", "reward")
MOSTLY = 0.5  # of the values of a column that rates are numbers
NO_SCORE = {  # words in names of numbers that rate nothing
    "id", "idx", "index", "seed", "tokens", "token", "length", "len", "time", "latency", "created", "timestamp", "cost",
    "logprob", "logprobs", "temperature", "count", "num", "year", "page", "line", "turn", "turns", "size", "code",
    "status", "duration", "chars", "words", "version", "rank", "nr", "age",
}  # fmt: skip


def find_ratings(roles: Roles, known: bool = True) -> dict[str, Column]:
    """The numbers that rate, by the name of a dimension each: those whose names say so, or if not `known` all whose
    names say nothing else."""
    found: dict[str, Column] = {}
    for column in roles.free("number"):
        words = split_name(column.name)
        if column.distinct < 2 or set(words) & NO_SCORE or (known and rate_name(column.name, "score") is None):
            continue
        found.setdefault(rating_name(column.name), column)
    return found


def find_rating_columns(roles: Roles) -> dict[str, Column]:
    """The ratings of a file that holds nothing else: numbers, a list of them for each trace's steps, or in a long file
    the one column of all dimensions."""
    named = roles.columns.pop("prompt_id", None)
    if named is not None:
        roles.taken.discard(named)
        ids = [one for one in roles.find("prompt_id") if not one.nulls and may_be_id(one)]
        exact = [one for one in ids if is_called(one.name, "trace_id")]
        roles.set("trace_id" if exact and "model" not in roles.columns else "prompt_id", (exact or ids)[0], "")
    for role in ("dimension", "rater", "rationale"):
        roles.take(role)
    scores = find_ratings(roles, known="dimension" in roles.columns)
    mostly = [one for one in roles.free("text") if rate_name(one.name, "score") is not None and _is_mostly_numbers(one)]
    scores |= {rating_name(one.name): one for one in [*mostly, *roles.free("numbers")]}
    if "dimension" in roles.columns and len(scores) > 1:
        first = next(iter(scores))
        return {first: scores[first]}
    return scores


def _is_mostly_numbers(column: Column) -> bool:
    return len(column.numbers) >= MOSTLY * len(column.given) > 0


def surest_rating(names: Sequence[str]) -> str:
    """The rating that says which response is the better one, by its name; else the first."""
    return next((name for name in OVERALL if name in names), names[0])


def rating_name(name: str) -> str:
    """What a column or a field rates: of `annotations.helpfulness.Rating` helpfulness."""
    words, above = split_name(name), split_name(name.rpartition(".")[0])
    words = above if above and words[-1:] in (["rating"], ["score"], ["value"]) else words
    text = column_name(" ".join(words), "rating")
    return text[:-1] if text in ("scores", "ratings", "rewards", "grades") else text
