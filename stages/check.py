"""Write data/metrics/check.json if no check of trained runs returns a row; fail and say which rows break it
otherwise."""

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.tables import contracts
from curation.tables.checks import check


def main() -> None:
    write_metrics(contracts.DATA / "metrics/check.json", check("after_training"))


if __name__ == "__main__":
    run(main)
