"""Write data/preferences/<pairwise judge>.parquet."""

from curation.calls.ledger import Ledger
from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.judging.prefer import metrics, prefer
from curation.tables import contracts, parquet
from curation.tables.other_study import refuse_other_prompts


def main() -> None:
    study, name = read(), name_argument("pairwise_judges")
    settings = study.pairwise_judges[name]
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    traces = parquet.read_parts(contracts.TRACES, study.generators)
    refuse_other_prompts(traces, prompts)
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    listed = parquet.read(contracts.LISTED_PAIRS, contracts.path("listed_pairs"))
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        preferences = prefer(name, settings, pairs, traces, prompts, ledger, listed)
    parquet.write(contracts.PREFERENCES, preferences, contracts.path("preferences", name))
    write_metrics(contracts.DATA / f"metrics/prefer/{name}.json", metrics(preferences) | ledger.served.metrics())


if __name__ == "__main__":
    run(main)
