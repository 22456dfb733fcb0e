"""Write data/traces/<generator>.parquet, and warn of what the student would not learn from them."""

import sys

from curation.calls.ledger import Ledger
from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, parquet
from curation.traces.delimiters import find_unread_by_generator
from curation.traces.generate import generate, metrics
from curation.traces.losses import look_at_traces


def main() -> None:
    study, name = read(), name_argument("generators")
    settings = study.generators[name]
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    responses = parquet.read(contracts.RESPONSES, contracts.path("responses"))
    with Ledger(study.ledger, study.budget, study.execution.distribute) as ledger:
        traces = generate(name, settings, prompts, ledger, responses)
    parquet.write(contracts.TRACES, traces, contracts.path("traces", name))
    write_metrics(contracts.DATA / f"metrics/generate/{name}.json", {**metrics(traces), **ledger.served.metrics()})
    for line in find_unread_by_generator(name, study, traces):
        print(f"warning: {line}", file=sys.stderr)
    print(look_at_traces(study, traces, prompts).report(stops=True), end="", file=sys.stderr)


if __name__ == "__main__":
    run(main)
