"""The results of a study's runs, of its own benchmarks and of other harnesses', and whether these measured alike."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from curation.core.messages import first_names
from curation.core.params import BASELINE
from curation.core.text import shorten
from curation.experiment.values import DeclaredRuns
from curation.tables import contracts, parquet
from curation.tables.contracts import empty
from curation.tables.measurements import IMPORTED_RESULTS, PROVENANCE, RESULTS

SHOWN = 60  # characters of a value in a message
MOST_NAMED = 3  # runs in a message
SEPARATOR = "; "  # of the values that several logs of a run say
NOT_SAID = "not said"  # of a setting that other runs' logs name


class Results(NamedTuple):
    """The rows of `results` and `imported_results`, the names of the runs that have any, and the rows of
    `provenance`."""

    rows: pl.DataFrame
    there: list[str]
    provenance: pl.DataFrame


def read_results(declared: DeclaredRuns) -> Results:
    """What there is of the baseline and of the runs declared."""
    names = [BASELINE, *declared.arms]
    evaluated = [name for name in names if contracts.path("results", name).exists()]
    own = parquet.read_parts(RESULTS, evaluated)
    imported, provenance = (
        parquet.read(table, file) if (file := contracts.path(table.name)).exists() else empty(table)
        for table in (IMPORTED_RESULTS, PROVENANCE)
    )
    of_runs = imported.filter(pl.col("run").is_in(names))
    rows = pl.concat([own, of_runs])
    return Results(rows, rows["run"].unique().to_list(), provenance)


def find_differences(provenance: pl.DataFrame) -> Iterator[str]:
    """A line about each setting in which runs that were measured on one benchmark differ, of those that should be
    alike. Of values that are lists, as of several tasks, what all runs have is not shown."""
    for (benchmark,), rows in provenance.filter(pl.col("alike")).group_by("benchmark", maintain_order=True):
        runs = rows["run"].unique(maintain_order=True)
        for field in rows["field"].unique().sort():
            said, values = dict(rows.filter(field=field).select("run", "value").rows()), dict[str, list[str]]()
            for run in runs:
                values.setdefault(said.get(run, NOT_SAID), []).append(run)
            if len(values) > 1:
                shared = set.intersection(*(set(value.split(SEPARATOR)) for value in values))
                own = {value: [part for part in value.split(SEPARATOR) if part not in shared] for value in values}
                shown = "; ".join(
                    f"{shorten(SEPARATOR.join(own[value]) or 'nothing more', SHOWN)} ({first_names(of, MOST_NAMED)})"
                    for value, of in values.items()
                )
                yield f"{benchmark}: runs were measured with another {field}: {shown}"
