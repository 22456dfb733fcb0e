"""Write data/traces/<generator>.parquet."""

from curation import parquet, tables
from curation.calls.ledger import Ledger
from curation.errors import name_argument, run
from curation.generate import coverage, generate
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study, name = read(), name_argument("generators")
    settings = study.named("generators", name)
    prompts = parquet.read(tables.PROMPTS, tables.path("prompts"))
    with Ledger(study.ledger, study.budget, study.execution.spread) as ledger:
        traces = generate(name, settings, prompts, ledger)
    parquet.write(tables.TRACES, traces, tables.path("traces", name))
    write_metrics(tables.DATA / f"metrics/generate/{name}.json", coverage(traces))


if __name__ == "__main__":
    run(main)
