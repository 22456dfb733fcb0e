"""Write data/report.html, the study on one page, and its figures in data/figures."""

from curation.core.errors import run
from curation.core.params import read
from curation.explore.report.page import write_report
from curation.tables import contracts


def main() -> None:
    write_report(read(), contracts.DATA)


if __name__ == "__main__":
    run(main)
