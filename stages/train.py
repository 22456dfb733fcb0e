"""Write data/models/<run>/."""

from curation import tables
from curation.errors import name_argument, run
from curation.metrics import write_metrics
from curation.params import read
from curation.train import train


def main() -> None:
    study, name = read(), name_argument("runs")
    settings = study.named("runs", name)
    paired = tables.read(tables.SUBSETS, tables.path("subsets", settings.selection))
    unpaired = tables.read(tables.UNPAIRED, tables.path("unpaired", settings.selection))
    figures = train(name, settings, study.student, paired, unpaired, tables.DATA / "models" / name)
    write_metrics(tables.DATA / f"metrics/train/{name}.json", figures)


if __name__ == "__main__":
    run(main)
