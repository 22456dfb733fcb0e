"""Which generators wrote the pairs of an arm of the grid: the generator-level delta as an axis."""

from collections.abc import Iterator

from curation.core.params import Strict
from curation.core.study import Study
from curation.selection import column_names


class Params(Strict):
    """One of `generator_pairs` in params.yaml: the pairs for which the expression `where` is true, such as
    `chosen_model = 'large'`."""

    where: str

    def mistakes(self, study: Study) -> Iterator[str]:
        """What is wrong with the expression."""
        if message := column_names.mistake(self.where, study, "boolean"):
            yield f"where: {message}"
