"""A whole project folder of synthetic traces and judgments, on which the real stages run: python -m
bench.tables.data FOLDER PAIRS"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from bench.tables.cases import JUDGES, LADDER, PAIRS_EACH, SAMPLES, SELECTIONS, budget
from curation.tables import contracts, parquet
from curation.tables.ids import content_ids
from curation.traces.generate import add_text_columns

WORDS, LONG = 20_000, 5_000_000  # distinct words, and how many the text has of which all others are stretches
COPIED, UNSCORED = 0.1, 0.02  # shares of the traces, and of the ratings
BETTER = {"large": 1.2, "medium": 0.8, "small": 0.4, "tiny": 0.0}  # the mean quality of a generator's traces


def write(folder: Path, pairs: int, seed: int = 0) -> None:
    """`params.yaml`, and under `data` all that `pair`, `delta` and `select` read."""
    source, data = np.random.default_rng(seed), folder / "data"
    folder.mkdir(parents=True, exist_ok=True)
    YAML().dump(settings(pairs), folder / "params.yaml")
    text = _long(source)
    prompts = _prompts(text, source, -(-pairs // PAIRS_EACH))
    unknown = {name: None for name in contracts.PROMPTS.schema.names if name not in prompts.columns}
    whole = prompts.with_columns(**unknown).cast(dict(contracts.empty(contracts.PROMPTS).schema))
    parquet.write(contracts.PROMPTS, whole, contracts.path("prompts", data=data))
    for table in (contracts.RESPONSES, contracts.LISTED_PAIRS):  # of preference sets, of which it has none
        parquet.write(table, contracts.empty(table), contracts.path(table.name, data=data))
    known = []
    for traces in _traces(text, source, prompts["prompt_id"]):
        parquet.write(contracts.TRACES, traces, contracts.path("traces", traces["generator"][0], data))
        known.append(
            traces.select(
                "trace_id", "n_tokens", quality=source.normal(BETTER[traces["generator"][0]], 0.8, traces.height)
            )
        )
    rows = pl.concat(known).sort("trace_id")
    counted = rows.select("trace_id", completion_tokens="n_tokens", tokens="n_tokens")
    whole = pl.concat([contracts.empty(contracts.RENDERINGS), counted], how="diagonal")
    parquet.write(contracts.RENDERINGS, whole, contracts.path("renderings", data=data))
    for judge, dimensions in JUDGES.items():
        with parquet.writing(contracts.JUDGMENTS, contracts.path("judgments", judge, data)) as file:
            for part in _judgments(source, rows, judge, dimensions):
                file.append(part)


def settings(pairs: int) -> dict[str, Any]:
    """The project's own params.yaml with the bench's generators, judges and selections in their places."""
    raw: dict[str, Any] = YAML(typ="safe", pure=True).load(Path("params.yaml"))
    generator, rubric, plain = raw["generators"]["qwen-500m"], raw["judges"]["rubric"], raw["selections"]["all"]
    scale = rubric["dimensions"]["factuality"]
    rated = {name: rubric | {"dimensions": dict.fromkeys(dimensions, scale)} for name, dimensions in JUDGES.items()}
    raw["generators"] = {name: generator | {"scale_b": scale_b} for name, scale_b in LADDER.items()}
    raw["judges"] = rated | {"answer": raw["judges"]["answer"]}
    raw["pairwise_judges"], raw["delta"]["panels"], raw["reliability"]["families"] = {}, {}, {}
    raw["pair"] |= {"ladder": list(LADDER), "samples": "all"}
    raw["selections"] = {name: plain | {"budget": {"pairs": budget(pairs)}} | body for name, body in SELECTIONS.items()}
    raw["licenses"] = {"sources": {}, "generators": {}}
    raw["generator_pairs"] = {"any": raw["generator_pairs"]["any"]}
    raw["grid"]["selections"], raw["contrasts"], raw["compare"]["primary"] = ["top"], {}, None
    return {name: body for name, body in raw.items() if not name.startswith("x-")}


def _long(source: np.random.Generator) -> str:
    """Words of made-up letters, the first ones far more common than the last, as in any language."""
    letters = source.integers(ord("a"), ord("z"), (WORDS, 10), dtype=np.uint8, endpoint=True).tobytes().decode()
    words = [letters[10 * number : 10 * number + size] for number, size in enumerate(source.integers(2, 11, WORDS))]
    chance = 1 / np.arange(5, WORDS + 5)
    return " ".join([words[number] for number in source.choice(WORDS, LONG, p=chance / chance.sum()).tolist()])


def _prompts(text: str, source: np.random.Generator, count: int) -> pl.DataFrame:
    words = [
        f"Problem {number}: {text[start : start + 200]}"
        for number, start in enumerate(source.integers(0, len(text) - 200, count).tolist())
    ]
    message = pl.concat_list(pl.struct(role=pl.lit("user"), content="text"))
    ids = content_ids(pl.DataFrame({"source": "synthetic", "text": words})).alias("prompt_id")
    return pl.DataFrame({"text": words}).select(
        ids,
        source=pl.lit("synthetic"),
        task=pl.lit("synthetic"),
        split=pl.lit("train"),
        prompt=message,
        answer=pl.lit("42"),
        answers=pl.lit(None, pl.List(pl.String)),
        verifier=pl.lit(None, pl.String),
        entry=pl.lit(None, pl.String),
    )


def _traces(text: str, source: np.random.Generator, prompts: pl.Series) -> Iterator[pl.DataFrame]:
    """The traces of each generator; those that are copied say what any copied trace of their prompt says."""
    ids, sample = prompts.to_numpy().repeat(SAMPLES), np.tile(np.arange(SAMPLES, dtype=np.int32), len(prompts))
    common = [part.repeat(SAMPLES) for part in _stretches(text, source, len(prompts))]
    for name, scale_b in LADDER.items():
        copied = source.random(len(ids)) < COPIED
        start, size = (
            np.where(copied, same, own) for same, own in zip(common, _stretches(text, source, len(ids)), strict=True)
        )
        rows = pl.DataFrame({
            "prompt_id": ids, "generator": name, "sample_index": sample, "family": None, "scale_b": scale_b,
            "completion": [text[one : one + length] for one, length in zip(start.tolist(), size.tolist(), strict=True)],
            "finish_reason": "stop", "n_tokens": (size // 4).astype(np.int32),
        }, schema_overrides={"family": pl.String})  # fmt: skip
        unknown = {
            name: None for name in contracts.TRACES.schema.names if name not in (*rows.columns, *contracts.DERIVED)
        }
        rows = rows.with_columns(**unknown).cast(
            {name: contracts.empty(contracts.TRACES).schema[name] for name in unknown}
        )
        yield add_text_columns(
            rows.with_columns(content_ids(rows.select("prompt_id", "generator", "sample_index")).alias("trace_id"))
        )


def _stretches(text: str, source: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each text begins in the long one, and how many characters it has: 650 in the median."""
    size = np.clip(source.lognormal(np.log(650), 0.6, count), 20, 6000).astype(np.int64)
    return source.integers(0, len(text) - 6000, count), size


def _judgments(
    source: np.random.Generator, traces: pl.DataFrame, judge: str, dimensions: list[str]
) -> Iterator[pl.DataFrame]:
    """A row group at a time, by trace and dimension: `answer` says right or wrong, the others what a model's
    probabilities make of a scale from 1 to 5."""
    trace_ids, quality, names = traces["trace_id"].to_numpy(), traces["quality"].to_numpy(), pl.Series(dimensions)
    for start in range(0, len(trace_ids) * len(dimensions), parquet.ROW_GROUP):
        trace, dimension = np.divmod(
            np.arange(start, min(start + parquet.ROW_GROUP, len(trace_ids) * len(dimensions))), len(dimensions)
        )
        seen = 1 / (1 + np.exp(-quality[trace] - source.normal(0, 0.8, len(trace))))
        score, expected = (
            ((seen > 0.5).astype(float), None)
            if judge == "answer"
            else (np.round(1 + 4 * seen), np.round(1 + 4 * seen, contracts.DECIMALS))
        )
        known = pl.Series("known", source.random(len(trace)) >= UNSCORED)
        part = pl.DataFrame(
            {"trace_id": trace_ids[trace], "dimension": names.gather(dimension), "score": score, "expected": expected},
            schema_overrides={"expected": pl.Float64},
        )
        yield part.select(
            "trace_id",
            pl.lit(judge).alias("judge"),
            "dimension",
            pl.lit(0, pl.Int32).alias("repeat"),
            pl.when(known).then("score").alias("score"),
            pl.when(known).then("expected").alias("expected_score"),
            pl.when(known).then(pl.lit("scored")).otherwise(pl.lit("unparsable")).alias("status"),
            pl.lit(None, pl.String).alias("rationale"),
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
