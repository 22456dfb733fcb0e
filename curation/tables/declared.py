"""What params.yaml declares, as views beside the tables."""

import duckdb
import polars as pl

from curation.core.study import Study
from curation.tables import findings

DECLARED = ("arms", "declared_runs", "scales", "subset_rules", "ranking_judges")  # views of what params.yaml declares
ARMS = dict.fromkeys(("arm", "selection", "generator_pairs", "budget", "control"), pl.String) | {
    "draw": pl.Int64,
    "treatment": pl.Boolean,
    "drawn_from": pl.String,
}
RUNS = (
    {"run": pl.String, "method": pl.String, "kind": pl.String, "seed": pl.Int64}
    | ARMS
    | {"desirable_weight": pl.Float64, "undesirable_weight": pl.Float64}
)
RULES = dict.fromkeys(("selection", "keep", "pairs", "labels", "examples"), pl.String)
RANKING_JUDGES = dict.fromkeys(("selection", "judge", "dimension"), pl.String)
SCALES = {"judge": pl.String, "dimension": pl.String, "low": pl.Float64, "high": pl.Float64}


def register_declared(connection: duckdb.DuckDBPyConnection, study: Study) -> None:
    """What params.yaml declares: `arms`; `declared_runs`, each with its method, its seed and the parts of its arm;
    `scales`, the ends of the scores that a judge may give, `subset_rules`, what each subset keeps, how its pairs are
    labelled and what its unpaired examples are, and `ranking_judges`, the judges and dimensions that each selection
    ranks by."""
    arms = {
        name: (name, *arm, study.controls[arm.control].treatment, study.controls[arm.control].pairs)
        for name, arm in study.arms.items()
    }
    runs = []
    for name, (method, arm, seed) in study.runs.items():
        settings = study.methods[method]
        weights = (getattr(settings, f"{side}_weight", None) for side in ("desirable", "undesirable"))
        runs.append((name, method, settings.kind, seed, *arms[arm.name], *weights))
    runs += [(name, "given", *[None] * (len(RUNS) - 2)) for name in study.models.names]
    scales = [
        (judge, dimension, *ends)
        for judge, body in study.judges.items()
        for dimension, ends in getattr(body, "scales", {}).items()
    ]
    declared = (
        ("arms", list(arms.values()), ARMS),
        ("declared_runs", runs, RUNS),
        ("scales", scales, SCALES),
        ("subset_rules", list(findings.subset_rules(study)), RULES),
        ("ranking_judges", list(findings.ranking_judges(study)), RANKING_JUDGES),
    )
    for view, rows, schema in declared:
        connection.register(view, pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
