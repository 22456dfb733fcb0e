"""Write data/pair_scores/<scorer>.parquet."""

import sys

from curation import parquet, tables
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.score_pairs import counts, score_pairs


def main() -> None:
    study, name = read(), name_argument("scorers")
    settings = study.named("scorers", name)
    prompts = parquet.read(tables.PROMPTS, tables.path("prompts"))
    traces = parquet.read_parts(tables.TRACES, study.generators)
    pairs = parquet.read(tables.PAIRS, tables.path("pairs"))
    scores = score_pairs(name, settings, study.student, pairs, traces, prompts)
    figures = counts(pairs, scores)
    if not figures["scored"]:
        print(f"score_pairs {name}: scores no pair of {pairs.height}, {pairs['tie'].sum()} of them ties", file=sys.stderr)
    parquet.write(tables.PAIR_SCORES, scores, tables.path("pair_scores", name))
    write_metrics(tables.DATA / f"metrics/score_pairs/{name}.json", figures)


if __name__ == "__main__":
    run(main)
