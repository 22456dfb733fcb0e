"""Write data/judgments/<judge>.parquet."""

from curation.calls.ledger import Ledger
from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.judging.judge import judge, metrics
from curation.tables import contracts, parquet
from curation.tables.other_study import refuse_other_prompts


def main() -> None:
    study, name = read(), name_argument("judges")
    settings = study.judges[name]
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    traces = parquet.read_parts(contracts.TRACES, study.generators)
    refuse_other_prompts(traces, prompts)
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        judgments = judge(name, settings, traces, prompts, ledger)
    parquet.write(contracts.JUDGMENTS, judgments, contracts.path("judgments", name))
    write_metrics(contracts.DATA / f"metrics/judge/{name}.json", metrics(judgments, traces) | ledger.served.metrics())


if __name__ == "__main__":
    run(main)
