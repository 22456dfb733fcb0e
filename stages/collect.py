"""Write data/prompts.parquet from all sources."""

from curation import tables
from curation.collect import collect
from curation.errors import run
from curation.metrics import write_metrics
from curation.params import read


def main() -> None:
    study = read()
    prompts = collect(study.sources)
    tables.write(tables.PROMPTS, prompts, tables.path("prompts"))
    write_metrics(tables.DATA / "metrics/collect.json", {"prompts": dict(prompts.group_by("source").len().sort("source").rows())})


if __name__ == "__main__":
    run(main)
