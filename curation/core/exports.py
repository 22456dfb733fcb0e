"""Names that a room offers as its own, imported when they are asked for: a stage that needs one module of the room
loads that alone."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def export(room: str, modules: dict[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room whose names lie in `modules`: name to module. It raises AttributeError for any other
    name."""

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    return __getattr__
