"""Where calls are made: by this process, or by workers on a Ray cluster. This changes no key and no table."""

from collections.abc import Iterator
from typing import Literal

from curation.calls import cluster
from curation.calls.call import Engine
from curation.core.needs import find_uninstalled
from curation.core.params import Strict
from curation.core.study import Study


class Params(Strict):
    """`execution` in params.yaml. `ray` is read where `engine` is ray."""

    engine: Literal["local", "ray"]
    ray: cluster.Params

    def mistakes(self, study: Study) -> Iterator[str]:
        """Parts of GPUs that no worker can have."""
        if self.ray.gpus > 1 and self.ray.gpus != int(self.ray.gpus):
            yield f"ray.gpus: {self.ray.gpus:g} is more than one and no whole number, which Ray refuses; round it"

    def unmet(self, study: Study) -> Iterator[str]:
        """Ray, where calls are to be made with it."""
        if self.engine == "ray":
            yield from (f"engine: {line}" for line in find_uninstalled("ray"))

    def distribute(self, engine: Engine) -> Engine:
        """What answers the calls that `engine` would, on this machine or on the cluster."""
        return cluster.RayEngine(self.ray, engine) if self.engine == "ray" else engine
