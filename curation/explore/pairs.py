"""What is known of a pair: both sides, what judges say of them, every selection's verdict, and the arms it is in."""

import math
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from curation.calls.dry import DryLedger
from curation.explore.calls import calls_of_pair
from curation.explore.tables import Row, Tables
from curation.explore.traces import describe_traces
from curation.explore.verdicts import Verdicts
from curation.tables import contracts
from curation.tables.contracts import JUDGED_IN_ORDERS, SIDES

OF_ARM = ("label", "chosen_trace_id", "margin", "curriculum_position")
OF_SIBLING = ("pair_id", "chosen_model", "rejected_model", "chosen_trace_id", "rejected_trace_id")
MOST_SIBLINGS = 200  # pairs of the prompt that are listed
VERDICT = ("order", "repeat", "verdict", "strength", "p_tie", "status", "rationale")


def describe_pair(tables: Tables, pair_id: int, ledger: DryLedger | None = None, numbers: bool = True) -> Row:
    """All that the tables hold of a pair, with a ledger the calls behind it, and with `numbers` its verdicts worked
    out, for which every pair is read."""
    own = pl.col("pair_id") == pair_id
    pair = tables.find("pairs", own)[0]
    sides = describe_traces(tables, [pair[f"{side}_trace_id"] for side in SIDES], ledger)
    pair |= dict(zip(SIDES, sides, strict=True))
    siblings = _of_prompt(tables, pair)
    pair["others"] = [{key: row[key] for key in ("pair_id", "why")} for row in siblings if row["why"]]
    pair["siblings"] = [row for row in siblings if not row["why"]]
    pair["listed"] = _listed(tables, pair)
    pair["pairwise"] = _pairwise(tables, pair, ledger)
    pair["deltas"] = list(_deltas(tables, pair))
    pair["pair_scores"] = {
        name: row for name in tables.study.scorers for row in tables.find("pair_scores", own, part=name)
    }
    verdicts = Verdicts(tables)
    pair["selections"] = verdicts.of_pair(pair_id) if numbers else verdicts.recorded(pair_id)
    pair["arms"] = find_arms(tables, own, "subsets")
    return pair


def _of_prompt(tables: Tables, pair: Row) -> list[Row]:
    """The other pairs of its prompt, at most MOST_SIBLINGS; `why` says which are of the same two texts, or of the same
    two traces the other way round."""
    others = (pl.col("prompt_id") == pair["prompt_id"]) & (pl.col("pair_id") != pair["pair_id"])
    turned = [pair[f"{side}_trace_id"] for side in reversed(SIDES)]
    found = []
    for row in tables.find("pairs", others, [*OF_SIBLING, "same_texts_as"]):
        same = row.pop("same_texts_as")
        reversed_ = [row[f"{side}_trace_id"] for side in SIDES] == turned
        repeated = same is not None and same == pair["same_texts_as"]
        found.append(row | {"why": "reversed" if reversed_ else "same texts" if repeated else None})
    return sorted(found, key=lambda row: row["why"] is None)[:MOST_SIBLINGS]


def _listed(tables: Tables, pair: Row) -> list[Row]:
    """The rows of preference sets that list its two traces, either way round."""
    sides = [pair[f"{side}_trace_id"] for side in SIDES]
    both = [pl.col(f"{side}_trace_id").is_in(sides) for side in SIDES]
    columns = ["listed_id", "source", "chosen_trace_id", "verdict", "order", "external_id", "carried"]
    return tables.find("listed_pairs", both[0] & both[1], columns)


def _pairwise(tables: Tables, pair: Row, ledger: DryLedger | None) -> list[Row]:
    """By pairwise judge its verdicts, a row for each order and repeat, and the calls that asked it."""
    own = pl.col("pair_id") == pair["pair_id"]
    calls = list[Row]()
    if ledger is not None and tables.study.pairwise_judges:
        traces = tables.frame("traces", pl.col("trace_id").is_in([pair[f"{side}_trace_id"] for side in SIDES]))
        prompt = tables.frame("prompts", pl.col("prompt_id") == pair["prompt_id"])
        if prompt.height and traces.height:
            calls = calls_of_pair(tables.study, ledger, tables.frame("pairs", own), traces, prompt)
    judges = []
    for name, settings in tables.study.pairwise_judges.items():
        rows = tables.find("preferences", own, ["dimension", *VERDICT], part=name)
        own_calls = [call for call in calls if call["name"] == name]
        if rows:
            judges.append({"judge": name, "kind": settings.kind, "verdicts": rows, "calls": own_calls})
    return judges


def _deltas(tables: Tables, pair: Row) -> Iterator[Row]:
    """By judge and dimension both sides' scores, the delta and what the judge's repeats move it by: `noise`, the root
    of the summed variances over the number of repeats. Beside it the mean of the two generators' pairs, and the
    probability that chosen is right."""
    own = pl.col("pair_id") == pair["pair_id"]
    models = [pl.col(f"{side}_model") == pair[f"{side}_model"] for side in SIDES]
    means = {(row["judge"], row["dimension"]): row for row in tables.find("generator_deltas", models[0] & models[1])}
    likely = {(row["judge"], row["dimension"]): row["probability"] for row in tables.find("probabilities", own)}
    for judge, dimensions in tables.study.dimensions.items():
        for row in tables.find("deltas", own, part=judge):
            for dimension in dimensions:
                said: Row = {kind: row.get(f"{kind}_{dimension}") for kind in JUDGED_IN_ORDERS}
                noise = None if said["sd"] is None else said["sd"] / math.sqrt(said["n"])
                mean = means.get((judge, dimension), {}).get("mean")
                about = {"noise": noise, "generators_mean": mean, "probability": likely.get((judge, dimension))}
                yield {"judge": judge, "dimension": dimension, **said, **about}


def find_arms(tables: Tables, own: pl.Expr, table: str) -> list[Row]:
    """The arms of the grid that have the rows for which `own` is true, of `subsets` or `unpaired`; and of each its
    runs, and what each method reads of the row."""
    arms = []
    files = [contracts.arm_path(table, name, tables.data) for name in tables.study.arms]
    for file, row in tables.find_in(table, [file for file in files if file.exists()], own):
        arm = tables.study.arms[file.stem]
        key = row["pair_id"] if table == "subsets" else row["trace_id"]
        named = {name: row[name] for name in OF_ARM if name in row}
        read = {"runs": _runs(tables, file), "read": _read(tables, file.stem, key)}
        arms.append({"arm": file.stem} | arm._asdict() | named | read)
    return arms


def _runs(tables: Tables, file: Path) -> list[Row]:
    names = [name for name, run in tables.study.runs.items() if run.arm.name == file.stem]
    rows = {row["run"]: row for row in tables.find("runs", pl.col("run").is_in(names), ["run", "status", "key"])}
    return [rows.get(name, {"run": name, "status": None, "key": None}) for name in names]


def _read(tables: Tables, arm: str, key: int) -> list[Row]:
    """What each method reads of a row of an arm: the tokens of either side, and what is cut or dropped."""
    columns = ["method", "side", "prompt_tokens", "target_tokens", "cut", "reasoning", "completion", "dropped", "fault"]
    return tables.find("examples", (pl.col("arm") == arm) & (pl.col("row_id") == key), columns)
