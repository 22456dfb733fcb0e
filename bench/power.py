"""How wide intervals were said to be beside how wide they were, on the first study on a GPU: of the gain of each of its
arms over the untrained student, and of each of its other contrasts, predicted from what a study knows at two times
before it is paid for.

python -m bench.power
"""

from bench import gpu_study
from bench.gpu_study import ARMS, IN_DOMAIN, OUT_OF_DOMAIN
from curation.core.params import BASELINE
from curation.experiment.pilot import Assumption, Pilot, pilot
from curation.experiment.power import Design, Side, half_width
from curation.experiment.values import BASELINE_ARM, DeclaredRuns

PARTS = {IN_DOMAIN: [IN_DOMAIN], OUT_OF_DOMAIN: ["svamp", "math_easy"]}
STUDENT, FIRST_RUN = "from the student's answers", "from these and one run's"


def main() -> None:
    """Prints a row an arm and benchmark."""
    predicted = predicted_half_widths()
    print("| learnt from | benchmark | observed | " + " | ".join(predicted) + " |")
    print("|---|---|---|---|---|")
    for rows in zip(*predicted.values(), strict=True):
        name, benchmark, _, observed = rows[0]
        told = " | ".join(f"{half:.4f} ({half / observed - 1:+.0%})".replace("%", " %") for *_, half, _ in rows)
        print(f"| {name} | {benchmark} | {observed:.4f} | {told} |")


def predicted_half_widths() -> dict[str, list[tuple[str, str, float, float]]]:
    """By what they are predicted from: arm or contrast, benchmark, predicted and observed half-width, of each gain over
    the student untrained and of what `gpu_study` declares. The pilots are the student's answers alone, of which
    correlations say nothing, and these with the first run's."""
    results = gpu_study.sound_results()
    arms = {run: _arm(run) for run in results["run"].unique().sort() if run != BASELINE}
    declared = DeclaredRuns(arms, dict.fromkeys(arms, 0), frozenset({"itself"}))
    rows, first = gpu_study.compared(gpu_study.pooled(results)), next(iter(arms))
    pilots = {
        name: pilot(declared, results.filter(results["run"].is_in(runs)), Assumption())
        for name, runs in {STUDENT: [BASELINE], FIRST_RUN: [BASELINE, first]}.items()
    }
    asked = dict(results.filter(results["run"] == BASELINE).group_by("benchmark").len().rows())
    predicted: dict[str, list[tuple[str, str, float, float]]] = {name: [] for name in pilots}
    for (method, selection, control), (name, _) in ARMS.items():
        of_arm = rows.filter(method=method, selection=selection, control=control, against=BASELINE)
        for benchmark, parts in PARTS.items():
            low, high = of_arm.filter(benchmark=benchmark).select("ci_low", "ci_high").row(0)
            for pilot_name, seen in pilots.items():
                half = half_width(_design(seen, {part: asked[part] for part in parts}))
                predicted[pilot_name].append((name, benchmark, half, (high - low) / 2))
    told = dict(gpu_study.contrasts(results))
    for name, weights, benchmark in gpu_study.declared():
        for pilot_name, seen in pilots.items():
            sides = tuple(Side(weight, 1, 1, "dpo") for weight in weights.values())
            variation = seen.variation(benchmark, list(weights), asked[benchmark], 1)
            half = half_width(Design(sides, ((1.0, variation),), 0.0, {"dpo": (1,) * len(ARMS)}))
            predicted[pilot_name].append((name, benchmark, half, (told[name].high - told[name].low) / 2))
    return predicted


def _arm(run: str) -> tuple[str, ...]:
    method, selection, *rest, _ = run.split("-")
    return (method, selection, *rest)


def _design(seen: Pilot, asked: dict[str, int]) -> Design:
    """A run's gain over the student, by all its prompts."""
    total = sum(asked.values())
    parts = tuple((n / total, seen.variation(name, [BASELINE_ARM], n, 1)) for name, n in asked.items())
    return Design((Side(1.0, 1, 1, "dpo"), Side(-1.0, 1, 1, None)), parts, 0.0, {"dpo": (1,) * len(ARMS)})


if __name__ == "__main__":
    main()
