"""A study with one selection of pairs of every sort that trainers read differently, as a folder that `curation export`
runs in, and the way back."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import world
from flow import write
from ruamel.yaml import YAML

from curation.prompts.collect import Collected, collect
from curation.prompts.decontaminate import Params as Decontaminate
from curation.prompts.sources.pairs import Params as Pairs
from curation.selection import subset
from curation.selection.subset import Texts
from curation.tables import contracts, parquet
from curation.tables.ids import content_id
from curation.traces.generate import add_text_columns

NAME = "clear"  # of the selection
NOTHING_DROPPED = Decontaminate.model_validate({"exact": False, "ngram": None, "near_duplicates": None})
WEATHER = json.dumps([{
    "type": "function",
    "function": {"name": "weather", "description": "The weather.",
                 "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}])  # fmt: skip
CALL = {"type": "function", "id": "c1", "function": {"name": "weather", "arguments": {"city": "Zürich"}}}


def said(role: str, content: str, **more: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content, **more}


def answer(content: str, thought: str | None = None) -> list[dict[str, Any]]:
    """A side of a pair."""
    return [said("assistant", content, **({} if thought is None else {"reasoning_content": thought}))]


def pair(name: str, prompt: Any, chosen: Any, rejected: Any, tools: str | None = None) -> dict[str, Any]:
    """A row of a preference set."""
    return {"id": name, "prompt": prompt, "chosen": chosen, "rejected": rejected, "tools": tools}


PLAIN = [
    pair("single", [said("user", "What is 2 + 3?")], answer("2 + 3 = 5."), answer("It is 6.")),
    pair("system", [said("system", "Be brief."), said("user", "And 4 * 6?")], answer("24"), answer("Well, maybe 26")),
    pair("turns", [said("system", "Count."), said("user", "One?"), said("assistant", "Two."), said("user", "Three?")],
         answer("Four."), answer("Five.\n\nNo, four.")),
    pair("unicode", [said("user", "日本語? \u2028 “é” e\u0301 \U0001f469\u200d\U0001f4bb עברית \\n {x} {{y}} </s>")],
         answer("はい。\n```python\nprint('\\t')\n```"), answer("{system} {prompt} — no\u00a0\U0001f680")),
]  # fmt: skip
THOUGHT = [
    pair("both", [said("user", "Is 7 prime?")], answer("Yes.", "2, 3 and 5\ndo not divide it."),
         answer("No.", "7 = 7 * 1")),
    pair("one", [said("user", "Is 9 prime?")], answer("No.", "3 * 3 = 9"), answer("Yes.")),
]  # fmt: skip
CALLED = [
    pair("tools", [said("user", "Weather in Zürich?")], answer("I cannot tell."), answer("Warm."), WEATHER),
    pair("called", [said("user", "Weather in Zürich?"), said("assistant", "", tool_calls=[CALL]),
                    said("tool", '{"degrees": 21}', tool_call_id="c1")],
         answer("21 degrees."), answer("12 degrees."), WEATHER),
]  # fmt: skip
SET: dict[str, Any] = {
    "layout": {"kind": "pair", "chosen": "chosen", "rejected": "rejected"},
    "columns": {"prompt": "prompt", "tools": "tools", "row_id": "id"},
}


def read_set(path: Path, **settings: Any) -> Collected:
    """What a source of kind pairs makes of a file."""
    source = Pairs.model_validate({"kind": "pairs", "split": "train", "path": str(path), **settings})
    return collect({"set": source}, NOTHING_DROPPED)


def save_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    """`file` holds the rows as JSON lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return file


def subset_of(made: Collected) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`subsets` and `unpaired` of all pairs that a set lists."""
    tables = made.tables
    traces = add_text_columns(world.rows_of(contracts.TRACES, tables["responses"].select(
        "trace_id", "prompt_id", "generator", "sample_index", "reasoning", "completion", "finish_reason", "external_id"
    ).to_dicts()))  # fmt: skip
    texts: Texts = subset.from_frames(traces, tables["prompts"], tables["responses"], tables["listed_pairs"])
    pairs = tables["listed_pairs"].select("prompt_id", "chosen_trace_id", "rejected_trace_id")
    ids = [content_id(*row) for row in pairs.select("chosen_trace_id", "rejected_trace_id").iter_rows()]
    rows = pairs.with_columns(
        pl.Series("pair_id", ids), pl.Series("margin", [0.5 + at for at in range(len(ids))], pl.Float64),
        *(pl.lit(None, pl.Float64).alias(f"{side}_rating") for side in ("chosen", "rejected")),
        pl.Series("p_chosen", [None if at == 1 else 0.6 + 0.4 / (at + 1) for at in range(len(ids))], pl.Float64),
        pl.lit(None, pl.Int32).alias("curriculum_position"),
    ).sort("pair_id")  # fmt: skip
    paired = subset.add_messages(rows, texts)
    return paired, subset.unpair(paired, texts).sort("trace_id")


def save_study(folder: Path, rows: list[dict[str, Any]], **student: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`folder` holds the small study whose selection NAME has the pairs of these rows. Returns its tables."""
    world.write(world.sound(), folder)
    params = YAML(typ="safe", pure=True).load(folder / "params.yaml")
    params["student"] |= student
    write(params, folder / "params.yaml")
    paired, unpaired = subset_of(read_set(save_rows(folder / "set.jsonl", rows), **SET))
    for table, made in ((contracts.SUBSETS, paired), (contracts.UNPAIRED, unpaired)):
        for file in (
            contracts.path(table.name, NAME, folder / "data"),
            contracts.arm_path(table.name, world.ARM, folder / "data"),
        ):
            parquet.write(table, made, file)
    return paired, unpaired
