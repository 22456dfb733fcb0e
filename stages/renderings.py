"""Write data/renderings.parquet and data/rendered.txt; fail, before a judge is asked, where the student would learn no
reasoning of a generator that reasons. What else it would not learn is a warning."""

import os
import sys

from curation.core.errors import Errors, run, write_whole
from curation.core.metrics import write_metrics
from curation.core.params import read
from curation.models import rendering
from curation.tables import contracts, parquet
from curation.tables.other_study import refuse_other_prompts
from curation.traces.losses import find_losses, find_misread_answers
from curation.traces.renderings import READ, READ_OF_PROMPTS, render_traces, unrendered

# the same after every rendering, so that judges are asked nothing again
PASSED = b"The student would learn reasoning from every generator that has some, or is to learn none.\n"


def main() -> None:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # nothing else runs in this process
    study = read()
    traces = parquet.read_parts(contracts.TRACES, study.generators, READ)
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"), READ_OF_PROMPTS)
    refuse_other_prompts(traces, prompts)
    counts, stops = {"traces": traces.height, "tokens": 0}, list[str]()
    rows = unrendered(traces)
    if study.renderings.count:
        renderer = rendering.load(study.student)
        rows = render_traces(renderer, traces, prompts)
        losses = find_losses(renderer, traces, prompts, rows)
        print(losses.report(), end="", file=sys.stderr)
        for line in find_misread_answers(study, renderer, prompts):
            print(f"warning: {line}", file=sys.stderr)
        counts, stops = counts | {"tokens": int(rows["tokens"].sum())} | losses.totals(), losses.stops
    parquet.write(contracts.RENDERINGS, rows, contracts.path("renderings"))
    write_metrics(contracts.DATA / "metrics/renderings.json", counts)
    if stops:
        raise Errors([f"{study.path}: {line}" for line in stops])
    write_whole(contracts.DATA / "rendered.txt", PASSED)


if __name__ == "__main__":
    run(main)
