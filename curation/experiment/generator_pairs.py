"""Which generators may stand against each other in an arm of the grid: the generator-level delta as an axis."""

from collections.abc import Iterator

from curation.core.params import Strict
from curation.core.study import Study
from curation.selection import candidates


class Params(Strict):
    """One of `generator_pairs` in params.yaml: the pairs of which the expression `where` is true, say `chosen_model
    = 'large'`."""

    where: str

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expression."""
        if said := candidates.mistake(self.where, study, "boolean"):
            yield f"where: {said}"
