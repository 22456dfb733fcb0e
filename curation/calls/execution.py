"""Where calls are made: by this process, or by workers on a Ray cluster. This changes no key and no table."""

from typing import Literal

from curation.calls import cluster
from curation.calls.call import Engine
from curation.core.params import Strict


class Params(Strict):
    """`execution` in params.yaml. `ray` is read where `engine` is ray."""

    engine: Literal["local", "ray"]
    ray: cluster.Params

    def distribute(self, engine: Engine) -> Engine:
        """What answers the calls that `engine` would, on this machine or on the cluster."""
        return cluster.RayEngine(self.ray, engine) if self.engine == "ray" else engine
