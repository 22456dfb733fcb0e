"""`curation preflight`: what a student would learn from the traces that there are, under any model, chat template and
length; nothing is trained, judged or written."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import polars as pl

from curation.commands.rows import print_rows
from curation.commands.terminal import Parser, count
from curation.core.errors import CurationError, Errors, require_existing
from curation.core.params import read
from curation.core.study import Study
from curation.models import rendering, weights
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.selection.subset import from_tables
from curation.tables import contracts, parquet
from curation.tables.checks import Fits, examine_fits
from curation.tables.db import OF_SUBSETS
from curation.tables.other_study import refuse_other_prompts
from curation.traces.losses import WAYS, Losses, find_losses, find_misread_answers
from curation.traces.renderings import READ, READ_OF_PROMPTS, render_traces
from curation.training.examples import Rendered, examples, methods_of, read_arms
from curation.training.soft_labels import find_refused

ABOUT = "What the student would learn from the traces and arms that there are; exits 1 where that would stop the study."
OF_SIDES = ("cut", "reasoning_lost")  # counts of both sides, shown in one column
OF_FITS = (
    "arm", "method", "max_length", "rows", "learnt", *OF_SIDES, "reasoning_cut", "answers_cut", "one_sided", "longest",
)  # fmt: skip


def main(arguments: list[str]) -> None:
    """Print a row for each generator whose traces are there, one for each arm and method, and what there is to say of
    them. Raises Errors with what would stop the study."""
    parser = Parser(prog="curation preflight", description=ABOUT)
    parser.add_argument("--model", metavar="M", help="another student: a folder, package:…, or a hub id, M@REVISION")
    parser.add_argument("--template", metavar="FILE", help="another chat template")
    parser.add_argument("--reasoning", choices=[*WAYS, "drop"], help="another student.reasoning")
    parser.add_argument("--max-length", type=count, metavar="N", help="another max_length of every method")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    study = read()
    student = _student(study.student, given)
    renderer = rendering.load(student)
    traces, prompts = _read_traces(study)
    rows = render_traces(renderer, traces, prompts)
    losses = find_losses(renderer, traces, prompts, rows)
    losses.warnings.extend(find_misread_answers(study, renderer, prompts))
    by_generator = _with_lengths(losses.table, traces, rows, given.max_length)
    fits = _fits(study, renderer, rows, given.max_length)
    if given.json:
        _print_json(by_generator, losses, fits)
    else:
        print_rows(by_generator)
        if not fits.rows.is_empty():
            sides = [pl.format("{} / {}", f"{name}_chosen", f"{name}_rejected").alias(name) for name in OF_SIDES]
            print_rows(fits.rows.with_columns(sides).select(OF_FITS))
        for line in [*losses.warnings, *fits.warnings]:
            print(f"warning: {line}", file=sys.stderr)
    if losses.stops or fits.stops:
        raise Errors([*losses.stops, *fits.stops])


def _student(student: Student, given: Namespace) -> Student:
    """The study's student, with what the command line changes."""
    changes: dict[str, Any] = {}
    if given.model is not None:
        model, _, revision = given.model.partition("@")
        local = weights.locate(model)
        changes |= {"model": model, "revision": revision or ("main" if local is None else weights.fingerprint(local))}
    if given.template is not None:
        file = require_existing(Path(given.template), "name a file of Jinja")
        changes |= {"chat_template": str(file), "chat_template_revision": weights.fingerprint(file)}
    if given.reasoning is not None:
        changes["reasoning"] = given.reasoning
    return student.model_copy(update=changes)


def _read_traces(study: Study) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The traces that are there, and all prompts. Raises CurationError if there are none."""
    files = {name: contracts.path("traces", name) for name in study.generators}
    parts = [parquet.read(contracts.TRACES, file, READ) for file in files.values() if file.exists()]
    if not parts:
        raise CurationError("data/traces: no generator of params.yaml has traces yet; run `dvc repro generate`")
    traces, prompts = pl.concat(parts), parquet.read(contracts.PROMPTS, contracts.path("prompts"), READ_OF_PROMPTS)
    refuse_other_prompts(traces, prompts)
    return traces, prompts


def _with_lengths(table: pl.DataFrame, traces: pl.DataFrame, rows: pl.DataFrame, limit: int | None) -> pl.DataFrame:
    """The counts by generator with the tokens of prompt and target, and how many traces have more than `limit`."""
    whole = pl.col("prompt_tokens") + pl.col("target_tokens")
    lengths = [whole.median().cast(pl.Int32).alias("median_tokens"), whole.max().alias("most_tokens")]
    longer = [] if limit is None else [(whole > limit).sum().alias("longer")]
    by_generator = traces.select("trace_id", "generator").join(rows, on="trace_id").group_by("generator")
    return table.drop("fault", "left_out").join(
        by_generator.agg(*lengths, *longer), on="generator", maintain_order="left"
    )


def _fits(study: Study, renderer: Renderer, rows: pl.DataFrame, limit: int | None) -> Fits:
    """What methods make of the arms that are there."""
    there = [name for name in study.arms if all(contracts.arm_path(table, name).exists() for table in OF_SUBSETS)]
    methods = {
        arm: {name: one._replace(max_length=limit or one.max_length) for name, one in by.items()}
        for arm, by in methods_of(study).items() if arm in there
    }  # fmt: skip
    known = Rendered(rows, from_tables(study.generators), lambda: renderer)
    read_by = examples(read_arms(there), methods, known, renderer.student)
    fits = examine_fits(read_by)
    return fits._replace(stops=[*fits.stops, *find_refused(read_by, study.methods)])


def _print_json(by_generator: pl.DataFrame, losses: Losses, fits: Fits) -> None:
    said = {
        "generators": by_generator.to_dicts(),
        "arms": fits.rows.to_dicts(),
        "warnings": [*losses.warnings, *fits.warnings],
        "stops": [*losses.stops, *fits.stops],
    }
    print(json.dumps(said, indent=1))
