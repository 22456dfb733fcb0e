"""A small study made by hand: three train prompts, three generators, two judges. Everything a test checks by hand is in
this file.

Base tables are written out below; the tables after them are what the toolkit makes of those.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from math import exp, log1p
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flow
import polars as pl
import pytest
from ruamel.yaml import YAML

from curation.core import params, stats
from curation.core.kinds import kind
from curation.experiment import arms, compare, contrast_table, grid, values
from curation.experiment.properties import Properties
from curation.models.student import Params as Student
from curation.pairs import delta, pair, pairwise
from curation.prompts import decontaminate
from curation.reliability import calibrate, reliability
from curation.selection import candidates, rules, subset
from curation.selection.select import select
from curation.selection.single_traces import TraceReaders
from curation.tables import contracts, measurements, parquet
from curation.tables.ids import content_id
from curation.tables.table import Table
from curation.traces import generate
from curation.training import examples, updates

PARAMS = Path(__file__).parent.parent / "params.yaml"

PROMPTS = {  # name: source, split, text, answer
    "plus": ("sums", "train", "What is 2 + 3?", "5"),
    "times": ("sums", "train", "What is 4 * 6?", "24"),
    "minus": ("sums", "train", "What is 7 - 9?", "-2"),
    "held_a": ("held_sums", "in_domain", "What is 8 + 1?", "9"),
    "held_b": ("held_sums", "in_domain", "What is 3 * 3?", "9"),
    "tree": ("letters", "out_of_domain", "How many e are in tree?", "2"),
}
DROPPED = ("sums", "what is 8+1", "9")  # source, text, answer of a train prompt that says what held_a says
RESPONSES = {"gpt": ("2 + 3 = 5.", 5.0), "llama": ("Six.", 1.0)}  # of a preference set, to plus: text, rating
GENERATORS = {"large": 7.0, "medium": 1.5, "small": 0.1}  # name: billions of parameters
ARM, BESIDE = "clear-any-own-itself", "clear-any-own-reversed"
ELSEWHERE = "elsewhere"  # a run that another harness measured
TUNED, TURNED = f"dpo-{ARM}-0", f"dpo-{BESIDE}-0"
RUNS = ("baseline", TUNED, TURNED)
GRID: dict[str, Any] = {
    "controls": {
        "itself": {"pairs": "own", "match": [], "labels": "as_is"},
        "reversed": {"pairs": "own", "match": [], "labels": "reversed"},
    },
    "generator_pairs": {"any": {"where": "true"}},
    "grid": {
        "methods": ["dpo"],
        "selections": ["clear"],
        "generator_pairs": ["any"],
        "budgets": ["own"],
        "controls": ["itself", "reversed"],
        "seeds": [0],
    },
}
PRIMARY = "direction"
CONTRASTS = {
    PRIMARY: {
        "plus": {"method": "dpo", "selection": "clear"},
        "minus": {"control": "reversed"},
        "benchmark": "held_sums",
    }
}
DIMENSIONS = {"answer": ["correct"], "rubric": ["logic", "brevity"]}
RATED = DIMENSIONS | {"versus": ["preference"]}  # with the pairwise judge

# prompt, generator, sample: completion (None failed), correct, logic in two repeats, brevity in two repeats (None
# unparsable)
TRACES: list[tuple[str, str, int, str | None, float | None, Sequence[float | None], Sequence[float | None]]] = [
    ("plus", "large", 0, "2 + 3 = 5", 1, (5, 5), (4, 4)),
    ("plus", "medium", 0, "2 + 3 is 5", 1, (4, 4), (3, 3)),
    ("plus", "small", 0, "2 + 3 = 6, I think, or 7", 0, (2, 3), (1, 1)),
    ("plus", "small", 1, "5", 1, (3, 3), (5, 5)),
    ("times", "large", 0, "4 * 6 = 24", 1, (4, 5), (4, 4)),
    ("times", "medium", 0, "4 * 6 = 26", 0, (5, 5), (4, 4)),
    ("times", "small", 0, None, None, (None, None), (None, None)),
    ("minus", "large", 0, "7 - 9 = 2", 0, (3, 3), (4, 4)),
    ("minus", "medium", 0, " 7 - 9 = 2\n", 0, (3, None), (4, 4)),
    ("minus", "small", 0, "-2", 1, (2, 2), (None, None)),
]
EXPECTED = {("times", "large", 0, "logic"): (4.6, 4.8)}  # expected scores of two repeats; null for all other traces

RESULTS = {  # run, prompt: score of sample 0 and 1 (None failed)
    ("baseline", "held_a"): (1, 0),
    ("baseline", "held_b"): (0, 0),
    ("baseline", "tree"): (0, 0),
    (TUNED, "held_a"): (1, 0),
    (TUNED, "held_b"): (1, 1),
    (TUNED, "tree"): (0, None),
    (TURNED, "held_a"): (0, 0),
    (TURNED, "held_b"): (0, 1),
    (TURNED, "tree"): (0, 0),
}

DELTA: dict[str, Any] = {"score": "expected", "noise": 1.0, "prior": 1.0, "panels": {}}
LIMITS = {"per_prompt": None, "generator_share": None}
PLAIN: dict[str, Any] = {
    "value": None, "require": {}, "keep": {"kind": "random"}, "budget": None, "strata": None, "limits": LIMITS,
    "order": None, "seed": 0,
}  # fmt: skip
SELECTIONS: dict[str, dict[str, Any]] = {
    "nothing": PLAIN | {"budget": {"pairs": 0}},
    "all": PLAIN,
    "clear": PLAIN | {
        "value": "rubric.delta_logic", "require": {"clear": "rubric.delta_logic >= 0.5"}, "keep": {"kind": "top"},
        "budget": {"pairs": 3}, "limits": LIMITS | {"per_prompt": 2},
    },
    "wordy": PLAIN | {"value": "rubric.delta_brevity", "keep": {"kind": "bottom"}},
    "capable": PLAIN | {"value": "answer.generator_delta_correct", "keep": {"kind": "top"}, "budget": {"pairs": 4}},
}  # fmt: skip
CELLS = {
    name: grid.Arm("clear", "any", "own", control, None) for name, control in ((ARM, "itself"), (BESIDE, "reversed"))
}
DECLARED = values.DeclaredRuns(
    {TUNED: ("dpo", "clear", "any", "own", "itself"), TURNED: ("dpo", "clear", "any", "own", "reversed")},
    {TUNED: 0, TURNED: 0},
    frozenset({"itself"}),
)
PARTS: dict[str, tuple[str, Iterable[str]]] = {  # table: the column that names its parts, and the parts
    "traces": ("generator", GENERATORS),
    "judgments": ("judge", DIMENSIONS),
    "preferences": ("judge", ("versus",)),
    "selections": ("selection", SELECTIONS),
    "results": ("run", RUNS),
}


@dataclass(frozen=True)
class World:
    """Every table; those that lie in parts without a column that names the part are kept by part."""

    prompts: pl.DataFrame
    decontamination: pl.DataFrame
    responses: pl.DataFrame
    ratings: pl.DataFrame
    listed_pairs: pl.DataFrame
    traces: pl.DataFrame
    judgments: pl.DataFrame
    renderings: pl.DataFrame
    pairs: pl.DataFrame
    preferences: pl.DataFrame
    pair_scores: pl.DataFrame
    deltas: dict[str, pl.DataFrame]
    generator_deltas: pl.DataFrame
    probabilities: pl.DataFrame
    reliability: pl.DataFrame
    calibration: pl.DataFrame
    selections: pl.DataFrame
    subsets: dict[str, pl.DataFrame]
    unpaired: dict[str, pl.DataFrame]
    examples: pl.DataFrame
    updates: pl.DataFrame
    runs: pl.DataFrame
    results: pl.DataFrame
    imported_results: pl.DataFrame
    provenance: pl.DataFrame
    comparisons: pl.DataFrame
    contrasts: pl.DataFrame


def prompt_id(name: str) -> int:
    """The id of a prompt of PROMPTS."""
    source, _, text, _ = PROMPTS[name]
    return content_id(source, text)


def trace_id(prompt: str, generator: str, sample: int = 0) -> int:
    """The id of a trace of TRACES."""
    return content_id(prompt_id(prompt), generator, sample)


def pair_id(chosen: tuple[str, str, int], rejected: tuple[str, str, int]) -> int:
    """The id of the pair of two traces, each given as prompt, generator and sample."""
    return content_id(trace_id(*chosen), trace_id(*rejected))


def frame(table: Table, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows given in the order of the table's columns; those that they leave out at the end are null."""
    schema = contracts.empty(table).schema
    return pl.DataFrame([(*row, *[None] * (len(schema) - len(row))) for row in rows], schema=schema, orient="row")


def rows_of(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows given by the names of their columns, so that a new column breaks none; what they do not name is null."""
    schema = contracts.empty(table).schema
    assert {column for row in rows for column in row} <= set(schema), f"a column that {table.name} does not have"
    return pl.DataFrame(rows, schema=schema)


def traced(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of `traces` given up to n_tokens, without reasoning."""
    names = (
        "trace_id",
        "prompt_id",
        "generator",
        "sample_index",
        "family",
        "scale_b",
        "completion",
        "finish_reason",
        "n_tokens",
    )
    named = [dict(zip(names, row, strict=False)) for row in rows]
    return generate.add_text_columns(rows_of(contracts.TRACES, named))


def renderings(written: pl.DataFrame) -> pl.DataFrame:
    """The rows of `renderings` for a student whose tokens are words, and whose prompts are ten of them."""
    counted = written.filter(pl.col("completion").is_not_null()).select(
        "trace_id", pl.col("completion").str.split(" ").list.len().cast(pl.Int32).alias("tokens"), rendered_id="text_id"
    )
    whole = counted.with_columns(
        pl.lit(10, pl.Int32).alias("prompt_tokens"), pl.col("tokens").alias("completion_tokens"),
        (pl.col("tokens") + 1).alias("target_tokens"), pl.lit(True).alias("completion_kept"),
        pl.lit(False).alias("empty_block"), pl.lit(True).alias("ends_in_eos"), pl.lit(True).alias("prompt_is_prefix"),
    )  # fmt: skip
    rows = pl.concat([contracts.empty(contracts.RENDERINGS), whole], how="diagonal")
    return written.select("trace_id").join(rows, on="trace_id", how="left", maintain_order="left").select(rows.columns)


def prompt_row(source: str, split: str, text: str, answer: str) -> dict[str, Any]:
    """One row of `prompts`, of one user message."""
    return {
        "prompt_id": content_id(source, text),
        "source": source,
        "task": "arithmetic",
        "split": split,
        "prompt": [{"role": "user", "content": text}],
        "answer": answer,
        "verifier": "math",
    }


def prompts() -> pl.DataFrame:
    """The rows of `prompts`."""
    return rows_of(contracts.PROMPTS, [prompt_row(*parts) for parts in PROMPTS.values()])


def decontamination() -> pl.DataFrame:
    """The rows of `decontamination`: every train prompt of PROMPTS is kept, DROPPED is not."""
    source, text, answer = DROPPED
    again = rows_of(contracts.PROMPTS, [prompt_row(source, "train", text, answer)])
    return decontaminate.decontaminate(
        decontaminate.Params.model_validate(settings()["decontaminate"]), pl.concat([prompts(), again]), {}
    )


def response_id(generator: str) -> int:
    """The id of a response of RESPONSES."""
    return content_id(prompt_id("plus"), f"{generator}\x1f{RESPONSES[generator][0]}", 0)


def responses() -> pl.DataFrame:
    """The rows of `responses`, all to one prompt."""
    rows = [
        {"trace_id": response_id(name), "source": "sums", "prompt_id": prompt_id("plus"), "generator": name,
         "sample_index": 0, "completion": text, "finish_reason": "stop", "external_id": f"r-{name}"}
        for name, (text, _) in RESPONSES.items()
    ]  # fmt: skip
    return rows_of(contracts.RESPONSES, rows)


def ratings() -> pl.DataFrame:
    """The rows of `ratings`."""
    rows = [
        {"source": "sums", "trace_id": response_id(name), "dimension": "helpfulness", "repeat": 0, "score": score}
        for name, (_, score) in RESPONSES.items()
    ]
    return rows_of(contracts.RATINGS, rows)


def listed_pairs() -> pl.DataFrame:
    """The one row of `listed_pairs`."""
    sides = {"chosen_trace_id": response_id("gpt"), "rejected_trace_id": response_id("llama")}
    about = {"listed_id": content_id(*sides.values()), "source": "sums", "prompt_id": prompt_id("plus")}
    told = {"verdict": "chosen", "order": contracts.UNKNOWN, "external_id": "row-1", "carried": '{"lang": "en"}'}
    return rows_of(contracts.LISTED_PAIRS, [about | sides | told])


def traces() -> pl.DataFrame:
    """The rows of `traces`."""
    rows = [
        {
            "trace_id": trace_id(prompt, generator, sample),
            "prompt_id": prompt_id(prompt),
            "generator": generator,
            "sample_index": sample,
            "family": "family",
            "scale_b": GENERATORS[generator],
            "completion": text,
            "finish_reason": "error" if text is None else "stop",
            "n_tokens": None if text is None else len(text),
        }
        for prompt, generator, sample, text, *_ in TRACES
    ]
    return generate.add_text_columns(rows_of(contracts.TRACES, rows))


def judgments() -> pl.DataFrame:
    """The rows of `judgments` of both judges."""
    rows: list[dict[str, Any]] = []
    for prompt, generator, sample, text, correct, logic, brevity in TRACES:
        failed = "error" if text is None else "unparsable"
        rated = {"correct": (correct,), "logic": logic, "brevity": brevity}
        for dimension, scores in rated.items():
            judge = "answer" if dimension == "correct" else "rubric"
            expected = EXPECTED.get((prompt, generator, sample, dimension), (None, None))
            rows += [
                {
                    "trace_id": trace_id(prompt, generator, sample),
                    "judge": judge,
                    "dimension": dimension,
                    "repeat": repeat,
                    "score": score,
                    "expected_score": expected[repeat],
                    "status": failed if score is None else "scored",
                    "rationale": "compared" if judge == "answer" else None,
                }
                for repeat, score in enumerate(scores)
            ]
    return rows_of(contracts.JUDGMENTS, rows)


def preferences(pairs: pl.DataFrame) -> pl.DataFrame:
    """The rows of `preferences` of a judge that finds large's trace better in both orders, and else whichever it is
    shown first."""
    rows = []
    for number, model in pairs.filter(~pl.col("identical")).select("pair_id", "chosen_model").rows():
        for order in contracts.ORDERS:
            better = "chosen" if model == "large" or order == "chosen_first" else "rejected"
            strength = 0.8 if better == "chosen" else -0.6
            rows.append({"pair_id": number, "judge": "versus", "dimension": "preference",
                         "order": order, "repeat": 0, "verdict": better,
                         "strength": strength, "p_tie": 0.1, "status": "scored"})  # fmt: skip
    return rows_of(contracts.PREFERENCES, rows)


def pair_scores(pairs: pl.DataFrame) -> pl.DataFrame:
    """The rows of `pair_scores` of a scorer whose policy, trained twice, finds every chosen side e times as likely
    as the student does."""
    scores = {
        "chosen_logp": -3.0, "rejected_logp": -4.0, "chosen_tokens": 5, "rejected_tokens": 4, "truncated": False,
        "policy_chosen_logp": -2.0, "policy_rejected_logp": -4.0, "implicit_margin": 0.1,
        "held_out_loss": log1p(exp(-0.1)), "n_rounds": 2,
    }  # fmt: skip
    return rows_of(measurements.PAIR_SCORES, [
        {"pair_id": number} | ({"n_rounds": 0} if identical else scores)
        for number, identical in pairs.select("pair_id", "identical").rows()
    ])  # fmt: skip


def runs() -> pl.DataFrame:
    """The rows of `runs`: both were trained."""
    return frame(measurements.RUNS, [
        (run, f"key of {run}", "trained", f"sha256:{run}", 4, '{"loss":0.5}') for run in sorted((TUNED, TURNED))
    ])  # fmt: skip


def results() -> pl.DataFrame:
    """The rows of `results` of both runs."""
    rows = [
        {
            "run": run,
            "benchmark": PROMPTS[name][0],
            "split": PROMPTS[name][1],
            "prompt_id": prompt_id(name),
            "sample_index": sample,
            "completion": None if score is None else f"It is {score}",
            "finish_reason": "error" if score is None else "stop",
            "score": score,
            "status": "error" if score is None else "scored",
        }
        for (run, name), scores in RESULTS.items()
        for sample, score in enumerate(scores)
    ]
    return rows_of(measurements.RESULTS, rows)


def imported_results() -> pl.DataFrame:
    """The rows of `imported_results`, of a run that the study does not declare."""
    rows = [
        {
            "run": ELSEWHERE,
            "benchmark": "their_sums",
            "split": "out_of_domain",
            "prompt_id": content_id("their_sums", number),
            "sample_index": 0,
            "finish_reason": "stop",
            "score": score,
            "status": "scored",
        }
        for number, score in enumerate((0.0, 1.0, 1.0))
    ]
    return rows_of(measurements.IMPORTED_RESULTS, rows)


def provenance() -> pl.DataFrame:
    """The rows of `provenance`, of that run."""
    said = {"harness": ("table", True), "model": ("theirs", False)}
    return frame(measurements.PROVENANCE, [("their_sums", ELSEWHERE, field, *rest) for field, rest in said.items()])


@cache
def _own() -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(PARAMS))


def own() -> dict[str, Any]:
    """The project's own params, read once, without the licenses of its sources; the copy may be changed."""
    return {name: section for name, section in deepcopy(_own()).items() if name != "licenses"}


def settings() -> dict[str, Any]:
    """The project's own params, cut down to the names of this world; the copy may be changed."""
    raw = own()
    source = next(body for body in raw["sources"].values())
    generator = next(body for body in raw["generators"].values())
    rubric = next(body for body in raw["judges"].values() if body["kind"] == "rubric")
    dimension = next(body for body in rubric["dimensions"].values())
    training = {name: value for name, value in raw["methods"]["dpo"].items() if name != "kind"}
    body = {
        **{
            name: raw[name]
            for name in ("student", "renderings", "ledger", "budget", "execution", "decontaminate", "calibrate")
        },
        "audit": {"identical": 0.2, "generator": 0.99, "length": 9.0, "kto": 1.5},
        "sources": {name: {**source, "split": split} for name, split, *_ in PROMPTS.values()},
        "generators": {name: {**generator, "scale_b": scale} for name, scale in GENERATORS.items()},
        "judges": {
            "answer": raw["judges"]["answer"],
            "rubric": {**rubric, "repeats": 2, "dimensions": dict.fromkeys(DIMENSIONS["rubric"], dimension)},
        },
        "pair": pairing(order="ladder", ladder=list(GENERATORS), within_generator=True, samples="matched").model_dump(),
        "pairwise_judges": {"versus": raw["pairwise_judges"]["pairwise"]},
        "scorers": {
            "held_out": {
                "kind": "implicit",
                "folds": 2,
                "rounds": 2,
                "seed": 0,
                "train_pairs": None,
                "batch_size": 4,
                "training": training,
            }
        },
        "delta": DELTA,
        "reliability": {"truth": "answer", "families": {}},
        "selections": SELECTIONS,
        **GRID,
        "methods": {"dpo": raw["methods"]["dpo"]},
        "evaluate": {**raw["evaluate"], "judge": "answer"},
        "contrasts": CONTRASTS,
        "compare": {"primary": PRIMARY},
    }
    return deepcopy(body)


def selection(name: str, **changes: Any) -> Any:
    """The typed settings of one of SELECTIONS, with some of them changed."""
    return rules.Params.model_validate(SELECTIONS[name] | changes)


def examples_of(subsets: Mapping[str, pl.DataFrame], rendered: pl.DataFrame, texts: subset.Texts) -> pl.DataFrame:
    """The rows of `examples` of arms that one DPO learns from, none of which is cut."""
    arms_rows = {name: examples.ArmRows(rows, subset.unpair(rows)) for name, rows in subsets.items()}
    method = {"dpo": examples.Method("dpo", own()["methods"]["dpo"]["max_length"])}
    known = examples.Rendered(rendered, texts, lambda: pytest.fail("nothing is to be rendered"))
    student = Student.model_validate(own()["student"])
    return examples.examples(arms_rows, dict.fromkeys(subsets, method), known, student)


def generator_deltas(
    pairs: pl.DataFrame, wide: Mapping[str, pl.DataFrame], rated: Mapping[str, list[str]]
) -> pl.DataFrame:
    """The rows of `generator_deltas` of all judges."""
    ordered = pairs.sort("pair_id")
    groups = stats.Clusters(ordered.select("chosen_model", "rejected_model"), ordered["prompt_id"])
    return pl.concat(
        delta.generator_deltas(groups, wide[judge][f"delta_{name}"], judge, name)
        for judge, names in rated.items()
        for name in names
    )


def pairing(**changes: Any) -> pair.Params:
    """The typed settings of pairs of all traces of a prompt in both orders, with some of them changed."""
    every = {
        "order": "both",
        "ladder": [],
        "chosen": None,
        "rejected": None,
        "within_generator": False,
        "samples": "all",
        "identical": "mark",
        "empty": "drop",
    }
    return pair.Params.model_validate(every | changes)


@cache
def sound() -> World:
    """What the toolkit makes of the base tables, made once: nobody changes it, `replace` makes another."""
    return world(judgments())


def world(judged: pl.DataFrame) -> World:
    """What the toolkit makes of the base tables with these judgments."""
    body, written, answered = settings(), traces(), results()
    pairs = pair.pair(pair.Params(**body["pair"]), written)
    per_judge = {judge: judged.filter(pl.col("judge") == judge) for judge in DIMENSIONS}
    how, preferred = delta.Params(**body["delta"]), preferences(pairs)
    wide = {judge: delta.deltas(how, pairs, per_judge[judge], names) for judge, names in DIMENSIONS.items()}
    wide["versus"] = pairwise.pairwise_deltas(how, pairs, preferred, ["preference"])
    means = generator_deltas(pairs, wide, RATED)
    probabilities, _ = calibrate.calibrate(calibrate.Params(**body["calibrate"]), pairs, wide, RATED)
    seen = reliability.JudgeTables(per_judge, {"versus": preferred}, wide, probabilities, RATED)
    measured, curves = reliability.reliability(reliability.Params(**body["reliability"]), seen, pairs, written)
    view = candidates.from_frames(
        pairs, wide, means, written, renderings(written), prompts(), {"held_out": pair_scores(pairs)}
    )
    selections = {name: select(name, selection(name), view) for name in SELECTIONS}
    texts = subset.from_frames(written, prompts(), responses(), listed_pairs())
    subsets = {name: subset.add_messages(subset.kept_rows(made, RATED), texts) for name, made in selections.items()}
    declared = params._study(Path("params.yaml"), body)
    subsets |= {
        arm.name: subset.add_messages(made.rows, texts) for arm, made in arms.arms(CELLS.values(), declared, view)
    }
    read_by = examples_of({name: subsets[name] for name in CELLS}, renderings(written), texts)
    scored = values.study_values(DECLARED, answered)
    return World(
        prompts(), decontamination(), responses(), ratings(), listed_pairs(), written, judged, renderings(written),
        pairs, preferred, pair_scores(pairs), wide, means, probabilities, measured, curves,
        pl.concat(made.verdicts.cast({"reason": pl.String}) for made in selections.values()),
        subsets, {name: subset.unpair(rows, texts) for name, rows in subsets.items()},
        read_by,
        updates.updates(read_by, read_by.clear(), {"dpo": kind("methods", "dpo").Params(**body["methods"]["dpo"])}),
        runs(),
        answered,
        imported_results(),
        provenance(),
        compare_results(DECLARED, answered, dict.fromkeys((TUNED, TURNED), 3)),
        contrast_table.declared_contrasts(declared, scored, Properties(declared, view, subsets.__getitem__), {}),
    )  # fmt: skip


def compare_results(
    declared: values.DeclaredRuns, answered: pl.DataFrame, pairs_of_run: Mapping[str, int]
) -> pl.DataFrame:
    """The rows of `comparisons` of these results."""
    scored = values.study_values(declared, answered)
    return compare.compare(declared, scored, values.Answers(answered), pairs_of_run, {})


def write(world: World, folder: Path) -> Path:
    """The path of a params.yaml in `folder`, with every table of `world` in `folder`/data beside it."""
    for parent in {file.parent for file in sound_files()}:
        (folder / parent).mkdir(parents=True, exist_ok=True)
    for file, body in sound_files().items():
        (folder / file).write_bytes(body)
    put(world, folder / "data", sound())
    return folder / "params.yaml"


def trace_readers(study: World) -> TraceReaders:
    """What unpaired examples of a study read, with the scores of the judge `answer`."""
    return TraceReaders(
        lambda columns: study.traces.select(columns), lambda columns: study.renderings.select(columns),
        lambda columns: study.prompts.select(columns),
        {"answer": lambda columns: study.judgments.filter(judge="answer").select(columns)},
        lambda columns: study.responses.select(columns),
    )  # fmt: skip


@cache
def sound_files() -> dict[Path, bytes]:
    """What lies in a folder with the sound world, written once."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        put(sound(), folder / "data", None)
        flow.write(settings(), folder / "params.yaml")
        return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def put(world: World, data: Path, there: World | None) -> None:
    """Every table of `world` is in `data`, where those of `there` are already."""

    def new(name: str, one: str | None = None) -> bool:
        had, has = (
            None if of is None else getattr(of, name) if one is None else getattr(of, name)[one]
            for of in (there, world)
        )
        return has is not had

    for name in (
        "prompts",
        "decontamination",
        "responses",
        "ratings",
        "listed_pairs",
        "renderings",
        "pairs",
        "generator_deltas",
        "probabilities",
        "reliability",
        "calibration",
        "examples",
        "updates",
        "runs",
        "imported_results",
        "provenance",
        "comparisons",
        "contrasts",
    ):
        if new(name):
            parquet.write(contracts.TABLES[name], getattr(world, name), contracts.path(name, data=data))
    for name, (part, names) in PARTS.items():
        for one in names if new(name) else ():
            parquet.write(
                contracts.TABLES[name],
                getattr(world, name).filter(pl.col(part) == one),
                contracts.path(name, one, data),
            )
    if new("pair_scores"):
        parquet.write(measurements.PAIR_SCORES, world.pair_scores, contracts.path("pair_scores", "held_out", data))
    for judge, rows in world.deltas.items():
        if new("deltas", judge):
            table = contracts.deltas(RATED[judge], pairwise=judge == "versus")
            parquet.write(table, rows, contracts.path("deltas", judge, data))
    for name in ("subsets", "unpaired"):
        for one in filter(lambda one: new(name, one), (*SELECTIONS, *CELLS)):
            place = contracts.arm_path if one in CELLS else contracts.path
            parquet.write(contracts.TABLES[name], getattr(world, name)[one], place(name, one, data))
