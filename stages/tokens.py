"""Write data/tokens.parquet."""

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, parquet
from curation.traces.tokens import count_tokens


def main() -> None:
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, ["trace_id", "completion"])
    tokens = count_tokens(study.tokens, study.student, traces)
    parquet.write(contracts.TOKENS, tokens, contracts.path("tokens"))
    counts = {"traces": tokens.height, "tokens": int(tokens["tokens"].sum())}
    write_metrics(contracts.DATA / "metrics/tokens.json", counts)


if __name__ == "__main__":
    run(main)
