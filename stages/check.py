"""Write data/metrics/check.json if every SQL check returns no rows; fail and say which rows break it otherwise."""

from curation import tables
from curation.check import check
from curation.errors import run
from curation.metrics import write_metrics


def main() -> None:
    write_metrics(tables.DATA / "metrics/check.json", check())


if __name__ == "__main__":
    run(main)
