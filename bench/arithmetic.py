"""What this CPU multiplies, in float32 and in bfloat16: GFLOP/s a core of a matrix product, and the flags that decide
it.

`ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2` before the command makes torch work as
on a CPU that has AVX2 only.
"""

import os
import time
from pathlib import Path

SIZE, SECONDS = 768, 2.0
TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")


def gflops(dtype: str) -> float:
    """Of products of square matrices, on one thread."""
    import torch

    left, right = (torch.randn(SIZE, SIZE).to(getattr(torch, dtype)) for _ in range(2))
    left @ right
    began, count = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < SECONDS:
        left @ right
        count += 1
    return 2 * SIZE**3 * count / took / 1e9


def main() -> None:
    import torch

    torch.set_num_threads(1)
    cpu = Path("/proc/cpuinfo")
    flags = set(cpu.read_text().split()) if cpu.is_file() else set()
    limits = [
        f"{name}={os.environ[name]}"
        for name in ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY")
        if name in os.environ
    ]
    named = " ".join(flag for flag in TELLING if flag in flags) or "not known"
    print(f"{os.cpu_count()} cores, flags {named}{', held to ' + ' '.join(limits) if limits else ''}")
    for dtype in ("float32", "bfloat16"):
        print(f"{dtype:9} {gflops(dtype):7.1f} GFLOP/s a core")


if __name__ == "__main__":
    main()
