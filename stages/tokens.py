"""Write data/tokens.parquet."""

from curation import parquet, tables
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read
from curation.tokens import tokens


def main() -> None:
    study = read()
    traces = parquet.read_parts(tables.TRACES, study.generators, ["trace_id", "completion"])
    counted = tokens(study.tokens, study.student, traces)
    parquet.write(tables.TOKENS, counted, tables.path("tokens"))
    write_metrics(tables.DATA / "metrics/tokens.json", {"traces": counted.height, "tokens": int(counted["tokens"].sum())})


if __name__ == "__main__":
    run(main)
