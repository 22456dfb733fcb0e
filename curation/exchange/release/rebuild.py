"""The rows of a release made again, from the tables and the params.yaml that it holds."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

import polars as pl

from curation.core.errors import CurationError, Errors, require_existing
from curation.core.params import read
from curation.core.progress import Progress
from curation.core.study import Study
from curation.experiment.arms import arms
from curation.pairs.listed import LISTED_COLUMNS
from curation.pairs.pair import TRACE_COLUMNS, pair
from curation.pairs.write import write_deltas
from curation.selection import candidates, single_traces
from curation.selection.labelled import label_traces
from curation.selection.select import select
from curation.selection.subset import add_messages, from_tables, kept_rows, unpaired_rows
from curation.tables import contracts, measurements, parquet

PARAMS = "params.yaml"
TAKEN = ("prompts.parquet", "responses.parquet", "listed_pairs.parquet", "renderings.parquet", "traces", "judgments",
         "preferences", "pair_scores", "probabilities.parquet")  # fmt: skip
STEPS = 2  # of a rebuild beside its arms: pairs, deltas


@contextmanager
def rebuilt(study_folder: Path, names: Sequence[str], shown: Progress) -> Iterator[Path]:
    """A folder whose `data` holds, made again from the recorded tables of `study_folder`: pairs, deltas, and of each
    selection or arm of `names` its verdicts, subset and unpaired examples. It is gone after the block. Raises
    CurationError where something cannot be made."""
    with tempfile.TemporaryDirectory() as folder:
        elsewhere, from_ = Path(folder), study_folder.resolve()
        (elsewhere / contracts.DATA).mkdir()
        (elsewhere / PARAMS).symlink_to(require_existing(from_ / PARAMS, "every release has one"))
        for name in TAKEN:
            if (there := from_ / contracts.DATA / name).exists():
                (elsewhere / contracts.DATA / name).symlink_to(there)
        try:
            with chdir(elsewhere):  # where the tables of a study are read
                _rebuild(names, shown)
        except CurationError as error:
            raise Errors([_place(line, study_folder) for line in str(error).splitlines()]) from None
        yield elsewhere


def _place(line: str, study_folder: Path) -> str:
    """A message about a file, with the folder that it is in; what it lacks no stage makes there."""
    line = line.replace("; `dvc repro` makes it", ", and the rows are made of it")
    return f"{study_folder}/{line}" if line.startswith((f"{contracts.DATA}/", PARAMS)) else line


def _rebuild(names: Sequence[str], shown: Progress) -> None:
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, TRACE_COLUMNS)
    listed = parquet.read(contracts.LISTED_PAIRS, contracts.path("listed_pairs"), LISTED_COLUMNS)
    parquet.write(contracts.PAIRS, pair(study.pair, traces, listed), contracts.path("pairs"))
    shown.advance(note="pairs")
    means = [summary.generator_deltas for _, of_judge in write_deltas(study) for summary in of_judge.values()]
    means = [contracts.empty(measurements.GENERATOR_DELTAS), *means]
    parquet.write(measurements.GENERATOR_DELTAS, pl.concat(means), contracts.path("generator_deltas"))
    shown.advance(note="deltas")
    for name in names:
        (_write_arm if name in study.arms else _write_selection)(study, name)
        shown.advance(note=name)


def _write_selection(study: Study, name: str) -> None:
    """As the stage `select` does."""
    settings, texts = study.selections[name], from_tables(study.generators)
    selection = select(name, settings, candidates.from_files(study))
    labelled = label_traces(name, settings, single_traces.from_files(study))
    subset = add_messages(kept_rows(selection, study.dimensions), texts)
    unpaired = unpaired_rows(subset, labelled and labelled.own, texts)
    parquet.write(contracts.SELECTIONS, selection.verdicts, contracts.path("selections", name))
    parquet.write(contracts.SUBSETS, subset, contracts.path("subsets", name))
    parquet.write(contracts.UNPAIRED, unpaired, contracts.path("unpaired", name))


def _write_arm(study: Study, name: str) -> None:
    """As the stage `arms` does of all."""
    texts = from_tables(study.generators)
    ((_, made),) = arms([study.arms[name]], study, candidates.from_files(study), single_traces.from_files(study))
    subset = add_messages(made.rows, texts)
    unpaired = unpaired_rows(subset, made.labelled, texts)
    parquet.write(contracts.SUBSETS, subset, contracts.arm_path("subsets", name))
    parquet.write(contracts.UNPAIRED, unpaired, contracts.arm_path("unpaired", name))
