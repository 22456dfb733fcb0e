"""Write data/models/<run>/."""

import json

from curation import parquet, tables
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.train import equal_updates, train


def main() -> None:
    study, name = read(), name_argument("runs")
    method, arm = study.named("runs", name)
    paired = parquet.read(tables.SUBSETS, tables.path("subsets", arm.name))
    unpaired = parquet.read(tables.UNPAIRED, tables.path("unpaired", arm.name))
    settings = study.methods[method]
    if study.controls[arm.control].pairs == "all":
        seen = json.loads((tables.DATA / f"metrics/arm/{arm.name}.json").read_text())
        settings = equal_updates(settings, seen["own_unpaired" if settings.kind == "kto" else "own_pairs"])
    figures = train(name, settings, arm.seed, study.student, paired, unpaired, tables.DATA / "models" / name)
    write_metrics(tables.DATA / f"metrics/train/{name}.json", figures)


if __name__ == "__main__":
    run(main)
