"""Plots of what the arms gained, and from how many pairs."""

from pathlib import Path

import polars as pl

from curation.core.plots import BLUE, GREY, figure_of, save


def gains(comparisons: pl.DataFrame, file: Path) -> None:
    """One panel per benchmark, measure and what is compared with: the gain of each arm with its 95 % interval; none
    at 0."""
    rows = comparisons.drop_nulls("gain").with_columns(
        pl.format("{} {} {} {} {}", "method", "selection", "generator_pairs", "budget", "control")
        .str.strip_chars()
        .alias("arm")
    )
    panels = list(
        rows.sort("measure", "benchmark", "against", "arm").group_by(
            "measure", "benchmark", "against", maintain_order=True
        )
    )
    most = max((group.height for _, group in panels), default=1)
    figure, axes = figure_of(len(panels), columns=2, width=6.4, height=1.0 + 0.2 * most)
    for axis, ((measure, benchmark, against), group) in zip(axes, panels, strict=False):
        for y, (arm, gain, low, high) in enumerate(group.select("arm", "gain", "ci_low", "ci_high").rows()):
            axis.errorbar(
                [gain],
                [y],
                xerr=[[gain - low], [high - gain]],
                fmt="o",
                color=BLUE,
                markersize=4,
                capsize=2,
            )
            axis.text(0.01, y - 0.12, arm, transform=axis.get_yaxis_transform(), fontsize=6, va="bottom")
        axis.axvline(0, color=GREY, linewidth=1, linestyle=":")
        axis.set_yticks([])
        axis.set_ylim(group.height - 0.5, -0.9)
        axis.set_title(f"{benchmark}: {measure} over {against}", fontsize=8)
        axis.tick_params(axis="x", labelsize=7)
    save(figure, file)


def efficiency(comparisons: pl.DataFrame, file: Path) -> None:
    """The data-efficiency curve, one panel per benchmark and measure: gain over the baseline by the pairs learnt
    from, a line for what differs in budget only, with 95 % intervals. What learnt from no pair has no place on it."""
    rows = comparisons.filter(pl.col("against") == "baseline", pl.col("pairs") > 0).sort(
        "measure", "benchmark", "method", "selection", "generator_pairs", "control", "pairs"
    )
    panels = list(rows.group_by("measure", "benchmark", maintain_order=True))
    figure, axes = figure_of(len(panels), columns=2, width=5.6, height=3.2)
    for axis, ((measure, benchmark), group) in zip(axes, panels, strict=False):
        lines = list(group.group_by("method", "selection", "generator_pairs", "control", maintain_order=True))
        for number, (name, line) in enumerate(lines):
            # apart by a hundredth, so that intervals of as many pairs are all seen
            x = line["pairs"] * (1 + 0.01 * (number - (len(lines) - 1) / 2))
            errors = [line["gain"] - line["ci_low"], line["ci_high"] - line["gain"]]
            axis.errorbar(
                x,
                line["gain"],
                yerr=errors,
                fmt="o-",
                markersize=3,
                linewidth=1,
                capsize=2,
                label=" ".join(map(str, name)),
            )
        axis.set_xscale("log")
        axis.set_xticks(sorted(set(group["pairs"])), [str(pairs) for pairs in sorted(set(group["pairs"]))])
        axis.minorticks_off()
        axis.axhline(0, color=GREY, linewidth=1, linestyle=":")
        axis.set_title(f"{benchmark}: {measure}", fontsize=9)
        axis.set_xlabel("pairs", fontsize=7)
        axis.set_ylabel("gain over the baseline", fontsize=7)
        axis.tick_params(labelsize=7)
    if panels:
        axes[0].legend(fontsize=5)
    save(figure, file)
