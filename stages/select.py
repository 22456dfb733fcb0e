"""Write data/selections/<selection>.parquet, data/subsets/<selection>.parquet and data/unpaired/<selection>.parquet."""

import sys

from curation import tables
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.progress import progress
from curation.select import counts, select, subset, unpaired


def main() -> None:
    study, name = read(), name_argument("selections")
    settings = study.named("selections", name)
    pairs = tables.read(tables.PAIRS, tables.path("pairs"))
    means = tables.read(tables.GENERATOR_DELTAS, tables.path("generator_deltas"))
    judge = getattr(settings, "judge", None)
    deltas = {judge: tables.read(tables.deltas(study.dimensions[judge]), tables.path("deltas", judge))} if judge else {}
    with progress(f"select {name}", 3, "steps") as shown:
        verdicts = select(name, settings, pairs, deltas, means)
        shown.advance(note=f"{verdicts.height} verdicts")
        traces = tables.read_parts(tables.TRACES, study.generators)
        kept = subset(verdicts, pairs, traces, tables.read(tables.PROMPTS, tables.path("prompts")))
        loose = unpaired(kept)
        shown.advance(note=f"{kept.height} kept")
        tables.write(tables.SELECTIONS, verdicts.select(tables.SELECTIONS.schema.names), tables.path("selections", name))
        tables.write(tables.SUBSETS, kept, tables.path("subsets", name))
        tables.write(tables.UNPAIRED, loose, tables.path("unpaired", name))
        shown.advance(note=f"{kept.height} kept")
    if kept.is_empty() and settings.kind != "nothing":
        reasons = ", ".join(f"{count} {reason}" for reason, count in verdicts.group_by("reason").len().sort("reason").iter_rows())
        print(f"select {name}: keeps no pair: {reasons}", file=sys.stderr)
    write_metrics(tables.DATA / f"metrics/select/{name}.json", counts(verdicts, kept, loose))


if __name__ == "__main__":
    run(main)
