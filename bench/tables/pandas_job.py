"""The same work in pandas, with merge, sort_values and groupby: python -m bench.tables.pandas_job FOLDER PAIRS"""

import sys
from hashlib import md5

import numpy as np
import pandas as pd

from bench.tables.cases import BAND, DIMENSIONS, DRAWN, JUDGES, LADDER, NEAR, SELECTIONS, budget, quotas
from bench.tables.steps import enter, run

ENDS = ["pair_id", "chosen_trace_id", "rejected_trace_id"]


def write(rows: pd.DataFrame, file: str) -> None:
    rows.sort_values("pair_id").to_parquet(
        f"pandas/{file}.parquet", compression="zstd", compression_level=1, index=False
    )


def pair() -> None:
    """The pairs of each two traces of a prompt, the one higher on the ladder chosen."""
    traces = pd.read_parquet("data/traces", columns=["trace_id", "prompt_id", "generator", "text_id"])
    traces["rung"] = traces["generator"].map({name: rung for rung, name in enumerate(LADDER)})
    rows = traces.merge(traces, on="prompt_id", suffixes=("", "_r"))
    rows = rows[rows["rung"] < rows["rung_r"]]
    digests = [
        md5(f"{chosen}\x1f{rejected}".encode(), usedforsecurity=False).digest()
        for chosen, rejected in zip(rows["trace_id"], rows["trace_id_r"], strict=True)
    ]
    pairs = pd.DataFrame({
        "pair_id": [int.from_bytes(digest[:8], "big") >> 1 for digest in digests], "prompt_id": rows["prompt_id"],
        "chosen_trace_id": rows["trace_id"], "rejected_trace_id": rows["trace_id_r"], "chosen_model": rows["generator"],
        "rejected_model": rows["generator_r"], "identical": rows["text_id"] == rows["text_id_r"],
        "chosen_text": rows["text_id"], "rejected_text": rows["text_id_r"],
    })  # fmt: skip
    texts = ["prompt_id", "chosen_text", "rejected_text"]
    several = pairs[pairs.duplicated(texts, keep=False)].sort_values(ENDS[1:])
    same = several.groupby(texts)["pair_id"].transform("first")
    write(pairs.drop(columns=texts[1:]).assign(same_texts_as=same.astype("Int64")), "pairs")


def delta(judge: str) -> None:
    """The wide deltas of a judge."""
    rows = pd.read_parquet(
        f"data/judgments/{judge}.parquet", columns=["trace_id", "dimension", "score", "expected_score", "status"]
    )
    rows = rows[rows["status"] == "scored"]
    rated = (
        rows.assign(value=rows["expected_score"].fillna(rows["score"]))
        .groupby(["trace_id", "dimension"])["value"]
        .agg(["mean", "count", "var"])
    )
    wide = rated.unstack("dimension")
    wide.columns = [f"{kind}_{name}" for kind, name in wide.columns]
    pairs = pd.read_parquet("pandas/pairs.parquet", columns=ENDS)
    for side, suffix in (("chosen", ""), ("rejected", "_r")):
        pairs = pairs.merge(wide.add_suffix(suffix), left_on=f"{side}_trace_id", right_index=True, how="left")
    columns = {"pair_id": pairs["pair_id"]}
    for name in JUDGES[judge]:
        columns |= {
            f"chosen_{name}": pairs[f"mean_{name}"], f"rejected_{name}": pairs[f"mean_{name}_r"],
            f"delta_{name}": pairs[f"mean_{name}"] - pairs[f"mean_{name}_r"],
            f"n_{name}": pairs[[f"count_{name}", f"count_{name}_r"]].fillna(0).min(axis=1).astype("int32"),
            f"sd_{name}": np.sqrt(pairs[f"var_{name}"] + pairs[f"var_{name}_r"]),
        }  # fmt: skip
    write(pd.DataFrame(columns), f"deltas/{judge}")


def candidates(name: str) -> pd.DataFrame:
    """The pairs with their margin, and `rejection`, which has the reason against a pair and is null for the others."""
    rows = pd.read_parquet("pandas/pairs.parquet")
    for judge in ("a", "b"):
        if f"{judge}." in str(SELECTIONS[name].get("value")):
            wide = pd.read_parquet(
                f"pandas/deltas/{judge}.parquet",
                columns=["pair_id", *(f"delta_{dimension}" for dimension in DIMENSIONS)],
            )
            rows = rows.merge(
                wide.rename(columns={f"delta_{dimension}": f"{judge}.{dimension}" for dimension in DIMENSIONS}),
                on="pair_id",
            )
    if name == "random":
        rows["margin"] = np.nan
    elif name == "top_mean":
        rows["margin"] = sum((rows[f"a.{dimension}"] for dimension in DIMENSIONS[1:]), rows["a.d0"]) / 5
    elif name == "consensus":
        rows["margin"] = rows[["a.d0", "b.d0"]].min(axis=1)
    else:
        rows["margin"] = rows[{"band": "b.d1", "middle_half": "a.d2"}.get(name, "a.d0")]
    rejections = {"identical": rows["identical"]}
    if name == "near_length":
        lengths = pd.read_parquet("data/traces", columns=["trace_id", "characters"])
        for side in ("chosen", "rejected"):
            rows = rows.merge(
                lengths.rename(columns={"trace_id": f"{side}_trace_id", "characters": f"{side}_characters"}),
                on=f"{side}_trace_id",
            )
        rejections["near_length"] = (rows["chosen_characters"] - rows["rejected_characters"]).abs() > NEAR
    if name != "random":
        rejections["unscored"] = rows["margin"].isna()
    if name == "band":
        rejections["outside_band"] = ~rows["margin"].between(*BAND)
    rows = rows.assign(rejection=np.select(list(rejections.values()), list(rejections), None))
    several = rows[rows["same_texts_as"].notna() & rows["rejection"].fillna("outside_band").eq("outside_band")]
    repeated = several.sort_values(ENDS[1:]).duplicated("same_texts_as")
    rows.loc[repeated.index[repeated], "rejection"] = "repeated"
    return rows


def kept(name: str, ranked: pd.DataFrame, pairs: int) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """The rows that are kept; those that may be, and why the others may not."""
    draw = pd.util.hash_array(ranked["pair_id"].to_numpy())
    ranked = ranked.assign(draw=draw).sort_values(
        "draw" if name in DRAWN else "margin", ascending=name in DRAWN or name == "bottom"
    )
    if name == "middle_half":
        low, high = ranked["margin"].quantile([0.25, 0.75], interpolation="lower")
        ranked = ranked[(ranked["margin"] > low) & (ranked["margin"] <= high)]
    if name == "per_prompt":
        ranked = ranked.groupby("prompt_id").head(1)
    if name == "strata":
        rank = ranked.groupby(["chosen_model", "rejected_model"]).cumcount()
        return ranked[rank < (ranked["chosen_model"] + " " + ranked["rejected_model"]).map(quotas(pairs))], "", ranked
    return ranked.head(budget(pairs)), {"middle_half": "outside_band", "per_prompt": "per_prompt"}.get(name, ""), ranked


def select(name: str, pairs: int) -> None:
    """A selection's verdict on every pair."""
    rows = candidates(name)
    best, why, eligible = kept(name, rows[rows["rejection"].isna()], pairs)
    is_kept = rows["pair_id"].isin(best["pair_id"])
    late = ~rows["pair_id"].isin(eligible["pair_id"]) if why else np.zeros(len(rows), bool)
    reason = np.select([rows["rejection"].notna(), is_kept, late], [rows["rejection"], "kept", why], "over_budget")
    write(
        pd.DataFrame({"pair_id": rows["pair_id"], "kept": is_kept, "reason": reason, "margin": rows["margin"]}),
        f"selections/{name}",
    )


def subset(name: str) -> None:
    """The kept pairs with their texts."""
    verdicts = pd.read_parquet(f"pandas/selections/{name}.parquet")
    rows = verdicts.loc[verdicts["kept"], ["pair_id", "margin"]].merge(
        pd.read_parquet("pandas/pairs.parquet", columns=[*ENDS, "prompt_id"]), on="pair_id"
    )
    rows = rows.merge(pd.read_parquet("data/prompts.parquet", columns=["prompt_id", "prompt"]), on="prompt_id")
    texts = pd.read_parquet("data/traces", columns=["trace_id", "completion"])
    for side in ("chosen", "rejected"):
        rows = rows.merge(
            texts.rename(columns={"trace_id": f"{side}_trace_id", "completion": side}), on=f"{side}_trace_id"
        )
    write(rows, f"subsets/{name}")


def main(folder: str, pairs: str) -> None:
    enter(folder, "pandas")
    run(pair, delta, select, subset, pairs)


if __name__ == "__main__":
    main(*sys.argv[1:])
