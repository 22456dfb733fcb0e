"""Where calls are made: by this process, or by workers on a Ray cluster. It changes no key and no table."""

from typing import Literal

from curation.calls import cluster
from curation.calls.call import Ask
from curation.core.params import Strict


class Params(Strict):
    """`execution` in params.yaml. `ray` is read where `engine` is ray."""

    engine: Literal["local", "ray"]
    ray: cluster.Params

    def distributed(self, ask: Ask) -> Ask:
        """What answers the calls that `ask` would, where `engine` says."""
        return cluster.Spread(self.ray, ask) if self.engine == "ray" else ask
