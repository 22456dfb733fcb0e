"""What a selection takes for more than noise."""

from curation.pairs.noise import share_beyond
from curation.selection.rules import Params
from curation.tables.expressions.syntax import parse


def noise_message(settings: Params, times: float) -> str | None:
    """How often chance takes equal traces for unequal ones, where an expression asks what is within `times` a judge's
    noise; None where none does."""
    columns = [column for each in settings.expressions.values() for column in parse(each.text).columns]
    if not any(column[-1].startswith("within_noise_") for column in columns):
        return None
    return (
        f"delta.noise is {times:g}: of pairs that are equal to a judge {share_beyond(times):.0%} are beyond its noise"
    )
