"""Prints the tables."""

import argparse

from bench.evidence import __doc__ as usage
from bench.evidence.answers import tabulate_answers
from bench.evidence.contrasts import tabulate_contrasts
from bench.evidence.tables import tabulate, tabulate_alone, tabulate_every, tabulate_levels, tabulate_rules

TABLES = {
    "worst": tabulate,
    "every": tabulate_every,
    "alone": tabulate_alone,
    "rules": tabulate_rules,
    "levels": tabulate_levels,
    "answers": tabulate_answers,
    "contrasts": tabulate_contrasts,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=usage, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", choices=TABLES, default="worst")
    parser.add_argument("--seed", type=int, default=18)
    wanted = parser.parse_args()
    for line in TABLES[wanted.table](wanted.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
