"""The model calls that the rows of a release stand on: those that wrote its traces, rated them, and compared its
pairs."""

from pathlib import Path

import polars as pl

from curation.calls.dry import AsksModel, DryLedger
from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.core.study import Study
from curation.core.text import say_count
from curation.exchange.release.tables import Released
from curation.judging.judge import judge
from curation.judging.prefer import prefer
from curation.tables import contracts, parquet
from curation.traces.generate import generate


def asks_model(study: Study) -> bool:
    """Whether any generator or judge of the study asks a model."""
    entries = [*study.generators.values(), *study.judges.values(), *study.pairwise_judges.values()]
    return any(isinstance(entry, AsksModel) for entry in entries)


def write_calls(study: Study, released: Released, file: Path) -> int:
    """`file` holds the replies to the calls behind what is released, as `curation ledger import` reads them; returns
    how many rows that are. Raises CurationError where the ledger lacks one."""
    prompts = parquet.read(contracts.PROMPTS, contracts.path("prompts"))
    responses = parquet.read(contracts.RESPONSES, contracts.path("responses"))
    traces = parquet.read_parts(contracts.TRACES, study.generators)
    own = traces.filter(pl.col("trace_id").is_in(released.traces.implode()))
    pairs = parquet.read(contracts.PAIRS, contracts.path("pairs"))
    own_pairs = pairs.filter(pl.col("pair_id").is_in(released.pairs.implode()))
    keys = set[str]()
    asked = len(study.generators) + len(study.judges) + len(study.pairwise_judges)
    with DryLedger(study.ledger, study.budget) as ledger, progress("calls", asked, "stages") as shown:
        ledger.forget()
        for name, generator in study.generators.items():
            if isinstance(generator, AsksModel):
                wanted = own.filter(generator=name)["prompt_id"].implode()
                rows = generate(name, generator, prompts.filter(pl.col("prompt_id").is_in(wanted)), ledger, responses)
                written = zip(rows["trace_id"], ledger.asked, strict=True)  # a row for each call, in their order
                ids = set(own["trace_id"])
                keys |= {call.key for trace_id, call in written if trace_id in ids}
            ledger.forget()
            shown.advance(note=name)
        for name, rater in study.judges.items():
            if isinstance(rater, AsksModel):
                judge(name, rater, own, prompts, ledger)
            shown.advance(note=name)
        for name, comparer in study.pairwise_judges.items():
            if isinstance(comparer, AsksModel):
                prefer(name, comparer, own_pairs, own, prompts, ledger)
            shown.advance(note=name)
        keys |= set(ledger.distinct)
        written_rows, answered = ledger.export_replies(file, keys)
    if missing := len(keys) - answered:
        raise CurationError(
            f"--with-calls: {missing} of {say_count(len(keys), 'call')} behind the rows have no reply in "
            f"{study.ledger.path}; import a ledger that has them, or leave the option out"
        )
    return written_rows
