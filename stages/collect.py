"""Write data/prompts.parquet from all sources, and data/decontamination.parquet."""

import sys

import polars as pl

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.prompts.collect import collect, metrics, summarize_reasons
from curation.tables import contracts, parquet

SEE = (
    "select s.source, s.reason, s.overlap, s.prompt[-1].content as text, o.source as other, "
    "o.prompt[-1].content as its_text from decontamination as s join prompts as o on o.prompt_id = s.against "
    "where not s.kept"
)


def main() -> None:
    study = read()
    prompts, verdicts = collect(study.sources, study.decontaminate)
    parquet.write(contracts.PROMPTS, prompts, contracts.path("prompts"))
    parquet.write(contracts.DECONTAMINATION, verdicts, contracts.path("decontamination"))
    reasons = metrics(verdicts)
    if dropped := verdicts.height - reasons["kept"]:
        print(
            f"collect: {dropped} of {verdicts.height} train prompts dropped: {summarize_reasons(verdicts)}; "
            f'curation sql "{SEE}"',
            file=sys.stderr,
        )
    counts = dict(prompts.group_by("source").agg(pl.len()).sort("source").rows())
    write_metrics(contracts.DATA / "metrics/collect.json", {"prompts": counts, "decontamination": reasons})


if __name__ == "__main__":
    run(main)
