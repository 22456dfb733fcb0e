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
EACH = 160 * len(LADDER) * SAMPLES  # rows of a batch: whole prompts


def table(files: list[str], columns: Iterable[str] | None = None) -> Dataset:
    return Dataset.from_parquet(files, columns=columns and list(columns), cache_dir="datasets/cache")


def write(rows: Dataset, file: str) -> None:
    rows.sort("pair_id").to_parquet(f"datasets/{file}.parquet")


def mapped(rows: Dataset, change: Callable[[Batch], Batch], **types: str) -> Dataset:
    """What `change` makes of each batch: columns of these types, and no others."""
    features = Features({name: Value(kind) for name, kind in types.items()})
    return rows.map(
        change,
        batched=True,
        batch_size=EACH,
        writer_batch_size=EACH,
        remove_columns=rows.column_names,
        features=features,
    )


def pair() -> None:
    """The pairs of each two traces of a prompt, the one higher on the ladder chosen."""
    ladder, each = list(LADDER), len(LADDER) * SAMPLES

    def paired(batch: Batch) -> Batch:
        traces = list(zip(*(batch[name] for name in ("trace_id", "generator", "text_id")), strict=True))
        found = defaultdict(list)
        for start in range(0, len(traces), each):
            for chosen, one, text in traces[start : start + each]:
                for rejected, other, said in traces[start : start + each]:
                    if ladder.index(one) < ladder.index(other):
                        digest = md5(f"{chosen}\x1f{rejected}".encode(), usedforsecurity=False).digest()
                        row = (
                            int.from_bytes(digest[:8], "big") >> 1,
                            batch["prompt_id"][start],
                            chosen,
                            rejected,
                            one,
                            other,
                            text == said,
                        )
                        for name, value in zip(
                            (*ENDS, "chosen_model", "rejected_model", "identical"), row, strict=True
                        ):
                            found[name].append(value)
        return found

    traces = table(TRACES, ["trace_id", "prompt_id", "generator", "text_id"]).sort("prompt_id")
    write(
        mapped(
            traces,
            paired,
            **dict.fromkeys(ENDS, "int64"),
            chosen_model="string",
            rejected_model="string",
            identical="bool",
        ),
        "pairs",
    )


def delta(judge: str) -> None:
    """The wide deltas of a judge."""
    given = defaultdict(list)
    for batch in table(
        [f"data/judgments/{judge}.parquet"], ["trace_id", "dimension", "score", "expected_score", "status"]
    ).iter(EACH):
        for trace, name, score, expected, status in zip(*batch.values(), strict=True):
            if status == "scored":
                given[trace, name].append(score if expected is None else expected)
    rated = {
        key: (
            mean(values) if len(values) > 1 else values[0],
            len(values),
            variance(values) if len(values) > 1 else None,
        )
        for key, values in given.items()
    }
    types = {"chosen": "float64", "rejected": "float64", "delta": "float64", "n": "int32", "sd": "float64"}

    def wide(batch: Batch) -> Batch:
        found = defaultdict(list, pair_id=batch["pair_id"])
        for name in JUDGES[judge]:
            for chosen, rejected in zip(batch["chosen_trace_id"], batch["rejected_trace_id"], strict=True):
                (one, n, spread), (other, m, widened) = (
                    rated.get((trace, name), (None, 0, None)) for trace in (chosen, rejected)
                )
                both = sqrt(spread + widened) if spread is not None and widened is not None else None
                row = (one, other, one - other if n and m else None, min(n, m), both)
                for kind, value in zip(types, row, strict=True):
                    found[f"{kind}_{name}"].append(value)
        return found

    columns = {f"{kind}_{name}": dtype for name in JUDGES[judge] for kind, dtype in types.items()}
    write(mapped(table(["datasets/pairs.parquet"], ENDS), wide, pair_id="int64", **columns), f"deltas/{judge}")


def candidates(name: str) -> Dataset:
    """The pairs with their margin, and `barred`, which has the reason against a pair and is null for the others."""
    value = str(SELECTIONS[name].get("value"))
    wide = [
        table([f"datasets/deltas/{judge}.parquet"], [f"delta_{one}" for one in DIMENSIONS])
        for judge in ("a", "b")
        if f"{judge}." in value
    ]
    named = [
        one.rename_columns({column: f"{number}_{column}" for column in one.column_names})
        for number, one in enumerate(wide)
    ]
    lengths = table(TRACES, ["trace_id", "characters"]) if name == "near_length" else {"trace_id": [], "characters": []}
    characters = dict(zip(lengths["trace_id"], lengths["characters"], strict=True))
    column = {
        "random": [],
        "band": ["0_delta_d1"],
        "middle_half": ["0_delta_d2"],
        "consensus": ["0_delta_d0", "1_delta_d0"],
    }.get(name, ["0_delta_d0"])
    column = [f"0_delta_{one}" for one in DIMENSIONS] if name == "top_mean" else column

    def margin(*values: float | None) -> float | None:
        known = [one for one in values if one is not None]
        if name == "consensus":
            return min(known, default=None)
        return sum(known) / len(values) if values and len(known) == len(values) else None

    def barred(batch: Batch) -> Batch:
        margins = [margin(*values) for values in zip(*(batch[one] for one in column), strict=True)] or [None] * len(
            batch["pair_id"]
        )
        reasons = []
        for identical, one, chosen, rejected in zip(
            batch["identical"], margins, batch["chosen_trace_id"], batch["rejected_trace_id"], strict=True
        ):
            if identical or (one is None and name != "random"):
                reasons.append("identical" if identical else "unscored")
            elif name == "band" and not BAND[0] <= one <= BAND[1]:
                reasons.append("outside_band")
            elif name == "near_length" and abs(characters[chosen] - characters[rejected]) > NEAR:
                reasons.append("near_length")
            else:
                reasons.append(None)
        strata = [f"{one} {other}" for one, other in zip(batch["chosen_model"], batch["rejected_model"], strict=True)]
        return {
            "pair_id": batch["pair_id"],
            "prompt_id": batch["prompt_id"],
            "stratum": strata,
            "margin": margins,
            "barred": reasons,
        }

    rows = concatenate_datasets([table(["datasets/pairs.parquet"]), *named], axis=1)
    return mapped(rows, barred, pair_id="int64", prompt_id="int64", stratum="string", margin="float64", barred="string")


def kept(name: str, ranked: Dataset, pairs: int) -> tuple[Dataset, str, Dataset]:
    """The rows that are kept; those that may be, and why the others may not."""
    if name == "middle_half":
        ranked = ranked.sort("margin").select(range(len(ranked) // 4, 3 * len(ranked) // 4))
    ranked = ranked.shuffle(seed=0) if name in DRAWN else ranked.sort("margin", reverse=name != "bottom")
    if name in ("per_prompt", "strata"):
        most, seen, first = quotas(pairs) if name == "strata" else Counter(), Counter(), []
        for place, group in enumerate(ranked["stratum" if name == "strata" else "prompt_id"]):
            seen[group] += 1
            if seen[group] <= most.get(group, 1):
                first.append(place)
        ranked = ranked.select(first)
    why = {"middle_half": "outside_band", "per_prompt": "per_prompt"}.get(name, "")
    return ranked.select(range(budget(pairs))), why, ranked


def select(name: str, pairs: int) -> None:
    """A selection's verdict on every pair."""
    rows = candidates(name)
    best, why, eligible = kept(
        name, rows.filter(lambda batch: [one is None for one in batch["barred"]], batched=True, batch_size=EACH), pairs
    )
    taken, may = set(best["pair_id"]), set(eligible["pair_id"]) if why else set()

    def judged(batch: Batch) -> Batch:
        reasons = [barred or ("kept" if one in taken else why if why and one not in may else "over_budget")
                   for one, barred in zip(batch["pair_id"], batch["barred"], strict=True)]  # fmt: skip
        return {
            "pair_id": batch["pair_id"],
            "kept": [one == "kept" for one in reasons],
            "reason": reasons,
            "margin": batch["margin"],
        }

    write(mapped(rows, judged, pair_id="int64", kept="bool", reason="string", margin="float64"), f"selections/{name}")


def subset(name: str) -> None:
    """The kept pairs with their texts."""
    verdicts = table([f"datasets/selections/{name}.parquet"], ["pair_id", "kept", "margin"])
    margins = {
        row["pair_id"]: row["margin"]
        for row in verdicts.filter(lambda batch: batch["kept"], batched=True, batch_size=EACH)
    }

    def wanted(rows: Dataset, column: str, ids: set[int]) -> Dataset:
        return rows.filter(lambda batch: [one in ids for one in batch[column]], batched=True, batch_size=EACH)

    rows = wanted(table(["datasets/pairs.parquet"], ENDS), "pair_id", set(margins))
    traces = wanted(
        table(TRACES, ["trace_id", "completion"]), "trace_id", {*rows["chosen_trace_id"], *rows["rejected_trace_id"]}
    )
    prompts = wanted(table(["data/prompts.parquet"], ["prompt_id", "prompt"]), "prompt_id", set(rows["prompt_id"]))
    texts, asked = (
        {row[key]: row[column] for row in found}
        for found, key, column in ((traces, "trace_id", "completion"), (prompts, "prompt_id", "prompt"))
    )

    def written(batch: Batch) -> Batch:
        sides = {side: [texts[one] for one in batch[f"{side}_trace_id"]] for side in ("chosen", "rejected")}
        return {
            "prompt": [asked[one] for one in batch["prompt_id"]],
            **sides,
            "margin": [margins[one] for one in batch["pair_id"]],
        }

    write(rows.map(written, batched=True, batch_size=EACH, writer_batch_size=EACH), f"subsets/{name}")


def main(folder: str, pairs: str) -> None:
    datasets.disable_caching()
    datasets.disable_progress_bars()
    enter(folder, "datasets")
    run(pair, delta, select, subset, pairs)


if __name__ == "__main__":
    main(*sys.argv[1:])
