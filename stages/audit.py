"""Write data/examples.parquet and data/updates.parquet; and data/audited.txt and data/metrics/audit.json, which has the
findings of every subset too, if no blocking check of what runs would learn from returns a row; fail and name the rows
otherwise."""

from curation.core.errors import Errors, run, write_whole
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.models import rendering
from curation.selection.subset import from_tables
from curation.tables import contracts, parquet
from curation.tables.checks import audit
from curation.training.examples import Rendered, examples, methods_of, read_arms, read_update_rows
from curation.training.soft_labels import find_refused
from curation.training.updates import updates

# the same after every audit, so that runs whose subsets did not change are not trained again
PASSED = b"No blocking check returned a row.\n"


def main() -> None:
    study = read()
    rows = parquet.read(contracts.RENDERINGS, contracts.path("renderings"))
    rendered = Rendered(rows, from_tables(study.generators), lambda: rendering.load(study.student))
    arms, others, methods = read_arms(study.arms), read_update_rows(), methods_of(study)
    read_by, counted = (examples(rows_of_arms, methods, rendered, study.student) for rows_of_arms in (arms, others))
    parquet.write(contracts.EXAMPLES, read_by, contracts.path("examples"))
    parquet.write(contracts.UPDATES, updates(read_by, counted, study.methods), contracts.path("updates"))
    if refused := find_refused(read_by, study.methods):
        raise Errors(refused)
    write_metrics(contracts.DATA / "metrics/audit.json", audit())
    write_whole(contracts.DATA / "audited.txt", PASSED)


if __name__ == "__main__":
    run(main)
