"""Write data/models/<run>/."""

import json

from curation.core.errors import name_argument, run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.tables import contracts, parquet
from curation.training.train import equal_updates, train


def main() -> None:
    study, name = read(), name_argument("runs")
    method, arm = study.runs[name]
    paired = parquet.read(contracts.SUBSETS, contracts.path("subsets", arm.name))
    unpaired = parquet.read(contracts.UNPAIRED, contracts.path("unpaired", arm.name))
    settings = study.methods[method]
    if study.controls[arm.control].pairs == "all":
        seen = json.loads((contracts.DATA / f"metrics/arm/{arm.name}.json").read_text())
        settings = equal_updates(settings, seen["own_unpaired" if settings.kind == "kto" else "own_pairs"])
    metrics = train(name, settings, arm.seed, study.student, paired, unpaired, contracts.DATA / "models" / name)
    write_metrics(contracts.DATA / f"metrics/train/{name}.json", metrics)


if __name__ == "__main__":
    run(main)
