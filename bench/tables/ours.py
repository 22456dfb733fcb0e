"""The stages themselves, in one process: python -m bench.tables.ours FOLDER PAIRS"""

import os
import sys

# a stage loads these when it needs them; that is part of the start of Python, as the other contenders' imports are
import matplotlib.figure  # noqa: F401
import scipy.stats  # noqa: F401

from bench.tables.cases import SELECTIONS
from bench.tables.steps import step
from stages import delta, pair, select


def main(folder: str) -> None:
    os.chdir(folder)
    step("pair", pair.main)
    step("delta", delta.main)
    for name in SELECTIONS:
        sys.argv = ["select", name]
        step(name, select.main)


if __name__ == "__main__":
    main(sys.argv[1])
