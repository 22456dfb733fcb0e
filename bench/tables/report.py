"""The bench's tables in Markdown, and its plot."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

OURS = "ours"


class Run(NamedTuple):
    """What a contender took for so many pairs: seconds by the clock of each step and of the processors in all, MiB
    at most."""

    contender: str
    pairs: int
    steps: Mapping[str, float]
    cpu: float
    mib: float

    @property
    def seconds(self) -> float:
        return sum(self.steps.values())


def contenders(runs: Iterable[Run]) -> str:
    """A row for each contender at one size."""
    listed = list(runs)
    ours = next((run.seconds for run in listed if run.contender == OURS), float("nan"))
    lines = [
        f"\n{listed[0].pairs:,} pairs, seconds:\n",
        "| contender | pair | delta | ten selections | total | of ours | CPU seconds | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for run in listed:
        pair, delta = run.steps["pair"], run.steps["delta"]
        rest = run.seconds - pair - delta
        seconds = f"{pair:.1f} | {delta:.1f} | {rest:.1f} | {run.seconds:.1f} | {run.seconds / ours:.2f}"
        lines.append(f"| {run.contender} | {seconds} | {run.cpu:.1f} | {run.mib:.0f} |")
    return "\n".join(lines)


def scaling(runs: Iterable[Run]) -> str:
    """A row for each size that ours were run at."""
    lines = [
        "\nOurs by size:\n",
        "| pairs | seconds | seconds a million | CPU seconds a million | peak MiB |",
        "|---:|---:|---:|---:|---:|",
    ]
    for run in sorted((run for run in runs if run.contender == OURS), key=lambda run: run.pairs):
        millions = run.pairs / 1e6
        seconds = f"{run.seconds:.1f} | {run.seconds / millions:.2f} | {run.cpu / millions:.2f}"
        lines.append(f"| {run.pairs:,} | {seconds} | {run.mib:.0f} |")
    return "\n".join(lines)


def plot(runs: Iterable[Run], where: Path) -> None:
    """Seconds and memory by pairs, a line for each contender, both axes logarithmic."""
    from matplotlib.figure import Figure

    listed = list(runs)
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axis, (label, value) in zip(figure.subplots(1, 2), (("seconds", "seconds"), ("peak MiB", "mib")), strict=True):
        for name in dict.fromkeys(run.contender for run in listed):
            points = sorted((run.pairs, getattr(run, value)) for run in listed if run.contender == name)
            axis.loglog(*zip(*points, strict=True), "o-", label=name, linewidth=2 if name == OURS else 1, markersize=4)
        axis.set_xlabel("pairs")
        axis.set_ylabel(label)
        axis.grid(True, which="both", linewidth=0.3)
    axis.legend(fontsize=8)
    where.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(where, dpi=110)
