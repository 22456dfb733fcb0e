"""Whether torch can use a device, and whether it is quick there."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from curation.core.needs import find_uninstalled

CPU = Path("/proc/cpuinfo")


def _device(name: str) -> str:
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", name):
        raise ValueError(f"{name!r} is no device; one of cpu, cuda, cuda:N, mps, xpu")
    return name


Device = Annotated[str, AfterValidator(_device)]


def find_unmet_torch(device: str, dtype: str) -> Iterator[str]:
    """What keeps torch and transformers from using a device, by the key that says so."""
    if missing := list(find_uninstalled("torch", "transformers")):
        yield from (f"device: {device}: {line}" for line in missing)
    elif fault := find_device_fault(device, dtype):
        yield f"device: {device}: {fault}"


def find_device_fault(device: str, dtype: str) -> str | None:
    """Why weights of `dtype` cannot be used on `device`, with the way out; None if they can. To ask torch takes
    seconds, so it is not asked about the CPU."""
    if device == "cpu":
        return None
    import torch

    kind, _, number = device.partition(":")
    backend = torch.backends.mps if kind == "mps" else getattr(torch, kind)
    if not backend.is_available():
        return f"torch {torch.__version__} finds no {kind} here; set device: cpu, or install a torch that has it"
    if number and int(number) >= backend.device_count():
        last = backend.device_count() - 1
        return f"torch finds no more than {kind}:{last}; set a number up to {last}, or another CUDA_VISIBLE_DEVICES"
    if dtype == "bfloat16" and kind == "cuda" and not torch.cuda.is_bf16_supported():
        return "this GPU has no bfloat16; set dtype: float32"
    return None


def warn_if_slow(dtype: str, device: str) -> None:
    """Warn on stderr of bfloat16 on a CPU that has no units for it. The CPU's flags decide, never a timing."""
    if dtype != "bfloat16" or device != "cpu" or not CPU.is_file():
        return
    if not {"avx512_bf16", "amx_bf16", "bf16"} & set(CPU.read_text().split()):
        print(
            "warning: dtype: bfloat16 on a CPU without bfloat16 units: float32 is several times as fast here, "
            "without AVX-512 some 40 times; set dtype: float32",
            file=sys.stderr,
            flush=True,
        )
