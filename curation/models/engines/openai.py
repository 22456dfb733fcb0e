"""Calls answered by any server that speaks the OpenAI chat protocol."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from curation.calls.call import Engine
from curation.calls.chat import HttpEngine
from curation.calls.endpoint import Endpoint
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.models.reasoning import Rule
from curation.models.weights import Weights


class Params(Strict):
    """An engine of kind openai."""

    kind: Literal["openai"]
    endpoint: Endpoint

    runs_here: ClassVar[bool] = False

    def find_mistakes(self, max_tokens: int, extra: Mapping[str, Any]) -> Iterator[str]:
        """Nothing: the server has its own say, in its own words."""
        return iter(())

    def find_unmet(self) -> Iterator[str]:
        """The packages that are not there."""
        yield from (f"endpoint: {line}" for line in find_uninstalled("aiohttp"))

    def engine(self, model: Weights, served_as: str | None = None, rule: Rule | None = None) -> Engine:
        """What answers calls to the model that the server knows as `served_as`, or by its own name. The server decides
        which marks of reasoning stay in a text."""
        return HttpEngine(self.endpoint, model=served_as)
