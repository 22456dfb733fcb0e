"""A write that fails is one sentence, keeps what was there, and leaves nothing half-written: on a disk that is full."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import world
from tiny import save_tiny_llama

from curation.core import plots
from curation.core.errors import CurationError, write_whole
from curation.core.metrics import write_metrics
from curation.models import weights
from curation.tables import contracts, parquet


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, of which 8 are left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    (folder / "ballast").write_bytes(bytes(56 * 1024))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def prompts(count: int) -> pl.DataFrame:
    """As many rows, none of which gets smaller by compression."""
    noise = np.random.default_rng(0).integers(97, 123, (count, 2000), dtype=np.uint8)
    rows = world.prompts().head(1)
    texts = [bytes(row).decode() for row in noise]
    return pl.concat([rows] * count).with_columns(pl.Series("prompt_id", range(count)), pl.Series("entry", texts))


def draw(file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4))
    figure.subplots().imshow(np.random.default_rng(0).random((100, 100)))
    plots.save(figure, file)


def append_parts(file: Path) -> None:
    with parquet.writing(contracts.PROMPTS, file) as rows:
        rows.append(prompts(1))
        rows.append(prompts(40).tail(39))


WRITERS: dict[str, Callable[[Path], object]] = {
    "bytes.txt": lambda file: write_whole(file, bytes(100_000)),
    "table.parquet": lambda file: parquet.write(contracts.PROMPTS, prompts(40), file),
    "parts.parquet": append_parts,
    "metrics.json": lambda file: write_metrics(file, {f"measure {n}": float(n) for n in range(2000)}),
    "plot.png": draw,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", [b"what was there", None], ids=["over", "new"])
def test_a_full_disk_leaves_what_was_there_and_nothing_else(disk: Path, name: str, before: bytes | None) -> None:
    file = disk / name
    if before is not None:
        file.write_bytes(before)
    with pytest.raises(CurationError) as caught:
        WRITERS[name](file)
    assert str(caught.value).startswith(f"{file}: cannot be written: ") and "No space left" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert {path.name for path in disk.iterdir()} == {"ballast"} | ({name} if before else set())
    assert before is None or file.read_bytes() == before


@pytest.mark.slow
def test_weights_that_do_not_fit_leave_no_folder(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = save_tiny_llama(tmp_path / "tiny")
    loaded = weights.load(str(tiny), weights.fingerprint(tiny), "float32")
    monkeypatch.setattr(weights, "CACHE", disk / "weights")
    with pytest.raises(CurationError, match="weights/abc: cannot be written: ") as caught:
        weights._cache("abc", lambda: loaded)
    assert len(str(caught.value).splitlines()) == 1
    assert list((disk / "weights").iterdir()) == []
