"""A network that a process loads again and again: read once, kept in the machine's memory, and handed out as copies."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple


class Name(NamedTuple):
    """What a network is read by."""

    model: str
    revision: str
    dtype: str


class Kept:
    """The network of `model` and `revision`, once it was read."""

    def __init__(self, model: str, revision: str) -> None:
        self.of, self.network = (model, revision), None
        self.name: Name | None = None

    def copy(self, name: Name, read: Callable[[], Any], frozen: bool) -> Any:
        """A copy of what `read` gave first under this name. What is `frozen` shares its values with the other copies:
        nobody writes to them."""
        if self.name != name:
            self.name, self.network = name, read()
        return copy.deepcopy(self.network, _shared(self.network) if frozen else {})


_kept: Kept | None = None


def keep(model: str, revision: str) -> None:
    """From now on this process reads that network once for each dtype, and then copies it."""
    global _kept
    if _kept is None or _kept.of != (model, revision):
        _kept = Kept(model, revision)


def read_or_copy(name: Name, read: Callable[[], Any], frozen: bool) -> Any:
    """What `read` gives; where this process keeps that network, a copy of it."""
    return _kept.copy(name, read, frozen) if _kept and _kept.of == name[:2] else read()


def _shared(network: Any) -> dict[int, Any]:
    """What `deepcopy` is to take for each tensor: the values themselves, in a parameter of its own, for whether it is
    trained is one copy's affair."""
    import torch

    parameters = {id(one): torch.nn.Parameter(one.data, one.requires_grad) for one in network.parameters()}
    return parameters | {id(one): one for one in network.buffers()}
