"""Write data/pair_scores/<scorer>.parquet."""

import sys

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, measurements, parquet
from curation.tables.other_study import refuse_other_prompts
from curation.training.score_pairs import metrics, score_pairs


def main() -> None:
    study, name = read(), name_argument("scorers")
    settings = study.scorers[name]
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    traces = parquet.read_parts(contracts.TRACES, study.generators)
    refuse_other_prompts(traces, prompts)
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    scores = score_pairs(name, settings, study.student, pairs, traces, prompts)
    measured = metrics(pairs, scores)
    if not measured["scored"]:
        print(
            f"score_pairs {name}: scores no pair of {pairs.height}, {pairs['identical'].sum()} of them identical",
            file=sys.stderr,
        )
    parquet.write(measurements.PAIR_SCORES, scores, contracts.path("pair_scores", name))
    write_metrics(contracts.DATA / f"metrics/score_pairs/{name}.json", measured)


if __name__ == "__main__":
    run(main)
