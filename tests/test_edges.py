"""Every setting of params.yaml at its edges: what the check accepts runs to its end, what it refuses is one sentence.

Each number is put at its two ends and just beyond them, each text is made blank, broken or odd, each switch is thrown;
then the stage that reads it runs on a small study, with a real two-layer model and a real server. Kinds of fault: a
value that passes the check and that a library refuses, overflows on or never returns from; a check that falls itself.
"""

import importlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import flow
import polars as pl
import pytest
import world
from fields import Setting, settings
from server import Answer, ChatServer, Request, good
from tiny import save_tiny_llama, save_tiny_reward_model

from curation.core.errors import CurationError
from curation.core.needs import look_around
from curation.core.params import read
from curation.core.text import LONGEST_LINE
from curation.experiment.terms import ARM
from curation.models import weights
from curation.tables import contracts, measurements, parquet


class SmallStudy(NamedTuple):
    """Its folder, and what its params.yaml holds."""

    folder: Path
    raw: dict[str, Any]


class Reader(NamedTuple):
    """Where in the small study an entry of a kind stands, and the stages that read it."""

    entries: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]


HARNESS_LOGS = Path(__file__).parent / "data/harness_logs"
ENTRY = "the entry"  # whose setting it is
READERS = {
    "audit": Reader(("audit",), (("audit",),)),
    "budget": Reader(("budget",), (("generate", "small"),)),
    "calibrate": Reader(("calibrate",), (("calibrate",), ("reliability",))),
    "compare": Reader(("compare",), (("compare",),)),
    "contrasts": Reader(
        tuple(
            f"contrasts.{name}"
            for name in (
                "sides",
                "other",
                "total",
                "line",
                "by_pairs",
                "parts",
                "axes",
                "on_each",
                "deltas",
                "dimensions",
            )
        ),
        (("compare",),),
    ),
    "controls": Reader(("controls.itself", "controls.matched"), (("arms",),)),
    "decontaminate": Reader(("decontaminate",), (("collect",),)),
    "delta": Reader(("delta",), (("delta",),)),
    "evaluate": Reader(("evaluate",), (("evaluate",),)),
    "generator_pairs": Reader(("generator_pairs.any",), (("arms",),)),
    "generators.imported": Reader(("generators.medium",), (("generate", "medium"),)),
    "generators.openai": Reader(("generators.small",), (("generate", "small"),)),
    "generators.transformers": Reader(("generators.large",), (("generate", "large"),)),
    "grid": Reader(("grid",), (("arms",), ("train",))),
    "judges.answer": Reader(("judges.answer",), (("judge", "answer"),)),
    "judges.imported": Reader(("judges.people", "judges.raters", "judges.sides"), (("judge", ENTRY),)),
    "judges.process": Reader(("judges.steps",), (("judge", "steps"),)),
    "judges.reward": Reader(("judges.steps_of",), (("judge", "steps_of"),)),
    "judges.rubric": Reader(("judges.rubric",), (("judge", "rubric"),)),
    "ledger": Reader(("ledger",), (("generate", "small"),)),
    "methods.dpo": Reader(("methods.dpo",), (("train",),)),
    "methods.kto": Reader(("methods.kto",), (("train",),)),
    "methods.sft": Reader(("methods.sft",), (("train",),)),
    "models": Reader(("models",), (("evaluate",),)),
    "pair": Reader(("pair",), (("pair",),)),
    "pairwise_judges.imported": Reader(("pairwise_judges.panel", "pairwise_judges.voters"), (("prefer", ENTRY),)),
    "pairwise_judges.verdict": Reader(("pairwise_judges.versus",), (("prefer", "versus"),)),
    "reliability": Reader(("reliability",), (("reliability",),)),
    "scorers.implicit": Reader(("scorers.held_out",), (("score_pairs", "held_out"),)),
    "scorers.reference": Reader(("scorers.plain",), (("score_pairs", "plain"),)),
    "selections": Reader(
        ("selections.clear", "selections.band", "selections.near", "selections.shares", "selections.single"),
        (("select", ENTRY),),
    ),
    "sources.pairs": Reader(("sources.set",), (("collect",),)),
    "sources.reasoning_gym": Reader(("sources.sums",), (("collect",),)),
    "sources.table": Reader(("sources.own",), (("collect",),)),
    **{
        f"results.{kind}": Reader((f"results.{kind}_sums",), (("import_results",),))
        for kind in ("inspect", "lighteval", "lm_eval", "table")
    },
    "student": Reader(("student",), (("train",),)),
    "renderings": Reader(("renderings",), (("renderings",),)),
}
MADE_ONCE = (("judge", "people"), ("judge", "raters"), ("judge", "sides"), ("judge", "steps"),
             ("judge", "steps_of"), ("prefer", "panel"), ("prefer", "voters"), ("score_pairs", "plain"), ("delta",),
             ("calibrate",))  # fmt: skip
NOT_RUN = {  # what no edge is run of, and why
    "licenses": "no stage reads it: tests/test_release_leaks.py",
    "methods.soft_dpo": "wants probabilities, and so more labelled pairs: tests/test_soft_dpo.py",
    "execution": "wants a Ray cluster, or many processes: tests/test_cluster.py, tests/test_workers.py",
    **dict.fromkeys(
        (
            *(f"contrasts.{place}" for place in ("minus", "runs", "trend.over", "regress.over")),
            *(f"contrasts.sum.{axis}" for axis in (*ARM, "model")),
        ),
        "the same class as contrasts.plus",
    ),
    "generators.listed": "the set of this study has no traces: tests/test_listed.py",
    "judges.listed": "a scale as of judges.imported; no trace of the set to rate: tests/test_listed.py",
    "pairwise_judges.listed": "names a source and nothing else: tests/test_listed.py",
    "judges.imported.responses.trace": "the same class as judges.imported.trace",
    "pairwise_judges.imported.a": "the same class as judges.imported.trace",
    "pairwise_judges.imported.b": "the same class as judges.imported.trace",
    "generators.vllm": "wants vllm; tests/test_vllm.py",
    "evaluate.engine.endpoint": "the same class as generators.openai.endpoint",
    "evaluate.engine.python": "wants vllm",
    "evaluate.engine.max_model_len": "wants vllm",
    "evaluate.engine.tensor_parallel": "wants vllm",
    "evaluate.engine.gpu_memory": "wants vllm",
    "evaluate.engine.eager": "wants vllm",
    "evaluate.engine.concurrency": "wants vllm",
    "sources.pairs.columns.messages": "stands in the place of prompt: tests/test_preference_sets.py",
    **dict.fromkeys(
        (
            "sources.pairs.dataset",
            "sources.table.dataset",
            "generators.imported.dataset",
            "judges.imported.dataset",
            "pairwise_judges.imported.dataset",
        ),
        "stands in the place of path: tests/test_user_datasets.py",
    ),
    "judges.reward.engine.endpoint": "the same class as generators.openai.endpoint",
    "sources.table.columns.messages": "stands in the place of prompt: tests/test_messages.py",
    "generators.imported.columns.messages": "stands in the place of prompt and completion: tests/test_messages.py",
    "sources.table.columns.answer": "a name or a mapping: tests/test_imported.py",
    "scorers.implicit.training": "the same class as methods.dpo",
    "scorers.implicit.rounds": "each trains two models; its bounds are in tests/mistakes.py",
    "scorers.implicit.folds": "each trains a model; its bounds are in tests/mistakes.py",
}
ONLY_MORE_WORK = {  # numbers whose upper end takes as long as it says
    "samples", "repeats", "max_steps", "epochs", "rounds", "folds", "prompts", "n", "accumulation", "permutations",
    "concurrency", "batch_size", "rank",
}  # fmt: skip
ITSELF, TURNED = (
    {"method": ["dpo"], "selection": ["clear"], "generator_pairs": ["any"], "budget": ["own"], "control": [control]}
    for control in ("itself", "reversed")
)
OTHERS = [{**ITSELF, "method": [method]} for method in ("kto", "sft")]
CONTRASTS: dict[str, Any] = {  # of each form one, or two where settings exclude each other
    "sides": {"plus": ITSELF, "minus": TURNED, "benchmark": {"held_sums": 1.0}, "family": "f", "margin": {
        "equivalence": 0.1}},
    "other": {"plus": {"model": ["whole"]}, "minus": TURNED, "benchmark": {"held_sums": 1.0}, "margin": {
        "non_inferiority": 0.1}},
    "total": {"sum": [ITSELF | {"weight": 1.0}, TURNED | {"weight": -1.0}], "benchmark": {"held_sums": 1.0}},
    "line": {"trend": {"over": [ITSELF, TURNED, *OTHERS], "by": [0.0, 1.0, 2.0, 4.0], "steps": True},
             "benchmark": {"held_sums": 1.0}, "all": True, "spread": {"equivalence": 0.1}},
    "by_pairs": {"trend": {"over": [ITSELF, TURNED], "by": "rubric.delta_logic"}, "benchmark": {"held_sums": 1.0}},
    "parts": {"regress": {"on": {"logic": "rubric.delta_logic"}, "over": [ITSELF, TURNED, *OTHERS]},
              "benchmark": {"held_sums": 1.0}},
    "axes": {"each": {**ITSELF}, "plus": {}, "minus": {"model": ["baseline"]},
             "benchmark": {"held_sums": 1.0}},
    "on_each": {"each": {"benchmark": ["held_sums"]}, "plus": ITSELF, "minus": TURNED},
    "deltas": {"trend": {"over": "deltas", "value": "rubric.delta_logic", "where": "not identical",
                         "by": "answer.generator_delta_correct"}},
    "dimensions": {"trend": {"over": "deltas", "by": "answer.generator_delta_correct"},
                   "each": {"value": ["rubric.delta_logic"]}},
}  # fmt: skip
CHAT_TEMPLATE = """{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}
{%- if add_generation_prompt %}<assistant>{% endif %}"""
TEXTS = ["", " ", "x\ny", "é✓ x", "y" * 3000, "\0", "~"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server whose replies fit whatever schema they are asked for."""

    def answer(request: Request) -> Answer:
        schema = next(_find(request.body.get("response_format") or {}, "properties"), {})
        body = {name: one.get("enum", [one.get("const", "why")])[0] for name, one in schema.items()}
        return good(json.dumps(body) if body else "2 + 3 = 5")

    with ChatServer(answer) as server:
        yield server.url


def _find(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from [value[name]] if name in value else [found for one in value.values() for found in _find(one, name)]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, url: str) -> "SmallStudy":
    """A folder with the small study: every kind but those of NOT_RUN, and all tables."""
    folder = tmp_path_factory.mktemp("study")
    world.write(world.sound(), folder)
    model = save_tiny_llama(folder / "tiny")
    save_tiny_reward_model(folder / "reward", labels=2, steps=True)
    own = {"model": "tiny", "revision": weights.fingerprint(model)}
    raw = {**world.settings(), "decontaminate": {
        "exact": True, "ngram": {"n": 3, "share": 0.5},
        "near_duplicates": {"shingle": 3, "permutations": 16, "threshold": 0.9, "seed": 0},
        "near_duplicate_responses": {"shingle": 3, "threshold": 0.9},
    }}  # fmt: skip
    (folder / "chat.jinja").write_text(CHAT_TEMPLATE)
    raw["student"] = {
        **own, "dtype": "float32", "device": "cpu", "reasoning": "text", "chat_template": "chat.jinja",
        "chat_template_revision": weights.fingerprint(folder / "chat.jinja"), "system": "Be brief.",
        "template_date": "2026-01-31",
    }  # fmt: skip
    marks = {"kind": "delimiters", "opens": "<t>", "closes": "</t>", "opens_in_prompt": False}
    sampling = {"samples": 1, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "max_tokens": 2, "seed": 0}
    endpoint = {
        "base_url": url, "engine": "test", "api_key_env": None, "concurrency": 2, "timeout_s": 20.0, "max_retries": 0,
        "validation_retries": 0, "dialect": None,
    }  # fmt: skip
    here = {"dtype": "float32", "device": "cpu", "batch_size": 2}
    named = {"family": "family", "system": "Be brief.", "sampling": sampling, "reasoning": marks}
    columns = {
        "prompt": "prompt", "completion": "text", "generator": None, "sample_index": None, "family": None,
        "scale_b": None, "finish_reason": None, "prompt_id": None, "trace_id": None, "reasoning": "thought",
        "system": "first", "tools": "tools", "options": None,
    }  # fmt: skip
    raw["generators"] = {
        "large": {"kind": "transformers", "scale_b": 7.0, **named, **own, **here},
        "medium": {
            "kind": "imported", "family": None, "scale_b": 1.5, "path": "traces.jsonl", "where": "prompt <> ''",
            "rows": None,
            "columns": columns, "unmatched": "drop", "reasoning": marks,
        },
        "small": {"kind": "openai", "scale_b": 0.1, "model": "m", "revision": "r", **named, "endpoint": endpoint},
        "set": {"kind": "listed", "source": "set", "family": None, "scale_b": None},
    }  # fmt: skip
    # nothing is trained yet, so that `evaluate` asks the student alone
    parquet.write(measurements.RUNS, contracts.empty(measurements.RUNS), contracts.path("runs", data=folder / "data"))
    none = contracts.empty(contracts.TRACES)
    parquet.write(contracts.TRACES, none, contracts.path("traces", "set", folder / "data"))
    train = [text for _, split, text, _ in world.PROMPTS.values() if split == "train"]
    rated = {
        "trace_id": world.trace_id("plus", "large"),
        "good": 1.5,
        "text": "2 + 3 = 5",
        "thought": None,
        "why": "so",
    }
    pair = world.pair_id(("plus", "large", 0), ("plus", "medium", 0))
    verdict = {
        "pair_id": pair, "verdict": "chosen", "shown": "chosen_first", "c": "2 + 3 = 5", "r": "2 + 3 is 5",
        "c_thought": None, "r_thought": None, "why": "so",
    }  # fmt: skip
    named_so = {
        "trace_id": None, "prompt_id": None, "prompt": "q", "generator": "by", "sample_index": "n",
        "completion": "text", "reasoning": "thought", "system": "before", "tools": "may_call",
    }  # fmt: skip
    of_large = {"q": world.PROMPTS["plus"][2], "by": "large", "n": 0, "text": "2 + 3 = 5"}
    of_large |= dict.fromkeys(("thought", "before", "may_call"))
    of_medium = of_large | {"by": "medium", "text": "2 + 3 is 5"}
    said = {"on": "Logic", "x": 0.5, "why": "so", "who": "ann", "when": "2026-01-31", "step": 0, "won": "A"}
    voted = said | {
        f"{name}_{side}": value for side, row in (("a", of_large), ("b", of_medium)) for name, value in row.items()
    }
    for name, rows in {
        "raters": [of_large | said],
        "voters": [voted],
        "traces": [
            {"prompt": text, "text": "It is 5.", "thought": "2 + 3", "first": None, "tools": None} for text in train
        ],
        "people": [rated],
        "panel": [verdict],
        "prompts": [{"q": "What is 1 + 1?", "a": "2", "t": "sums", "i": "p1", "s": "Be brief.", "u": None}],
        "set": [{"q": "What is 1 + 2?", "a": "3", "t": "sums", "i": "p2", "s": "Be brief.", "u": None, "r": "r1",
                 "good": "It is 3.", "bad": "It is 4.", "lang": "en"}],
    }.items():  # fmt: skip
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw["sources"]["own"] = {
        "kind": "table", "path": "prompts.jsonl", "where": "i = 'p1'", "rows": None, "split": "train",
        "columns": {"prompt": "q", "answer": "a", "task": "t", "prompt_id": "i", "system": "s", "tools": "u",
                    "options": None},
        "verifier": "math",
        "instruction": "Be brief.",
    }  # fmt: skip
    raw["sources"]["set"] = {
        "kind": "pairs", "path": "set.jsonl", "split": "train", "where": "lang = 'en'", "rows": None,
        "layout": {"kind": "pair", "chosen": "good", "rejected": "bad"},
        "columns": {"prompt": "q", "answer": "a", "task": "t", "prompt_id": "i", "system": "s", "tools": "u",
                    "row_id": "r", "carried": ["lang"]},
        "transcript": {"user": "Human:", "assistant": "Assistant:", "system": "System:"}, "reasoning": marks,
        "verifier": "math", "instruction": "Be brief.",
    }  # fmt: skip
    for task in (task for source in raw["sources"].values() for task in source.get("tasks", {}).values()):
        task["prompts"] = 2
    asked = {"endpoint": endpoint, "model": "m", "revision": "r"}
    rubric = raw["judges"]["rubric"] | asked
    shared = {name: value for name, value in rubric.items() if name not in ("kind", "calls", "dimensions")}
    raw["judges"] = {
        "answer": raw["judges"]["answer"], "rubric": rubric,
        "people": {
            "kind": "imported", "path": "people.jsonl", "where": "good > 1", "rows": None,
            "trace_id": "trace_id",
            "dimensions": {"helpful": "good"},
            "unmatched": "error", "completion": "text", "reasoning": "thought", "scale": {"helpful": [0.0, 5.0]},
            "words": {"good": 1.0},
            "rationale": {"helpful": "why"},
        },
        "raters": {
            "kind": "imported", "path": "raters.jsonl", "unmatched": "drop", "trace": named_so, "dimension": "on",
            "dimensions": {"helpful": "Logic"}, "score": "x", "rationale": "why", "repeat": None, "rater": "who",
            "latest": "when", "steps": {"aggregate": "min", "index": "step"}, "missing": ["-"],
        },
        "sides": {
            "kind": "imported", "path": "raters.jsonl", "unmatched": "error",
            "responses": [{
                "trace": named_so, "dimensions": {"helpful": "x"}, "score": None, "rationale": {"helpful": "why"},
            }],
        },
        "steps": {"kind": "process", **shared, "separator": "\n+", "max_steps": 9},
        "steps_of": {
            "kind": "reward", "model": "reward", "revision": weights.fingerprint(folder / "reward"),
            "engine": {
                "kind": "transformers", "input": "chat", "max_length": 512, "template_date": "2026-01-31", **here,
            },
            "dimensions": ["reward"], "delimiters": ["<t>", "</t>"], "scale": {"reward": [0.0, 1.0]},
            "steps": {"separator": "\n+", "token": "<step>", "label": 1, "aggregate": "min"},
        },
    }  # fmt: skip
    raw["pairwise_judges"] = {
        "versus": raw["pairwise_judges"]["versus"] | asked,
        "panel": {"kind": "imported", "path": "panel.jsonl", "where": "shown is not null",
                  "rows": None,
                  "pair_id": "pair_id", "verdict": "verdict",
                  "order": "shown", "unmatched": "error", "chosen": "c", "rejected": "r",
                  "chosen_reasoning": "c_thought", "rejected_reasoning": "r_thought",
                  "rationale": {"preference": "why"}},
        "voters": {
            "kind": "imported", "path": "voters.jsonl", "unmatched": "error", "dimension": "on",
            **{side: {ours: theirs and f"{theirs}_{side}" for ours, theirs in named_so.items()} for side in "ab"},
            "dimensions": {"preference": "Logic"}, "verdict": "won", "words": {"a": ["A"], "b": ["B"]},
            "shown_first": "a", "negative": None, "rationale": "why", "repeat": None, "rater": "who", "latest": "when",
            "missing": ["-"],
        },
    }  # fmt: skip
    members = [{"judge": "rubric", "dimension": name, "weight": 1.0} for name in world.DIMENSIONS["rubric"]]
    raw["delta"] = raw["delta"] | {
        "panels": {"both": {"dimension": "quality", "rule": "mean_z", "members": members}},
    }
    raw["budget"] = {
        "max_usd": 5.0,
        "max_calls": 5000,
        "prices": {"m": {"prompt": 1.0, "completion": 1.0, "cached": 0.5, "batch": 0.5}},
    }
    assumed = {"accuracy": 0.5, "same_run": 0.5, "other_run": 0.4, "seed_sd": 0.01}
    raw["compare"] = raw["compare"] | {"detect": 0.03, "assume": assumed}
    raw["reliability"] = {"truth": "answer", "families": {"rubric": "family"}}
    training = raw["methods"]["dpo"] | {
        "max_steps": 1, "batch_size": 2, "max_length": 64,
        "lora": {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj"], "layers": 1},
    }  # fmt: skip
    plain = {name: value for name, value in training.items() if name not in ("kind", "loss", "beta", "precompute")}
    unkind = {name: value for name, value in training.items() if name != "kind"}
    raw["methods"] = {
        "dpo": training,
        "kto": plain | {
            "kind": "kto", "beta": 0.1, "precompute": False, "desirable_weight": 1.0, "undesirable_weight": 1.0,
        },
        "sft": plain | {"kind": "sft", "lora": training["lora"] | {"dropout": 0.1}},  # it does nothing in the others
    }  # fmt: skip
    raw["scorers"] = {
        "held_out": raw["scorers"]["held_out"] | {"rounds": 1, "train_pairs": 4, "training": unkind},
        "plain": {"kind": "reference", "max_length": 64, "batch_size": 2},
    }
    wanted = {"selection": "clear", "generator_pairs": ["any"], "budget": ["own", 2], "control": "reversed"}
    wanted |= {"methods": ["dpo", "kto", "sft"], "seeds": [0], "draws": [0]}
    raw["grid"] |= {"methods": ["dpo", "kto", "sft"], "draws": [0], "arms": [wanted, {"selection": "clear"}]}
    sides = {side: raw["contrasts"]["direction"][side] | {"budget": "own"} for side in ("plus", "minus")}
    raw["contrasts"] = {"direction": raw["contrasts"]["direction"] | sides, **CONTRASTS}
    longer = {"updates": "as_all", "require": "own"}
    raw["controls"] = raw["controls"] | {
        "matched": {"pairs": "drawn", "match": ["chosen_model"], "labels": "as_is"} | longer
    }
    raw["evaluate"] = raw["evaluate"] | {
        "engine": {"kind": "transformers", **here}, "sampling": sampling, "reasoning": marks,
        "benchmarks": {"letters": sampling | {"samples": 2}},
    }  # fmt: skip
    raw["models"] = {"whole": "tiny"}
    raw["results"] = write_logs(folder)
    value = {"value": "rubric.delta_logic"}
    share = {"per_prompt": 2, "generator_share": {"side": "chosen", "at_most": 1.0}}
    raw["selections"] = raw["selections"] | {
        "clear": raw["selections"]["clear"] | {
            "limits": share, "order": {"by": "rubric.delta_logic", "first": "lowest"},
        },
        "band": world.PLAIN | value | {
            "keep": {"kind": "band", "low": 0.0, "high": 2.0}, "p_chosen": "rubric.p_chosen_logic",
        },
        "near": world.PLAIN | value | {"keep": {"kind": "nearest", "target": 1.0}},
        "shares": world.PLAIN | value | {
            "keep": {"kind": "top"}, "budget": {"share": 0.5}, "strata": {"by": "chosen_model", "shares": "equal"},
        },
        "single": world.PLAIN | {
            "unpaired": {
                "label": "rubric.logic > 3", "require": {"short": "characters < 99"}, "budget": {"traces": 2},
            },
        },
    }  # fmt: skip
    flow.write(raw, folder / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in MADE_ONCE:
            run_stage(patch, stage)
        run_stage(patch, ("arms",))  # which the audit reads
        assert look_around(read(folder / "params.yaml")) == ([], [])
    return SmallStudy(folder, raw)


def write_logs(folder: Path) -> dict[str, Any]:
    """What `results` says of logs of each harness, which lie in the folder."""
    logs, name = folder / "data/harness", "details_sums_2026-11-27T04-12-12.1.parquet"
    for kind in ("lm_eval", "inspect"):
        shutil.copytree(HARNESS_LOGS / kind / "plain", logs / kind)
    details = {"doc": [{"id": "0", "query": "1 + 1?"}], "metric": [{"em": 1.0}], "model_response": [{"text": ["2"]}]}
    pl.DataFrame(details).write_parquet(logs / name)
    row = {"q": "1 + 1?", "n": 0, "points": 1.0, "said": "2", "failed": None}
    (logs / "scores.jsonl").write_text(json.dumps(row) + "\n")
    columns = {"prompt": "q", "sample": "n", "score": "points", "completion": "said", "error": "failed"}
    of_kinds: dict[str, dict[str, Any]] = {
        "inspect": {
            "task": "whole_sums",
            "scorer": "form",
            "metric": "digits",
            "runs": {"whole": "data/harness/inspect"},
        },
        "lighteval": {"task": ["sums"], "metric": "em", "runs": {"whole": f"data/harness/{name}"}},
        "lm_eval": {
            "task": "sums",
            "metric": "exact_match",
            "filter": "strict-match",
            "runs": {"whole": "data/harness/lm_eval"},
        },
        "table": {"columns": columns, "where": "n = 0", "runs": {"whole": "data/harness/scores.jsonl"}},
    }
    shared = {"split": "in_domain", "scale": [0.0, 1.0]}
    return {f"{kind}_sums": {"kind": kind, **shared, **settings} for kind, settings in of_kinds.items()}


def run_stage(patch: pytest.MonkeyPatch, stage: tuple[str, ...]) -> None:
    patch.setattr(sys, "argv", list(stage))
    importlib.import_module(f"stages.{stage[0]}").main()


def edges(setting: Setting) -> list[Any]:
    """What is put in the setting's place."""
    if setting.type is bool:
        return [True, False]
    if setting.type is str:
        return list(TEXTS)
    low, high = setting.low, setting.high
    values: list[Any] = [0, -1, 1, 2**64]
    if setting.type is float:
        values += [math.inf, math.nan, 1e-300]
    for bound, step in ((low, -1), (high, 1)):
        if bound is not None:
            values.append(setting.type(bound))
            values.append(bound + step if setting.type is int else math.nextafter(bound, step * math.inf))
    if high is not None and setting.place.rpartition(".")[2] in ONLY_MORE_WORK:
        values = [value for value in values if not (max(4, low or 0) < value <= high)]
    return values


def places(raw: Any, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """The keys of the first value that `names` lead to: `*` is any name, a list is entered at its first part."""
    if isinstance(raw, list) and raw:
        yield from ((0, *rest) for rest in places(raw[0], names))
    elif not names:
        yield ()
    elif isinstance(raw, dict):
        for name in list(raw)[:1] if names[0] == "*" else [names[0]]:
            if name in raw:
                yield from ((name, *rest) for rest in places(raw[name], names[1:]))


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[at[0]] = put(value[at[0]], at[1:], new)
    return changed


class Case(NamedTuple):
    reader: str
    at: tuple[Any, ...]
    value: Any

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.at))}: {str(self.value)[:40]!r}"


def cases(raw: dict[str, Any]) -> tuple[list[Case], set[str]]:
    """Every edge of every setting, and the settings that the small study has not."""
    found, absent = list[Case](), set[str]()
    for setting in settings():
        reader = next((name for name in READERS if f"{setting.place}.".startswith(f"{name}.")), None)
        if any(f"{setting.place}.".startswith(f"{name}.") for name in NOT_RUN):
            continue
        if reader is None:
            absent.add(setting.place)
            continue
        names = setting.place.removeprefix(reader).strip(".").split(".")
        entries = [[*entry.split("."), *names] for entry in READERS[reader].entries]
        at = next((at for entry in entries for at in places(raw, [name for name in entry if name])), None)
        if at is None:
            absent.add(setting.place)
        else:
            found += [Case(reader, at, value) for value in edges(setting)]
    return found, absent


def outcome(case: Case, raw: dict[str, Any], folder: Path) -> str:
    """`refused`, `ran`, or what a stage said in one sentence, of the study with one value changed. Whatever else
    happens is raised."""
    flow.write(put(raw, case.at, case.value), folder / "params.yaml")
    try:
        study = read(folder / "params.yaml")
        lines = look_around(study).unmet
    except CurationError as error:
        lines = str(error).splitlines()
    if lines:
        assert all(line.startswith(f"{folder / 'params.yaml'}: ") and line.isprintable() for line in lines), lines
        return "refused"
    for stage in READERS[case.reader].stages:
        sys.argv = [part.replace(ENTRY, str(case.at[1])) for part in stage]
        try:
            importlib.import_module(f"stages.{stage[0]}").main()
        except CurationError as error:
            said = error.report()
            lines = said.splitlines()  # one, but for runs, each of which has its own
            assert len(lines) == 1 or stage == ("train",), said
            assert all(line.isprintable() and len(line) <= LONGEST_LINE + 7 for line in lines), said
            return f"late: {said}"
    return "ran"


LATE = [  # what only running shows: the end of a place, and words of what is said
    ("ladder.0", "wrote no trace; generators are"),
    ("offline", "ledger.offline is true"),
    ("max_usd", "is reached"),
    ("max_calls", "is reached"),
    ("m.prompt", "is reached"),
    ("m.completion", "is reached"),
    ("held_out.seed", "has all 3 prompts in one fold"),
    ("max_length", "no prompt leaves room for an answer"),
    ("student.system", "no prompt leaves room for an answer"),
]


def run(
    chosen: Callable[[Case], bool], study: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    raw = study.raw
    monkeypatch.setattr(sys, "argv", [])
    counts = {"refused": 0, "ran": 0, "late": 0}
    faults = []
    for number, case in enumerate(filter(chosen, cases(raw)[0])):
        folder = tmp_path / str(number)
        shutil.copytree(study.folder, folder)
        monkeypatch.chdir(folder)
        try:
            what = outcome(case, raw, folder)
        except Exception as error:
            faults.append(f"{case}: {type(error).__name__}: {str(error)[:200]}")
        else:
            late = what not in counts
            counts["late" if late else what] += 1
            place = ".".join(map(str, case.at))
            if late and not any(place.endswith(name) and said in what for name, said in LATE):
                faults.append(f"{case}: {what[:250]}")
        shutil.rmtree(folder)
    assert faults == []
    return counts


@pytest.mark.slow
def test_every_setting_is_in_the_small_study(study: SmallStudy) -> None:
    found, absent = cases(study.raw)
    assert absent == set()
    assert len(found) > 1000


FAST, SLOW = 6, 8


def draw(number: int, among: Iterable[Case]) -> list[Case]:
    """So many of the cases, the same ones each time."""
    return sorted(among, key=lambda case: sha256(str(case).encode()).digest())[:number]


def test_some_edges_run_or_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what no model is needed for, in the world of the other tests."""
    world.write(world.sound(), tmp_path / "study")
    small = SmallStudy(tmp_path / "study", world.settings())
    readers = ("pair", "selections", "controls", "generator_pairs", "audit")  # none that draws a plot
    drawn = draw(FAST, (case for case in cases(small.raw)[0] if case.reader in readers))
    counts = run(lambda case: case in drawn, small, tmp_path, monkeypatch)
    assert counts["refused"] and counts["ran"]


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_edges_of_every_section_run_or_are_refused(
    reader: str, study: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of each, which any run of the tests has time for."""
    drawn = draw(SLOW, (case for case in cases(study.raw)[0] if case.reader == reader))
    counts = run(lambda case: case in drawn, study, tmp_path, monkeypatch)
    assert sum(counts.values()) > 0


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_every_edge_runs_or_is_refused(
    reader: str, study: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = run(lambda case: case.reader == reader, study, tmp_path, monkeypatch)
    assert sum(counts.values()) > 0
