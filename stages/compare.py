"""Write data/comparisons.parquet, data/contrasts.parquet and their plots."""

import json
import sys

from curation.core.errors import require_existing, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.experiment import plots, registration
from curation.experiment.compare import compare, comparison_metrics, declared_runs, find_missing, messages
from curation.experiment.contrast_table import contrast_messages, contrast_metrics, declared_contrasts
from curation.experiment.forest import find_slopes, forest
from curation.experiment.properties import from_files
from curation.experiment.results import find_differences, read_results
from curation.experiment.same_arms import find_same_arms
from curation.experiment.values import Answers, study_values
from curation.tables import contracts, measurements, parquet


def main() -> None:
    study = read()
    declared = declared_runs(study)
    results, there, provenance = read_results(declared)
    trained = parquet.read(measurements.RUNS, contracts.path("runs"))
    missing = find_missing(declared, there, dict(trained.filter(status="failed").select("run", "error").rows()))
    same = find_same_arms(declared, dict(trained.drop_nulls("weights").select("run", "weights").rows()))
    of_arm = json.loads(require_existing(contracts.DATA / "metrics/arms.json", "`dvc repro arms` makes it").read_text())
    pairs_of_run = {name: of_arm[one.arm.name]["pairs"] for name, one in study.runs.items() if one.arm.name in of_arm}
    values = study_values(declared, results)
    comparisons = compare(declared, values, Answers(results), pairs_of_run, same)
    contrasts = declared_contrasts(study, values, from_files(study), same, registration.standing(study))
    told = [*messages(missing, values, study.results), *contrast_messages(contrasts), *find_differences(provenance)]
    for message in (*told, *registration.messages(study)):
        print(f"warning: compare: {message}", file=sys.stderr)
    parquet.write(measurements.COMPARISONS, comparisons, contracts.path("comparisons"))
    parquet.write(measurements.CONTRASTS, contrasts, contracts.path("contrasts"))
    plots.gains(comparisons, contracts.DATA / "plots/gains.png")
    plots.efficiency(comparisons, contracts.DATA / "plots/efficiency.png")
    forest(contrasts, find_slopes(study), contracts.DATA / "plots/contrasts.png")
    metrics = comparison_metrics(comparisons, missing) | registration.metrics(study)
    write_metrics(contracts.DATA / "metrics/compare.json", metrics | {"contrasts": contrast_metrics(contrasts)})


if __name__ == "__main__":
    run(main)
