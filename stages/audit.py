"""Write data/audited.txt and data/metrics/audit.json, which has the findings of every subset too, if no blocking check
of what runs would learn from returns a row; fail and name the rows otherwise."""

from curation.core.errors import run, write_whole
from curation.core.metrics import write_metrics
from curation.tables import contracts
from curation.tables.checks import audit

# the same after every audit, so that runs whose subsets did not change are not trained again
PASSED = b"No blocking check returned a row.\n"


def main() -> None:
    write_metrics(contracts.DATA / "metrics/audit.json", audit())
    write_whole(contracts.DATA / "audited.txt", PASSED)


if __name__ == "__main__":
    run(main)
