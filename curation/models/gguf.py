"""GGUF files, unpacked at the speed of their bytes."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

TEXT, ARRAY = 8, 9  # kinds of values in a header, beside those of SCALARS
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
VOCABULARY = "tokenizer.ggml.tokens"


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


def read_numbers(file: Path) -> dict[str, int]:
    """The whole numbers that a GGUF file's header holds, by their names, and how long its arrays are; an empty mapping
    where it has no such header. The library's own reader makes an object of every token, which takes seconds."""
    numbers = dict[str, int]()
    with file.open("rb") as body, suppress(struct.error, KeyError, OverflowError):

        def unpack(form: str) -> int:
            (value,) = struct.unpack(f"<{form}", body.read(struct.calcsize(f"<{form}")))
            return int(value)

        def skip(kind: int, count: int) -> None:
            for _ in range(count if kind == TEXT else 1):
                body.seek(unpack("Q") if kind == TEXT else count * struct.calcsize(SCALARS[kind]), 1)

        if body.read(4) != b"GGUF" or unpack("I") < 2:
            return {}
        _, entries = unpack("Q"), unpack("Q")
        for _ in range(entries):
            name, kind = body.read(unpack("Q")).decode(errors="replace"), unpack("I")
            if kind == ARRAY:
                kind, numbers[name] = unpack("I"), unpack("Q")
                skip(kind, numbers[name])
            elif kind == TEXT or SCALARS[kind] in "fd?":
                skip(kind, 1)
            else:
                numbers[name] = unpack(SCALARS[kind])
    return numbers
