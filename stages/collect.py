"""Write data/prompts.parquet from all sources, and data/screened.parquet."""

import sys

import polars as pl

from curation import parquet, tables
from curation.collect import counts, reasons, sift
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read

SEE = (
    "select s.source, s.reason, s.overlap, s.prompt[-1].content as text, o.source as other, o.prompt[-1].content as its_text "
    "from screened as s join prompts as o on o.prompt_id = s.against where not s.kept"
)


def main() -> None:
    study = read()
    prompts, verdicts = sift(study.sources, study.screen)
    parquet.write(tables.PROMPTS, prompts, tables.path("prompts"))
    parquet.write(tables.SCREENED, verdicts, tables.path("screened"))
    found = counts(verdicts)
    if dropped := verdicts.height - found["kept"]:
        print(f'collect: {dropped} of {verdicts.height} train prompts dropped: {reasons(verdicts)}; curation sql "{SEE}"', file=sys.stderr)
    given = prompts.group_by("source").agg(pl.len()).sort("source")
    write_metrics(tables.DATA / "metrics/collect.json", {"prompts": dict(given.rows()), "screened": found})


if __name__ == "__main__":
    run(main)
