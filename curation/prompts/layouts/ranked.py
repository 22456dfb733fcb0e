"""Lists of responses, each with its rank or in order, the best first."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Literal

from curation.core.messages import show_value
from curation.core.params import Column
from curation.prompts.layouts._kind import Comparison, Given, Listed, Unreadable, read_model
from curation.prompts.layouts._lists import ListParams, each_response
from curation.prompts.layouts._numbers import read_number


class Params(ListParams):
    """A layout of kind ranked: `each`, `text` and `model` as of kind responses. `rank` is 1 for the best, and equal
    ranks are a tie; without it the list is in order, the best first. `rating` is the name under which minus the rank
    is a rating too, so that the higher is the better."""

    kind: Literal["ranked"]
    rank: str | None = None
    rating: Column | None = None

    @property
    def of_response(self) -> dict[str, str]:
        """Its rank too."""
        return super().of_response | ({"rank": self.rank} if self.rank is not None else {})

    @property
    def rating_names(self) -> list[str]:
        """The rank, where it is to be a rating."""
        return [self.rating] if self.rating is not None else []


def read(settings: Params, row: Mapping[str, Any]) -> Listed:
    """The responses, and a comparison of any two of them that have a rank."""
    listed = list(each_response(settings, row))
    ranks = [_rank(response) if settings.rank else float(place) for place, response in enumerate(listed, 1)]
    responses = [
        Given(response["text"], read_model(response, "model"), {name: _minus(rank) for name in settings.rating_names})
        for response, rank in zip(listed, ranks, strict=True)
    ]
    ranked = [(rank, number) for number, rank in enumerate(ranks) if rank is not None]
    return Listed(responses, [_compare(*sorted(two)) for two in combinations(ranked, 2)])


def _rank(response: Mapping[str, Any]) -> float | None:
    rank = read_number(response["rank"])
    if rank is None and response["rank"] is not None:
        raise Unreadable("layout.rank", f"is {show_value(response['rank'])}, not a number")
    return rank


def _minus(rank: float | None) -> float | None:
    return None if rank is None else -rank


def _compare(better: tuple[float, int], worse: tuple[float, int]) -> Comparison:
    return Comparison(better[1], worse[1], "tie" if better[0] == worse[0] else "chosen")
