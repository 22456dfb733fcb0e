"""Write data/prompts.parquet from all sources, data/decontamination.parquet, and what preference sets hold:
data/responses.parquet, data/ratings.parquet and data/listed_pairs.parquet."""

import sys

import polars as pl

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.prompts.collect import collect, metrics, summarize_reasons
from curation.tables import contracts, parquet
from curation.tables.other_study import refuse_undeclared

SEE = (
    "select s.source, s.reason, s.overlap, s.prompt[-1].content as text, o.source as other, "
    "o.prompt[-1].content as its_text from decontamination as s join prompts as o on o.prompt_id = s.against "
    "where not s.kept"
)


def main() -> None:
    study = read()
    refuse_undeclared(study)
    collected = collect(study.sources, study.decontaminate)
    for name, rows in collected.tables.items():
        parquet.write(contracts.TABLES[name], rows, contracts.path(name))
    verdicts = collected.decontamination
    reasons = metrics(verdicts)
    if dropped := verdicts.height - reasons["kept"]:
        print(
            f"collect: {dropped} of {verdicts.height} train prompts dropped: {summarize_reasons(verdicts)}; "
            f'curation sql "{SEE}"',
            file=sys.stderr,
        )
    counts = dict(collected.prompts.group_by("source").agg(pl.len()).sort("source").rows())
    told = {"prompts": counts, "decontamination": reasons}
    if (repeats := collected.near_duplicate_responses) is not None:
        told["responses"] = {"near_duplicate": repeats}
    write_metrics(contracts.DATA / "metrics/collect.json", told)


if __name__ == "__main__":
    run(main)
