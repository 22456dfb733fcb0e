"""The arithmetic a model works in: bfloat16 is said to be slow where the CPU has no units for it, and a key says
what another dtype answered."""

from pathlib import Path

import pytest

from curation.core import devices
from curation.models import weights

AVX2 = "flags\t\t: fpu sse4_2 fma avx avx2 bmi2\n"


@pytest.mark.parametrize(
    ("flags", "dtype", "device", "warned"),
    [
        (AVX2, "bfloat16", "cpu", True),
        (AVX2, "float32", "cpu", False),
        (AVX2, "bfloat16", "cuda", False),
        ("flags\t\t: avx512f avx512bw\n", "bfloat16", "cpu", True),
        ("flags\t\t: avx512f avx512_bf16 avx512vl\n", "bfloat16", "cpu", False),
        ("flags\t\t: amx_bf16 amx_tile\n", "bfloat16", "cpu", False),
        ("Features\t: fp asimd i8mm bf16\n", "bfloat16", "cpu", False),
        (None, "bfloat16", "cpu", False),  # a system that does not say
    ],
)
def test_a_cpu_without_units_is_known_by_its_flags(
    flags: str | None,
    dtype: str,
    device: str,
    warned: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(devices, "CPU", tmp_path / "cpuinfo")
    if flags is not None:
        devices.CPU.write_text(f"processor\t: 0\n{flags}")
    devices.warn_if_slow(dtype, device)
    assert ("set dtype: float32" in capsys.readouterr().err) == warned


def test_a_key_names_the_dtype_only_where_it_is_not_that_of_servers() -> None:
    """Keys of calls bought before this are as they were; what a model said in bfloat16 never stands for what it says
    in float32."""
    assert [weights.identity("r1", dtype) for dtype in (None, "auto", "bfloat16", "float32")] == [
        "r1",
        "r1",
        "r1",
        "r1@float32",
    ]
