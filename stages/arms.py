"""Write data/arms/subsets/<arm>.parquet and data/arms/unpaired/<arm>.parquet of every arm of the grid."""

import sys

from curation.core.errors import run
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.core.progress import progress
from curation.experiment.arms import arm_metrics, arms, messages
from curation.experiment.update_rows import collect_update_rows
from curation.selection import single_traces
from curation.selection.candidates import from_files
from curation.selection.own_rows import several_rows_message
from curation.selection.subset import add_messages, from_tables, keep_texts, unpaired_rows
from curation.tables import contracts, parquet
from curation.tables.checks import examine
from curation.tables.update_rows import UPDATE_ROWS, update_rows_path


def main() -> None:
    study, metrics, told = read(), dict[str, object](), dict[str, list[str]]()
    with progress("arms", len(study.arms), "arms") as shown:
        made = list(arms(study.arms.values(), study, from_files(study), single_traces.from_files(study)))
        learnt = (rows for _, of_arm in made for rows in (of_arm.rows, of_arm.labelled) if rows is not None)
        texts = keep_texts(from_tables(study.generators), learnt)
        for arm, pairs in made:
            subset = add_messages(pairs.rows, texts)
            traces = unpaired_rows(subset, pairs.labelled, texts)
            parquet.write(contracts.SUBSETS, subset, contracts.arm_path("subsets", arm.name))
            parquet.write(contracts.UNPAIRED, traces, contracts.arm_path("unpaired", arm.name))
            metrics[arm.name] = arm_metrics(pairs, traces)
            told[arm.name] = [*messages(study, arm, pairs), *filter(None, [several_rows_message(subset, texts)])]
            shown.advance(note=f"{arm.name}: {subset.height} pairs")
    counted = collect_update_rows({arm.name: rows.update_rows for arm, rows in made})
    parquet.write(UPDATE_ROWS, counted, update_rows_path())
    # their findings stand in the metrics of audit
    for name, found in examine(study, metrics).items():
        for message in [*told[name], *found.messages]:
            print(f"arm {name}: {message}", file=sys.stderr)
    write_metrics(contracts.DATA / "metrics/arms.json", metrics)


if __name__ == "__main__":
    run(main)
