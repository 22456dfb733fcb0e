"""`explain`: all that is known of a pair, a trace, a prompt, a run or a call, as plain data, whoever writes it out."""

from typing import Any

import polars as pl

from curation.calls.dry import DryLedger
from curation.core.study import Study
from curation.explore.find import Hit
from curation.explore.ledger_call import describe_call, opened_ledger
from curation.explore.named import describe_arm, describe_selection
from curation.explore.origins import find_lines, find_lock_entries, read_revision
from curation.explore.pairs import describe_pair, find_arms
from curation.explore.runs import describe_run
from curation.explore.tables import Row, Tables
from curation.explore.traces import describe_traces, render_traces
from curation.explore.verdicts import Verdicts
from curation.tables.contracts import SIDES
from curation.tables.messages import full_messages

MOST_PAIRS = 200  # of a prompt or a trace that are listed


def explain(tables: Tables, hit: Hit, rendered: bool = False, numbers: bool = True, most: int | None = None) -> Row:
    """What is known of `hit`: `kind`, `id`, what the tables hold by the names of their columns, and `origin`: the lines
    of params.yaml, the revision, the entries of dvc.lock, and the tables that are `absent`. The ledger's calls are
    among it where there is one, and with `rendered` what the student reads of each trace. Without `numbers` a pair's
    verdicts are what the tables of the selections say, and are not worked out. `most`: the letters of its texts up to
    which calls are worked out."""
    tables, study, notes = tables.begin(), tables.study, list[str]()
    named = {"run": describe_run, "selection": describe_selection, "arm": describe_arm}
    if hit.kind in named:
        found = named[hit.kind](tables, str(hit.id))
    else:
        with opened_ledger(study) as (ledger, notes):
            if most is not None and (letters := _count_letters(tables, hit)) > most:
                ledger, notes = None, [f"no calls: of texts of {letters:,} letters they take long to find"]
            found = _describe(tables, hit, ledger, numbers)
    if rendered and hit.kind in ("pair", "trace"):
        render_traces(study, found["prompt"], [found[side] for side in SIDES if side in found] or [found])
    origin = {
        "params": find_lines(study.path, _places(study, found)),
        "revision": read_revision(study.path.absolute().parent),
        "lock": find_lock_entries(tables.read),
        "absent": list(tables.absent),
        "notes": notes,
    }
    return {"kind": hit.kind, "id": hit.id, **found, "origin": origin}


def _describe(tables: Tables, hit: Hit, ledger: DryLedger | None, numbers: bool) -> Row:
    if hit.kind == "call":
        assert ledger is not None  # which it was found in
        return describe_call(tables, str(hit.id), ledger)
    if hit.kind == "pair":
        return _pair(tables, int(hit.id), ledger, numbers)
    return {"trace": _trace, "prompt": _prompt}[hit.kind](tables, int(hit.id), ledger)


def _count_letters(tables: Tables, hit: Hit) -> int:
    """How long the texts are of which calls are made: the prompt and the traces of a pair, or those of a trace."""
    if hit.kind not in ("pair", "trace"):
        return 0
    ids, columns = [hit.id], [f"{side}_trace_id" for side in SIDES]
    if hit.kind == "pair":
        ids = [row[name] for row in tables.find("pairs", pl.col("pair_id") == hit.id, columns) for name in columns]
    traces = tables.find("traces", pl.col("trace_id").is_in(ids), ["prompt_id", "characters"])
    asked = pl.col("prompt_id").is_in([row["prompt_id"] for row in traces])
    prompts = tables.find("prompts", asked, ["prompt"])
    said = sum(len(message["content"] or "") for row in prompts for message in row["prompt"])
    return said + sum(row["characters"] or 0 for row in traces)


def _pair(tables: Tables, pair_id: int, ledger: DryLedger | None, numbers: bool) -> Row:
    pair = describe_pair(tables, pair_id, ledger, numbers)
    return {"prompt": describe_prompt(tables, pair["prompt_id"]), **pair}


def _trace(tables: Tables, trace_id: int, ledger: DryLedger | None) -> Row:
    (trace,) = describe_traces(tables, [trace_id], ledger)
    own = pl.any_horizontal(pl.col(f"{side}_trace_id") == trace_id for side in SIDES)
    return {
        "prompt": describe_prompt(tables, trace.get("prompt_id")),
        **trace,
        "pairs": _list_pairs(tables, own),
        "selections": Verdicts(tables).of_trace(trace_id),
        "arms": find_arms(tables, pl.col("trace_id") == trace_id, "unpaired"),
    }


def describe_prompt(tables: Tables, prompt_id: int | None) -> Row:
    """A row of `prompts` with all of its messages, and what decontamination said of it."""
    own = pl.col("prompt_id") == prompt_id
    dropped = next(iter(tables.find("decontamination", own)), None)
    row = next(iter(tables.find("prompts", own)), dropped)
    if row is None:
        return {"prompt_id": prompt_id, "messages": [], "tools": None, "source": None, "decontamination": None}
    said = full_messages(row["prompt"], row.get("messages"))
    verdict = dropped and {key: dropped[key] for key in ("kept", "reason", "against", "overlap")}
    row.pop("prompt")
    return {"tools": None, **row, "messages": said, "decontamination": verdict}


def _prompt(tables: Tables, prompt_id: int, ledger: DryLedger | None) -> Row:
    """The prompt, its traces with the mean of each judge's scores, its pairs, and how runs answered it."""
    own = pl.col("prompt_id") == prompt_id
    columns = ["trace_id", "generator", "sample_index", "status", "characters", "reasoning", "completion"]
    traces = tables.find("traces", own, columns)
    of_these = pl.col("trace_id").is_in([row["trace_id"] for row in traces])
    scores = dict[int, dict[str, list[float]]]()
    for row in tables.find("judgments", of_these, ["trace_id", "judge", "dimension", "score"]):
        if row["score"] is not None:
            named = scores.setdefault(row["trace_id"], {})
            named.setdefault(f"{row['judge']}.{row['dimension']}", []).append(row["score"])
    for row in traces:
        row["scores"] = {name: sum(all_) / len(all_) for name, all_ in scores.get(row["trace_id"], {}).items()}
    answers = ["run", "benchmark", "sample_index", "score", "status", "reasoning", "completion"]
    return {
        "prompt": describe_prompt(tables, prompt_id),
        "traces": traces,
        "pairs": _list_pairs(tables, own),
        "results": [*tables.find("results", own, answers), *tables.find("imported_results", own, answers)],
    }


def _list_pairs(tables: Tables, own: pl.Expr) -> list[Row]:
    """The first pairs of those, each with the reason that every selection has in its table."""
    columns = ["pair_id", *(f"{side}_{what}" for what in ("model", "trace_id") for side in SIDES)]
    pairs = tables.find("pairs", own, columns, most=MOST_PAIRS)
    ids = pl.col("pair_id").is_in([row["pair_id"] for row in pairs])
    by_pair: dict[int, dict[str, Any]] = {}
    for row in tables.find("selections", ids):
        by_pair.setdefault(row["pair_id"], {})[row["selection"]] = row["reason"]
    return [row | {"selections": by_pair.get(row["pair_id"], {})} for row in pairs]


def _places(study: Study, found: Row) -> list[str]:
    """The places of params.yaml that decide what is shown."""
    sides = [found[side] for side in SIDES if side in found] or [found]
    source = (found.get("prompt") or {}).get("source")
    places = [f"sources.{source}"] if source else []
    places += [f"generators.{side['generator']}" for side in sides if side.get("generator")]
    if "places" in found:
        return [*places, *found["places"]]
    places += [f"judges.{judge['judge']}" for judge in sides[0].get("judges", [])]
    if "pair_id" in found:
        places += ["pair", *(f"pairwise_judges.{judge['judge']}" for judge in found["pairwise"]), "delta"]
        places += [f"scorers.{name}" for name in found["pair_scores"]]
    places += [f"selections.{row['selection']}" for row in found.get("selections", [])]
    return [*places, *(["grid"] if found.get("arms") else [])]
