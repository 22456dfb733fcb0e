"""What the runs of the grid have still to do: which are to be trained and which to be answered, and how much each
reads."""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from curation.calls.ledger import Ledger
from curation.commands.forecast import CHARS_PER_TOKEN
from curation.commands.outstanding import Known
from curation.core.errors import CurationError, require_existing
from curation.core.params import BASELINE
from curation.core.study import Study
from curation.models import weights
from curation.models.rendering import Renderer
from curation.pairs.pair import pair
from curation.tables import contracts, measurements, parquet
from curation.traces.renderings import render_traces
from curation.training.run_store import RunStore
from curation.training.runs import look_up, plan_runs
from curation.training.student_calls import make_student_calls, revision_of
from curation.training.updates import count_updates, take_updates

if TYPE_CHECKING:
    from curation.experiment.grid import Run
    from curation.training.trainers._kind import Method

WAY_OUT = "run `dvc repro audit` first"
SAMPLED = 64  # examples, by which the tokens of all are reckoned


class ToCome(NamedTuple):
    """The names of the runs that are to be trained, and of those that are to be answered; how many are evaluated in
    all, and on which prompts."""

    untrained: list[str]
    unanswered: list[str]
    evaluated: int
    held_out: pl.DataFrame


class Reading(NamedTuple):
    """What a run learns from: its method, with the updates that it makes; its examples, each once; of some of them the
    tokens of each side; and whether it is `at_most` so many, since the arm is not there yet."""

    method: "Method"
    updates: int
    examples: int
    sides: Sequence[Sequence[int]]
    at_most: bool

    @property
    def read(self) -> int:
        """The examples that it reads in all its updates."""
        return self.updates * self.method.batch_size * self.method.accumulation

    @property
    def padded(self) -> float:
        """The tokens of an example as it is read: each side is as long as the longest of its batch."""
        size = self.method.batch_size
        batches = [self.sides[start : start + size] for start in range(0, len(self.sides), size)]
        tokens = sum(max(map(max, batch)) * sum(map(len, batch)) for batch in batches)
        return tokens / max(len(self.sides), 1)


def find_to_come(study: Study, known: Known | None = None) -> ToCome:
    """The runs that are to be trained, and those that are to be answered: where DVC knows of a change, those that the
    stores have not; else those whose outcome is not there. Before the arms, or the prompts, are there these are all,
    on what is `known`; without that CurationError is raised."""
    runs, data = study.runs, study.path.parent / contracts.DATA
    changed = find_changed_stages(study.path.parent) or frozenset[str]()
    if known is None:
        prompts = parquet.read(contracts.PROMPTS, require_existing(contracts.path("prompts", data=data), WAY_OUT))
    else:
        prompts = known.prompts
    held_out = prompts.filter(pl.col("split") != "train")
    if known is not None and find_lacking(study):
        trained, untrained = dict[str, str](), list(runs)
    elif "train" in changed:
        keys, stored, untrained = look_up(plan_runs(study, data), RunStore.beside(study.ledger))
        trained = {name: stored[key].weights for name, key in keys.items() if key in stored}
    else:
        trained = _find_trained(data)
        untrained = [name for name in runs if name not in trained]
    evaluated = [BASELINE, *runs, *study.models.folders]
    there = [name for name in evaluated if contracts.path("results", name, data).exists() and "evaluate" not in changed]
    unanswered = untrained + _find_unanswered(study, trained, held_out, [*untrained, *there])
    return ToCome(untrained, unanswered, len(evaluated), held_out)


def find_lacking(study: Study) -> Path | None:
    """The first table that is not there of those that say what a run reads; None where all are."""
    data = study.path.parent / contracts.DATA
    arms = dict.fromkeys(run.arm.name for run in study.runs.values())
    files = [*(contracts.arm_path("subsets", name, data) for name in arms), contracts.path("examples", data=data)]
    return next((file for file in files if not file.exists()), None)


def find_readings(study: Study, names: Sequence[str], known: Known | None = None) -> dict[str, Reading]:
    """What each of these runs reads: by the tables of its arm, or, before these are there, at most what its selection
    declares, of what is `known`. Raises CurationError if neither says it."""
    if (lacking := find_lacking(study)) is None:
        return _by_tables(study, names)
    if known is None:
        raise CurationError(f"{lacking}: does not exist; {WAY_OUT}")
    return _by_declarations(study, names, known)


def _by_tables(study: Study, names: Sequence[str]) -> dict[str, Reading]:
    """What is dropped is not read, and what is cut is read as it is cut."""
    data = study.path.parent / contracts.DATA
    columns = ["arm", "method", "row_id", "prompt_tokens", "target_tokens", "max_length", "dropped"]
    rows = parquet.read(contracts.EXAMPLES, contracts.path("examples", data=data), columns)
    tokens = pl.min_horizontal(pl.col("prompt_tokens") + pl.col("target_tokens"), "max_length")
    learnt = rows.filter(pl.col("dropped").is_null()).group_by("arm", "method", "row_id").agg(tokens.alias("sides"))
    taken, found = take_updates(study, data), {}
    for name in names:
        run = study.runs[name]
        method = taken.get((run.arm.name, run.method), study.methods[run.method])
        own = learnt.filter(arm=run.arm.name, method=run.method).sort("row_id")
        sides = own["sides"].head(SAMPLED).to_list()
        found[name] = Reading(method, count_updates(method, own.height), own.height, sides, False)
    return found


def _by_declarations(study: Study, names: Sequence[str], known: Known) -> dict[str, Reading]:
    """At most the budget of a selection, and at most all pairs; each side as long as traces are so far."""
    if not names:
        return {}
    pairs = pair(study.pair, known.drafts, known.listed_pairs).height
    lengths, found = _lengths_of_traces(study, known), {}
    for name in names:
        run = study.runs[name]
        method, control = study.methods[run.method], study.controls[run.arm.control]
        own, every = (_count_examples(study, run, of, pairs, lengths) for of in ("own", "all"))
        examples = every if control.pairs == "all" else own
        deciding = {"own": own, "all": every, None: examples}[control.updates_of]
        texts = [min(length, method.max_length) for length in lengths]
        reads_both = method.kind not in ("kto", "sft")
        sides = [*zip(texts[::2], texts[1::2], strict=False)] if reads_both else [(text,) for text in texts]
        found[name] = Reading(method, count_updates(method, deciding), examples, sides, True)
    return found


def _count_examples(study: Study, run: "Run", of: str, pairs: int, lengths: Sequence[int]) -> int:
    """At most: of a selection's budget (`own`), or of all that it could keep."""
    selection, kept, method = study.selections[run.arm.selection], pairs, study.methods[run.method]
    reads_traces = method.kind == "kto"
    budget: Mapping[str, float] = {str(unit): amount for unit, amount in (selection.budget or {}).items()}
    if reads_traces and selection.unpaired is not None:
        budget = {str(unit): amount for unit, amount in (selection.unpaired.budget or {}).items()}
    if of == "own":
        if run.arm.budget != "own":
            kept = min(int(run.arm.budget), pairs)
        elif "pairs" in budget:
            kept = min(int(budget["pairs"]), pairs)
        elif "share" in budget:
            kept = math.ceil(budget["share"] * pairs)
        elif "tokens" in budget and lengths:
            kept = min(math.ceil(budget["tokens"] * len(lengths) / sum(lengths) / 2), pairs)
    traces = int(budget["traces"]) if of == "own" and "traces" in budget else 2 * kept
    return traces if reads_traces else kept


def _lengths_of_traces(study: Study, known: Known) -> list[int]:
    """The tokens of some traces with their prompts, as the student reads them; where none is written, of prompts and
    the most that a generator may write."""
    some = known.traces.filter(pl.col("completion").is_not_null())
    some = some.gather_every(max(some.height // (2 * SAMPLED), 1)).head(2 * SAMPLED)
    if some.height > 1:
        tokenizer = weights.tokenizer(study.student.model, study.student.pinned)
        rendered = render_traces(Renderer(tokenizer, study.student), some, known.prompts)
        tokens = (rendered["prompt_tokens"] + rendered["target_tokens"]).drop_nulls().to_list()
        if len(tokens) > 1:
            return tokens
    most = max((one.sampling.max_tokens for one in study.generators.values() if hasattr(one, "sampling")), default=256)
    said = pl.col("prompt").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
    asked = known.prompts.filter(split="train").head(2 * SAMPLED).select(said).to_series()
    return [round(count / CHARS_PER_TOKEN) + most for count in asked] or [most, most]


def _find_trained(data: Path) -> dict[str, str]:
    """The hash of the weights of each run whose training ended well."""
    file = contracts.path("runs", data=data)
    if not file.exists():
        return {}
    return dict(parquet.read(measurements.RUNS, file).filter(status="trained").select("run", "weights").rows())


def _find_unanswered(
    study: Study, trained: Mapping[str, str], held_out: pl.DataFrame, known: Sequence[str]
) -> list[str]:
    """Of the baseline, the trained runs and the weights trained elsewhere, but for those that are `known`, the names of
    those whose answers the ledger has not all; of equal weights the first."""
    found, revisions = list[str](), {BASELINE: study.student.pinned}
    for name, hashed in trained.items():
        has_adapter = getattr(study.methods[study.runs[name].method], "lora", None) is not None
        revisions[name] = revision_of(study.evaluate, study.student, hashed, has_adapter)
    first = {revision: name for name, revision in reversed(revisions.items())}
    with Ledger(study.ledger, study.budget) as ledger:
        for revision, name in reversed(first.items()):
            if name not in known:
                calls = make_student_calls(study.evaluate, study.student, revision, held_out)
                found += [name] if any(ledger.find(call) is None for call in calls) else []
    return found + [name for name in study.models.folders if name not in known]


@cache
def find_changed_stages(folder: Path) -> frozenset[str] | None:
    """The stages whose dependencies, settings or outcomes DVC finds changed; None where `folder` is not DVC's, or it
    cannot tell."""
    if not (folder / ".dvc").is_dir():
        return None
    status = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(status, cwd=folder, capture_output=True, text=True)
    return frozenset(json.loads(done.stdout)) if done.returncode == 0 else None
