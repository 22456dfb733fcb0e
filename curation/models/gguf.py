"""GGUF files, unpacked at the speed of their bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any


@contextmanager
def read_once() -> Iterator[None]:
    """Inside the block, transformers reads a GGUF file once, and not for the config, the weights and the tokenizer
    each; the map of its tensors' names is made once, and not for each module of the network. What is read is the same.
    """
    import gguf
    import numpy as np

    class Reader(gguf.GGUFReader):  # type: ignore[misc]
        """Of plain arrays: a slice of a memmap takes many times as long, and each string of a vocabulary is two."""

        @property
        def data(self) -> Any:
            return self.bytes

        @data.setter
        def data(self, mapped: Any) -> None:
            self.bytes = np.asarray(mapped)

    read = cache(Reader)
    before = gguf.GGUFReader, gguf.get_tensor_name_map
    gguf.GGUFReader = lambda path: read(Path(path).resolve())
    gguf.get_tensor_name_map = cache(gguf.get_tensor_name_map)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = before
