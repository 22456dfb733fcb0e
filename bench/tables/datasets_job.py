"""The same work in Hugging Face datasets, with map, filter, sort, shuffle and select, in batches: python -m
bench.tables.datasets_job FOLDER PAIRS

It joins nothing and groups nothing: what another table says is looked up in a dict, a batch at a time.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from hashlib import md5
from math import sqrt
from statistics import mean, variance
from typing import Any

import datasets
from datasets import Dataset, Features, Value, concatenate_datasets

from bench.tables.cases import BAND, DIMENSIONS, DRAWN, JUDGES, LADDER, NEAR, SAMPLES, SELECTIONS, budget, quotas
from bench.tables.steps import enter, run

Batch = dict[str, list[Any]]
TRACES = [f"data/traces/{name}.parquet" for name in LADDER]
ENDS = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id")
SAME = ("same_texts_as", "chosen_trace_id", "rejected_trace_id")
ROWS_PER_BATCH = 160 * len(LADDER) * SAMPLES  # whole prompts


def table(files: list[str], columns: Iterable[str] | None = None) -> Dataset:
    return Dataset.from_parquet(files, columns=columns and list(columns), cache_dir="datasets/cache")


def write(rows: Dataset, file: str) -> None:
    rows.sort("pair_id").to_parquet(f"datasets/{file}.parquet")


def map_batches(rows: Dataset, change: Callable[[Batch], Batch], **types: str) -> Dataset:
    """What `change` makes of each batch: columns of these types, and no others."""
    features = Features({name: Value(kind) for name, kind in types.items()})
    return rows.map(
        change,
        batched=True,
        batch_size=ROWS_PER_BATCH,
        writer_batch_size=ROWS_PER_BATCH,
        remove_columns=rows.column_names,
        features=features,
    )


def pair() -> None:
    """The pairs of each two traces of a prompt, the one higher on the ladder chosen."""
    ladder, each = list(LADDER), len(LADDER) * SAMPLES

    def cross(batch: Batch) -> Batch:
        traces = list(zip(*(batch[name] for name in ("trace_id", "generator", "text_id")), strict=True))
        columns, said = defaultdict(list), defaultdict(list)
        for start in range(0, len(traces), each):
            for chosen, chosen_model, chosen_text in traces[start : start + each]:
                for rejected, rejected_model, rejected_text in traces[start : start + each]:
                    if ladder.index(chosen_model) < ladder.index(rejected_model):
                        digest = md5(f"{chosen}\x1f{rejected}".encode(), usedforsecurity=False).digest()
                        row = (
                            int.from_bytes(digest[:8], "big") >> 1,
                            batch["prompt_id"][start],
                            chosen,
                            rejected,
                            chosen_model,
                            rejected_model,
                            chosen_text == rejected_text,
                            None,
                        )
                        said[batch["prompt_id"][start], chosen_text, rejected_text].append((chosen, rejected, row[0]))
                        for name, value in zip(
                            (*ENDS, "chosen_model", "rejected_model", "identical", "same_texts_as"), row, strict=True
                        ):
                            columns[name].append(value)
        first = {pair[2]: min(pairs)[2] for pairs in said.values() if len(pairs) > 1 for pair in pairs}
        columns["same_texts_as"] = [first.get(pair_id) for pair_id in columns["pair_id"]]
        return columns

    traces = table(TRACES, ["trace_id", "prompt_id", "generator", "text_id"]).sort("prompt_id")
    write(
        map_batches(
            traces,
            cross,
            **dict.fromkeys(ENDS, "int64"),
            chosen_model="string",
            rejected_model="string",
            identical="bool",
            same_texts_as="int64",
        ),
        "pairs",
    )


def delta(judge: str) -> None:
    """The wide deltas of a judge."""
    scores = defaultdict(list)
    for batch in table(
        [f"data/judgments/{judge}.parquet"], ["trace_id", "dimension", "score", "expected_score", "status"]
    ).iter(ROWS_PER_BATCH):
        for trace, name, score, expected, status in zip(*batch.values(), strict=True):
            if status == "scored":
                scores[trace, name].append(score if expected is None else expected)
    rated = {
        key: (
            mean(values) if len(values) > 1 else values[0],
            len(values),
            variance(values) if len(values) > 1 else None,
        )
        for key, values in scores.items()
    }
    types = {"chosen": "float64", "rejected": "float64", "delta": "float64", "n": "int32", "sd": "float64"}

    def subtract(batch: Batch) -> Batch:
        columns = defaultdict(list, pair_id=batch["pair_id"])
        for name in JUDGES[judge]:
            for chosen, rejected in zip(batch["chosen_trace_id"], batch["rejected_trace_id"], strict=True):
                (high, n, variance_high), (low, m, variance_low) = (
                    rated.get((trace, name), (None, 0, None)) for trace in (chosen, rejected)
                )
                repeated = variance_high is not None and variance_low is not None
                sd = sqrt(variance_high + variance_low) if repeated else None
                row = (high, low, high - low if n and m else None, min(n, m), sd)
                for kind, value in zip(types, row, strict=True):
                    columns[f"{kind}_{name}"].append(value)
        return columns

    schema = {f"{kind}_{name}": dtype for name in JUDGES[judge] for kind, dtype in types.items()}
    write(map_batches(table(["datasets/pairs.parquet"], ENDS), subtract, pair_id="int64", **schema), f"deltas/{judge}")


def candidates(name: str) -> Dataset:
    """The pairs with their margin, and `rejection`, which has the reason against a pair and is null for the others."""
    value = str(SELECTIONS[name].get("value"))
    wide = [
        table([f"datasets/deltas/{judge}.parquet"], [f"delta_{dimension}" for dimension in DIMENSIONS])
        for judge in ("a", "b")
        if f"{judge}." in value
    ]
    named = [
        deltas.rename_columns({column: f"{number}_{column}" for column in deltas.column_names})
        for number, deltas in enumerate(wide)
    ]
    lengths = table(TRACES, ["trace_id", "characters"]) if name == "near_length" else {"trace_id": [], "characters": []}
    characters = dict(zip(lengths["trace_id"], lengths["characters"], strict=True))
    column = {
        "random": [],
        "band": ["0_delta_d1"],
        "middle_half": ["0_delta_d2"],
        "consensus": ["0_delta_d0", "1_delta_d0"],
    }.get(name, ["0_delta_d0"])
    column = [f"0_delta_{dimension}" for dimension in DIMENSIONS] if name == "top_mean" else column

    def margin(*values: float | None) -> float | None:
        known = [value for value in values if value is not None]
        if name == "consensus":
            return min(known, default=None)
        return sum(known) / len(values) if values and len(known) == len(values) else None

    def reject(batch: Batch) -> Batch:
        margins = [margin(*values) for values in zip(*(batch[each] for each in column), strict=True)] or [None] * len(
            batch["pair_id"]
        )
        reasons = []
        for identical, value, chosen, rejected in zip(
            batch["identical"], margins, batch["chosen_trace_id"], batch["rejected_trace_id"], strict=True
        ):
            if identical:
                reasons.append("identical")
            elif name == "near_length" and abs(characters[chosen] - characters[rejected]) > NEAR:
                reasons.append("near_length")
            elif value is None and name != "random":
                reasons.append("unscored")
            elif name == "band" and not BAND[0] <= value <= BAND[1]:
                reasons.append("outside_band")
            else:
                reasons.append(None)
        strata = [
            f"{chosen} {rejected}"
            for chosen, rejected in zip(batch["chosen_model"], batch["rejected_model"], strict=True)
        ]
        return {
            "pair_id": batch["pair_id"],
            "prompt_id": batch["prompt_id"],
            "stratum": strata,
            "margin": margins,
            "rejection": reasons,
            **{column: batch[column] for column in SAME},
        }

    rows = concatenate_datasets([table(["datasets/pairs.parquet"]), *named], axis=1)
    types = {"pair_id": "int64", "prompt_id": "int64", "stratum": "string", "margin": "float64", "rejection": "string"}
    rejected = map_batches(rows, reject, **types, **dict.fromkeys(SAME, "int64"))
    carriers = dict[int, tuple[int, int, int]]()
    for batch in rejected.select_columns([*SAME, "pair_id", "rejection"]).iter(ROWS_PER_BATCH):
        for first, *ends, reason in zip(*(batch[name] for name in (*SAME, "pair_id", "rejection")), strict=True):
            if first is not None and reason in (None, "outside_band"):
                carriers[first] = min(carriers.get(first, tuple(ends)), tuple(ends))

    def mark_repeated(batch: Batch) -> Batch:
        may_stand = (None, "outside_band")
        marked = [
            "repeated" if first in carriers and carriers[first][2] != pair_id and reason in may_stand else reason
            for first, pair_id, reason in zip(batch["same_texts_as"], batch["pair_id"], batch["rejection"], strict=True)
        ]
        return {name: batch[name] for name in (*types, *SAME)} | {"rejection": marked}

    return map_batches(rejected, mark_repeated, **types, **dict.fromkeys(SAME, "int64"))


def kept(name: str, ranked: Dataset, pairs: int) -> tuple[Dataset, str, Dataset]:
    """The rows that are kept; those that may be, and why the others may not."""
    if name == "middle_half":
        ranked = ranked.sort("margin").select(range(len(ranked) // 4, 3 * len(ranked) // 4))
    ranked = ranked.shuffle(seed=0) if name in DRAWN else ranked.sort("margin", reverse=name != "bottom")
    if name in ("per_prompt", "strata"):
        most, seen, first = quotas(pairs) if name == "strata" else Counter(), Counter(), []
        for row, group in enumerate(ranked["stratum" if name == "strata" else "prompt_id"]):
            seen[group] += 1
            if seen[group] <= most.get(group, 1):
                first.append(row)
        ranked = ranked.select(first)
    why = {"middle_half": "outside_band", "per_prompt": "per_prompt"}.get(name, "")
    return ranked.select(range(budget(pairs))), why, ranked


def select(name: str, pairs: int) -> None:
    """A selection's verdict on every pair."""
    rows = candidates(name)
    best, why, eligible = kept(
        name,
        rows.filter(
            lambda batch: [reason is None for reason in batch["rejection"]], batched=True, batch_size=ROWS_PER_BATCH
        ),
        pairs,
    )
    kept_ids, eligible_ids = set(best["pair_id"]), set(eligible["pair_id"]) if why else set()

    def reason(pair_id: int) -> str:
        if pair_id in kept_ids:
            return "kept"
        return why if why and pair_id not in eligible_ids else "over_budget"

    def decide(batch: Batch) -> Batch:
        reasons = [
            rejection or reason(pair_id)
            for pair_id, rejection in zip(batch["pair_id"], batch["rejection"], strict=True)
        ]
        return {
            "pair_id": batch["pair_id"],
            "kept": [each == "kept" for each in reasons],
            "reason": reasons,
            "margin": batch["margin"],
        }

    write(
        map_batches(rows, decide, pair_id="int64", kept="bool", reason="string", margin="float64"), f"selections/{name}"
    )


def subset(name: str) -> None:
    """The kept pairs with their texts."""
    verdicts = table([f"datasets/selections/{name}.parquet"], ["pair_id", "kept", "margin"])
    margins = {
        row["pair_id"]: row["margin"]
        for row in verdicts.filter(lambda batch: batch["kept"], batched=True, batch_size=ROWS_PER_BATCH)
    }

    def filter_by_id(rows: Dataset, column: str, ids: set[int]) -> Dataset:
        return rows.filter(
            lambda batch: [row_id in ids for row_id in batch[column]], batched=True, batch_size=ROWS_PER_BATCH
        )

    rows = filter_by_id(table(["datasets/pairs.parquet"], ENDS), "pair_id", set(margins))
    traces = filter_by_id(
        table(TRACES, ["trace_id", "completion"]), "trace_id", {*rows["chosen_trace_id"], *rows["rejected_trace_id"]}
    )
    prompts = filter_by_id(
        table(["data/prompts.parquet"], ["prompt_id", "prompt"]), "prompt_id", set(rows["prompt_id"])
    )
    texts, prompt_texts = (
        {row[key]: row[column] for row in rows_of}
        for rows_of, key, column in ((traces, "trace_id", "completion"), (prompts, "prompt_id", "prompt"))
    )

    def add_texts(batch: Batch) -> Batch:
        sides = {side: [texts[trace_id] for trace_id in batch[f"{side}_trace_id"]] for side in ("chosen", "rejected")}
        return {
            "prompt": [prompt_texts[prompt_id] for prompt_id in batch["prompt_id"]],
            **sides,
            "margin": [margins[pair_id] for pair_id in batch["pair_id"]],
        }

    write(
        rows.map(add_texts, batched=True, batch_size=ROWS_PER_BATCH, writer_batch_size=ROWS_PER_BATCH),
        f"subsets/{name}",
    )


def main(folder: str, pairs: str) -> None:
    datasets.disable_caching()
    datasets.disable_progress_bars()
    enter(folder, "datasets")
    run(pair, delta, select, subset, pairs)


if __name__ == "__main__":
    main(*sys.argv[1:])
