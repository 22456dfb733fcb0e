"""Write data/judgments/<judge>.parquet."""

from curation import parquet, tables
from curation.calls.ledger import Ledger
from curation.errors import name_argument, run
from curation.judge import coverage, judge
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study, name = read(), name_argument("judges")
    settings = study.named("judges", name)
    prompts = parquet.read(tables.PROMPTS, tables.path("prompts"))
    traces = parquet.read_parts(tables.TRACES, study.generators)
    with Ledger(study.ledger, study.budget, study.execution.spread) as ledger:
        judgments = judge(name, settings, traces, prompts, ledger)
    parquet.write(tables.JUDGMENTS, judgments, tables.path("judgments", name))
    write_metrics(tables.DATA / f"metrics/judge/{name}.json", coverage(judgments, traces))


if __name__ == "__main__":
    run(main)
