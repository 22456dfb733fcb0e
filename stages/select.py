"""Write data/selections/<selection>.parquet, data/subsets/<selection>.parquet and data/unpaired/<selection>.parquet."""

import sys

from curation import tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.select import counts, select, subset, unpaired


def main() -> None:
    study, name = read(), sys.argv[1]
    settings = study.named("selections", name)
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    means = tables.read(tables.GENERATOR_DELTAS, tables.path("generator_deltas"))
    judge = getattr(settings, "judge", None)
    deltas = {judge: tables.read(tables.deltas(study.judges[judge].dimension_names), tables.path("deltas", judge))} if judge else {}
    verdicts = select(name, settings, pairs, deltas, means)
    traces = tables.read_parts(tables.TRACES, study.generators)
    kept = subset(verdicts, pairs, traces, tables.read(tables.PROMPTS, tables.path("prompts")))
    loose = unpaired(kept)
    tables.write(tables.SELECTIONS, verdicts.select(tables.SELECTIONS.schema.names), tables.path("selections", name))
    tables.write(tables.SUBSETS, kept, tables.path("subsets", name))
    tables.write(tables.UNPAIRED, loose, tables.path("unpaired", name))
    write_metrics(tables.DATA / f"metrics/select/{name}.json", counts(verdicts, kept, loose))


if __name__ == "__main__":
    run(main)
