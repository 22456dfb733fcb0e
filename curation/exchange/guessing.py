"""What a file holds, guessed: a preference set, or prompts, traces or ratings, in its rows or in lists within it."""

from collections.abc import Sequence

from curation.core.errors import CurationError
from curation.exchange.guess import Guess
from curation.exchange.looking import Look, find_lists, look
from curation.exchange.refusing import refuse_loss, refuse_turns
from curation.exchange.roles import guess_roles
from curation.exchange.sets import guess_rated, guess_set


def guess_file(path: str, held_out: bool = False) -> list[Guess]:
    """What the rows of a file hold; of one that is an object with lists of rows, what each of these does. If
    `held_out`, they are prompts. Raises CurationError where it cannot be guessed, or the guess would lose something."""
    looked = look(path)
    lists = find_lists(looked)
    if lists and not _is_a_row(looked, held_out):
        return [_guess(look(path, name), held_out) for name in lists]
    return [_guess(looked, held_out)]


def _is_a_row(looked: Look, held_out: bool) -> bool:
    """Whether one object is a row of its own, of a set or of what a model answered."""
    try:
        return _find(looked, held_out).holds in ("traces", "preferences")
    except CurationError:
        return False


def _guess(looked: Look, held_out: bool) -> Guess:
    guess = _find(looked, held_out)
    refuse_loss(guess)
    return guess


def _find(looked: Look, held_out: bool) -> Guess:
    refuse_turns(looked)
    if not held_out and (found := guess_set(looked)) is not None:
        return found
    guess = guess_roles(looked)
    return guess if held_out else guess_rated(guess) or guess


def tell_apart(names: Sequence[str | None]) -> list[str]:
    """Of each of a file's lists what its name has and the others' have not, "" where there is one."""
    parts = [(name or "").split(".") for name in names]
    common = set.intersection(*map(set, parts))
    return ["-".join(part for part in own if part not in common) for own in parts]
