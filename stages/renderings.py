"""Write data/renderings.parquet."""

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, parquet
from curation.traces.renderings import renderings


def main() -> None:
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, ["trace_id", "completion"])
    rows = renderings(study.renderings, study.student, traces)
    parquet.write(contracts.RENDERINGS, rows, contracts.path("renderings"))
    counts = {"traces": rows.height, "tokens": int(rows["tokens"].sum())}
    write_metrics(contracts.DATA / "metrics/renderings.json", counts)


if __name__ == "__main__":
    run(main)
