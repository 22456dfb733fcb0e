"""Write data/metrics/check.json if no check of trained runs returns a row; fail and say which rows break it otherwise."""

from curation import tables
from curation.check import check
from curation.errors import run
from curation.metrics import write_metrics


def main() -> None:
    write_metrics(tables.DATA / "metrics/check.json", check(after=True))


if __name__ == "__main__":
    run(main)
