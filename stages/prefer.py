"""Write data/preferences/<pairwise judge>.parquet."""

from curation import parquet, tables
from curation.calls.ledger import Ledger
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.prefer import coverage, prefer


def main() -> None:
    study, name = read(), name_argument("pairwise_judges")
    settings = study.named("pairwise_judges", name)
    prompts = parquet.read(tables.PROMPTS, tables.path("prompts"))
    traces = parquet.read_parts(tables.TRACES, study.generators)
    pairs = parquet.read(tables.PAIRS, tables.path("pairs"))
    with Ledger(study.ledger, study.budget, study.execution.spread) as ledger:
        preferences = prefer(name, settings, pairs, traces, prompts, ledger)
    parquet.write(tables.PREFERENCES, preferences, tables.path("preferences", name))
    write_metrics(tables.DATA / f"metrics/prefer/{name}.json", coverage(preferences))


if __name__ == "__main__":
    run(main)
