"""Local weights: located, checked against their declared hash, loaded by transformers.

A model is written as a path, `package:<distribution>/<file>` (weights inside an installed Python package), or a hub
id. A GGUF file is dequantised once into safetensors under `.curation/weights`, because transformers cannot save,
and only slowly loads, a GGUF model.
"""

import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from curation.core.devices import warn_if_slow
from curation.core.errors import CurationError, refused_writes
from curation.core.hashing import hash_file
from curation.core.main_repository import share_folder
from curation.core.text import to_path
from curation.core.threads import let_threads_sleep
from curation.models.chat_template import Template
from curation.models.faults import first_line, loading
from curation.models.gguf import read_once
from curation.models.kept import Name, read_or_copy

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?(?<!\.gguf)(?<!\.safetensors)")
CACHE = Path(".curation/weights")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


class Weights(NamedTuple):
    """A model to load; `adapter` is a LoRA adapter's folder. `template` says how its prompts are written; null where
    its tokenizer and the machine's clock do."""

    model: str
    revision: str
    adapter: Path | None = None
    template: Template | None = None


def locate(model: str) -> Path | None:
    """Where local weights lie, or None for a hub id. Raises CurationError if the package or the path does not exist."""
    if model.startswith("package:"):
        package, _, file = model.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise CurationError(f"{model}: no package {package} is installed; run `make setup`")
        path = Path(next(iter(spec.submodule_search_locations)), file)
    elif model.startswith((".", "/", "~")) or Path(model).exists() or not HUB_ID.fullmatch(model):
        path = to_path(model)
    else:
        return None
    if not path.exists():
        raise CurationError(f"{model}: {path} does not exist")
    return path


def fingerprint(path: Path) -> str:
    """`sha256:…` of a weights file, or of all the files of a folder, in the order of their names."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    stamp = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _fingerprint(stamp)


@cache
def _fingerprint(stamp: tuple[tuple[str, int, int], ...]) -> str:
    return combine([hash_file(Path(name)) for name, _, _ in stamp])


def combine(digests: Sequence[str]) -> str:
    """The fingerprint of files of which these are the SHA-256, in the order of their names."""
    return f"sha256:{digests[0] if len(digests) == 1 else hashlib.sha256(''.join(digests).encode()).hexdigest()}"


def load(
    model: str, revision: str, dtype: str, adapter: Path | None = None, device: str = "cpu", frozen: bool = False
) -> tuple[Any, Any]:
    """The model, with the LoRA adapter if one is given, and its tokenizer, padding on the left. Where its weights stay
    as they are, `frozen`, a process that keeps them shares them. In float32 the adapter is merged in; in bfloat16 it
    stays beside the weights, whose rounding would swallow most of what it changes.

    Raises CurationError if local weights do not hash to `revision`, transformers cannot load the model, or torch cannot
    use the device.
    """

    def read() -> Any:
        return load_network("AutoModelForCausalLM", model, revision, dtype, device)[0]

    network = read_or_copy(Name(model, revision, dtype), read, frozen and adapter is None)
    if adapter is not None:
        network = adapt(network, adapter, merge=merges(dtype))
    return to_device(network, device), tokenizer(model, revision)


def merges(dtype: str) -> bool:
    """Whether weights of that dtype hold what an adapter adds to them."""
    return dtype == "float32"


def adapt(network: Any, adapter: Path, merge: bool) -> Any:
    """The network with the LoRA adapter of a folder, merged in or beside its weights. Raises CurationError if peft
    cannot load it, or if it is one of another network: peft leaves out what it does not find, and would give the
    network as it was."""
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    with loading(str(adapter)):
        adapted = PeftModel.from_pretrained(network, adapter)
        with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
            there = set(tensors.keys())
    wanted = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if odd := sorted(wanted - there) or sorted(name for name in there - wanted if "lora_" in name):
        where = "not in the adapter" if odd[0] in wanted else "not in the model"
        raise CurationError(f"{adapter}: is no adapter of this student: {odd[0]} is {where}; train it on this student")
    return adapted.merge_and_unload() if merge else adapted.get_base_model()


def load_network(head: Any, model: str, revision: str, dtype: str, device: str) -> tuple[Any, dict[str, Any]]:
    """The model as `head`, a class or the name of one of transformers, loads it, not on its `device` yet, and what
    transformers says of loading it. Raises as `load` does."""
    configure_process()
    import torch
    import transformers

    # cuDNN's backward pass with a mask gives NaN at lengths of 64 modulo 128 (pytorch#196678)
    torch.backends.cuda.enable_cudnn_sdp(False)
    warn_if_slow(dtype, device)
    source, pinned = resolve(model, revision)
    with loading(model):
        loader = getattr(transformers, head) if isinstance(head, str) else head
        network, said = loader.from_pretrained(source, dtype=getattr(torch, dtype), output_loading_info=True, **pinned)
    return network, said


def to_device(network: Any, device: str) -> Any:
    """The network on the device. Raises CurationError where torch has no such device, or there is no room on it."""
    try:
        return network.to(device)
    except (AssertionError, RuntimeError) as error:
        raise CurationError(
            f"device: {device}: {first_line(error)[:200]}; set another device, or install a torch that has it"
        ) from None


def tokenizer(model: str, revision: str) -> Any:
    """The model's tokenizer, padding on the left. Raises as `load` does."""
    configure_process()
    from transformers import AutoTokenizer

    source, pinned = resolve(model, revision)
    with loading(model):
        return AutoTokenizer.from_pretrained(source, padding_side="left", **pinned)


def resolve(model: str, revision: str) -> tuple[str | Path, dict[str, str]]:
    """The path or hub id that a library is to load, and the `revision` that goes with a hub id.

    A GGUF file is resolved to a folder of safetensors. Raises CurationError if local weights do not hash to `revision`.
    """
    path = locate(model)
    if path is None:
        return model, {"revision": revision}
    if revision != fingerprint(path):
        raise CurationError(
            f"{model}: its revision is {fingerprint(path)}, params.yaml says {revision}; correct the one that is wrong"
        )
    return _dequantise(path) if path.suffix == ".gguf" else path, {}


def identity(revision: str, dtype: str | None) -> str:
    """What stands for a model in the key of a call: its revision, and its dtype unless that is bfloat16, as most
    servers', or not known."""
    return revision if dtype in (None, "auto", "bfloat16") else f"{revision}@{dtype}"


def merge_adapter(weights: Weights) -> Path:
    """The folder of the model with its adapter merged in, as float32 safetensors, made at the first call."""
    assert weights.adapter is not None
    name = hashlib.sha256(f"{weights.revision}+{fingerprint(weights.adapter)}@float32".encode()).hexdigest()
    return _cache(name, lambda: load(weights.model, weights.revision, "float32", weights.adapter))


def _dequantise(gguf: Path) -> Path:
    """The folder of `gguf` as bfloat16 safetensors, made at the first call."""

    def unpack() -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        print(f"unpacking {gguf.name} once, some seconds", file=sys.stderr)
        plain = GgufConfig(dequantize=True)
        with read_once():
            network = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, quantization_config=plain, dtype=torch.bfloat16
            )
            return network, AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)

    return _cache(fingerprint(gguf).removeprefix("sha256:"), unpack)


def _cache(name: str, make: Callable[[], tuple[Any, Any]]) -> Path:
    """The folder `name` of CACHE, whole, which holds the model and tokenizer that `make` returns; made if it is not
    there."""
    folder = share_folder(CACHE) / name[:16]
    if folder.exists():
        return folder
    network, tokenizer = make()
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        with refused_writes(folder):
            partial.mkdir(parents=True)
            network.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
            if not folder.exists():  # else another process was first
                partial.rename(folder)
    except CurationError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def configure_process() -> None:
    """Set up this process for torch and transformers; called before either is imported.

    OpenMP's threads sleep while they wait. glibc keeps the memory of freed
    tensors, and does not give it back after each. The libraries print no progress bars, and of their messages only
    errors. What the environment sets already stays.
    """
    let_threads_sleep()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # of theirs; ours turns its own on
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)  # the two halve the system time of a training step
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
