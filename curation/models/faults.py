"""What torch, transformers, peft and TRL refuse or have no room for, in one sentence; and weights that hold no
numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.core.errors import CurationError

ODD_FILES = (OSError, ValueError, KeyError, RuntimeError, AttributeError, AssertionError)  # what they make of loading
LONGEST = 300  # characters of a library's own words
NO_ROOM = (  # as CUDA, cuBLAS, torch's CPU allocator, oneDNN, C++ and Linux say it
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "can't allocate memory",
    "could not create a memory",
    "std::bad_alloc",
    "Cannot allocate memory",
)


class OutOfMemory(CurationError):
    """The device has no room for what was asked of it."""


@contextmanager
def one_sentence(what: str) -> Iterator[None]:
    """Inside the block, what torch, peft or TRL refuse of a user's settings is a CurationError that names `what`, and
    what the device has no room for an OutOfMemory; the library's own error is its cause."""
    try:
        yield
    except (ValueError, RuntimeError, IndexError, MemoryError, OSError) as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"{what}: the device has too little memory: {first_line(error)}; lower batch_size, or max_length where "
                "there is one, or set checkpointing: true"
            ) from error
        if isinstance(error, OSError):
            raise
        raise CurationError(f"{what}: {first_line(error)}; this is what the library says of these settings") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that an allocation failed, on a GPU or on the CPU."""
    said = str(error)
    return isinstance(error, MemoryError) or any(words in said for words in NO_ROOM)


def first_line(error: Exception) -> str:
    """What an error says, on one line of at most LONGEST characters."""
    return " ".join(str(error).split())[:LONGEST] or type(error).__name__


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Inside the block, what transformers cannot load is a CurationError that names the model."""
    try:
        yield
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        AttributeError,
        AssertionError,
    ) as error:  # whatever odd files make of it
        raise CurationError(f"{model}: transformers cannot load it: {first_line(error)}") from None


def require_finite(folder: Path, what: str) -> None:
    """Raises CurationError if the safetensors in `folder`, the weights of `what`, hold a value that is not finite."""
    import torch
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (it is no mapping)
                tensor = tensors.get_tensor(name)
                if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                    raise CurationError(
                        f"{what}: {file.name}: {name} holds values that are not finite, so it can answer nothing; "
                        "train it again, with a lower learning_rate or in float32"
                    )
