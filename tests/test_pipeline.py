"""`dvc repro` for real, in a folder of its own: a whole study of toy size, then what a change of params runs again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from served import ran
from tiny import save_tiny_llama

from curation.models.weights import fingerprint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
MODELS = {"strong": (1.0, "{q} The sum is {a}."), "weak": (0.1, "I say {wrong}."), "copy": (1.0, "{q} The sum is {a}.")}


def traces(file: Path) -> None:
    """Eight sums, each answered by three writers; `copy` writes what `strong` writes. Beside them three products, to
    evaluate on."""
    rows = []
    for i in range(8):
        question, answer = f"What is {i} + {i + 1}?", 2 * i + 1
        for model, (scale, text) in MODELS.items():
            completion = text.format(q=question, a=answer, wrong=answer + (i % 4 > 0))
            rows.append(
                {"problem": question, "gold": str(answer), "model": model, "billions": scale, "trace": completion}
            )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    products = [{"problem": f"What is {i} * 7?", "gold": str(7 * i)} for i in (3, 4, 5)]
    file.with_name("products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in products))


def toy_params(folder: Path) -> dict[str, Any]:
    """The project's params cut down to toy size: imported traces, the answer judge, a tiny student."""
    params: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    columns = {"prompt": "problem", "answer": "gold", "task": None}
    del params["licenses"]
    params["sources"] = {
        "sums": {"kind": "table", "path": "data/import/traces.jsonl", "split": "train", "columns": columns,
                 "verifier": "math", "instruction": None},
        "products": {"kind": "table", "path": "data/import/products.jsonl", "split": "in_domain",
                     "columns": columns, "verifier": "math", "instruction": None},
    }  # fmt: skip
    mapped = {
        "prompt": "problem",
        "completion": "trace",
        "generator": "model",
        "sample_index": None,
        "family": None,
        "scale_b": "billions",
        "finish_reason": None,
    }
    params["generators"] = {
        "writers": {
            "kind": "imported",
            "family": None,
            "scale_b": None,
            "path": "data/import/traces.jsonl",
            "columns": mapped,
            "unmatched": "error",
        }
    }
    params["judges"] = {"answer": params["judges"]["answer"]}
    params |= {"pairwise_judges": {}, "reliability": {"truth": "answer", "families": {}}}
    params["delta"]["panels"] = {}
    params["pair"] |= {"order": "both", "ladder": [], "samples": "all"}
    plain = params["x-selection"]
    params["selections"] = {
        "right": plain
        | {
            "value": "answer.delta_correct",
            "require": {"clear": "answer.delta_correct >= 1"},
            "keep": {"kind": "top"},
            "budget": {"pairs": 6},
        },
    }
    tiny = save_tiny_llama(folder / "tiny")
    params["student"] = {"model": "./tiny", "revision": fingerprint(tiny), "dtype": "float32", "device": "cpu"}
    dpo = params["methods"]["dpo"] | {"max_steps": 2, "bf16": False, "batch_size": 2, "accumulation": 1}
    dpo["lora"] |= {"modules": ["q_proj"], "layers": 1}
    params["methods"] = {"dpo": dpo}
    training = {name: value for name, value in dpo.items() if name != "kind"}
    params["scorers"] = {
        "held_out": {
            "kind": "implicit",
            "folds": 2,
            "rounds": 1,
            "seed": 0,
            "train_pairs": 8,
            "batch_size": 4,
            "training": training,
        }
    }
    params["generator_pairs"] = {"any": {"where": "true"}}
    params["grid"] |= {"methods": ["dpo"], "selections": ["right"]}
    right = {"plus": {"method": "dpo", "selection": "right"}, "minus": {"control": "random"}}
    params["contrasts"] = {"right": {**right, "benchmark": "products"}}
    params["compare"]["primary"] = "right"
    params["evaluate"]["sampling"] |= {"samples": 2, "max_tokens": 4}
    return params


def save(params: dict[str, Any], folder: Path) -> None:
    with (folder / "params.yaml").open("w") as out:
        YAML(typ="safe", pure=True).dump(params, out)


def run(folder: Path, *command: str, **variables: str) -> str:
    """The output of a command that must succeed in `folder`."""
    environment = (
        os.environ
        | variables
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def asked(folder: Path, query: str) -> Any:
    """The rows of a query of the tables."""
    return json.loads(ran(folder, "curation", "sql", "--json", query).stdout)


def stages_run(output: str) -> list[str]:
    """The names of the stages that `dvc repro` ran."""
    return sorted(line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy study, built once by `dvc repro`, its tables by four threads."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", "registered.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "data/import").mkdir(parents=True)
    (folder / "data/harness").mkdir(parents=True, exist_ok=True)
    for name in ("preferences", "pair_scores", "metrics/prefer"):
        (folder / "data" / name).mkdir(parents=True)
    traces(folder / "data/import/traces.jsonl")
    save(toy_params(folder), folder)
    run(folder, "dvc", "init", "-q", "--no-scm")
    run(folder, "dvc", "repro", POLARS_MAX_THREADS="4")
    return folder


def changed(study: Path, change: Callable[[dict[str, Any]], object], *command: str) -> list[str]:
    """The stages that run after a change of params.yaml, and after a `curation` command where one is given."""
    params = YAML(typ="safe", pure=True).load(study / "params.yaml")
    change(params)
    save(params, study)
    if command:
        assert ran(study, "curation", *command).returncode == 0
    return stages_run(run(study, "dvc", "repro"))


def test_the_second_repro_runs_nothing(study: Path) -> None:
    assert stages_run(run(study, "dvc", "repro")) == []


def test_pure_tables_rebuild_to_the_same_bytes(study: Path) -> None:
    """Tables by one thread where four made them, and arithmetic by four where there was one for each core or, beside
    other tests, one."""
    lines = run(
        study, sys.executable, "-m", "curation", "verify", POLARS_MAX_THREADS="1", OMP_NUM_THREADS="4"
    ).splitlines()
    assert len(lines) == 16
    assert all(line.endswith(": same bytes") for line in lines)


def test_pairs_and_selections_are_what_the_writers_imply(study: Path) -> None:
    rows = asked(study, "select chosen_model, rejected_model, count(*) as n, "
                        "count(*) filter (where identical) as identical, sum(delta) as gap "
                        "from pairs join deltas using (pair_id) group by all order by all")  # fmt: skip
    found = {(row["chosen_model"], row["rejected_model"]): (row["n"], row["identical"], row["gap"]) for row in rows}
    assert found[("strong", "copy")] == (8, 8, 0)
    assert found[("strong", "weak")] == (8, 0, 6)
    assert found[("weak", "strong")] == (8, 0, -6)
    kept = asked(study, "select reason, count(*) as n from selections where selection = 'right' group by all")
    assert {row["reason"]: row["n"] for row in kept} == {"kept": 6, "repeated": 6, "identical": 16, "clear": 20}


def test_metrics_and_comparisons_have_intervals(study: Path) -> None:
    metrics = json.loads((study / "data/metrics/compare.json").read_text())["dpo-right-any-own-itself"]["products"]
    assert {
        "avg_at_2",
        "avg_at_2_ci_low",
        "avg_at_2_ci_high",
        "avg_at_2_n",
        "avg_at_2_gain_over_baseline",
        "avg_at_2_gain_over_random",
    } <= set(metrics)
    shown = json.loads(run(study, "dvc", "metrics", "show", "--json"))
    assert "data/metrics/delta.json" in json.dumps(shown)
    assert (study / "data/plots/deltas.png").read_bytes()[:4] == b"\x89PNG"


def test_a_selection_and_a_run_run_only_what_depends_on_them(study: Path) -> None:
    assert changed(study, lambda p: p["selections"].update(few=p["x-selection"] | {"budget": {"pairs": 4}})) == [
        "arms",
        "audit",
        "compare",
        "report",
        "select@few",
    ]

    def one_run_for_another(params: dict[str, Any]) -> None:
        """The control goes, whose run would be one more to train."""
        params["grid"].update(selections=["right", "few"], controls=["itself"])
        params["contrasts"], params["compare"]["primary"] = {}, None

    assert changed(study, one_run_for_another, "orphans", "--delete") == [
        "arms", "audit", "check", "compare", "evaluate", "report", "train",
    ]  # fmt: skip


@pytest.mark.long
def test_judges_of_each_sort_and_a_panel_run_only_what_depends_on_them(study: Path) -> None:
    """A judge of answers; what people said of each pair of strong and weak, in a file; a selection by their verdicts,
    and a panel of them and the answer judge. What may read data/import looks at it again, and finds what it found."""
    said = {("strong", "weak"): "chosen", ("weak", "strong"): "rejected"}
    rows = [
        {"pair_id": int(row["pair_id"]), "verdict": said[both]}
        for row in asked(study, "select pair_id, chosen_model, rejected_model from pairs")
        if (both := (row["chosen_model"], row["rejected_model"])) in said
    ]
    (study / "data/import/people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    strict = {
        "kind": "answer",
        "extract": [{"kind": "regex", "pattern": "sum is (.+)[.]", "match": "last"}],
        "missing_answer": "unscored",
        "pass_at": 0.99,
    }
    people = {
        "kind": "imported",
        "path": "data/import/people.jsonl",
        "pair_id": "pair_id",
        "verdict": "verdict",
        "order": None,
        "unmatched": "error",
    }
    members = [
        {"judge": "answer", "dimension": "correct", "weight": 1.0},
        {"judge": "people", "dimension": "preference", "weight": 1.0},
    ]
    by_people = {"value": "people.delta_preference", "keep": {"kind": "top"}, "budget": {"pairs": 5}}

    def change(params: dict[str, Any]) -> None:
        params["judges"]["strict"] = strict
        params["pairwise_judges"]["people"] = people
        params["delta"]["panels"]["both"] = {"dimension": "quality", "rule": "mean", "members": members}
        params["selections"]["by_people"] = params["x-selection"] | by_people

    assert changed(study, change) == [
        "arms", "audit", "calibrate", "collect", "compare", "delta", "evaluate", "generate@writers", "judge@answer",
        "judge@strict", "prefer@people", "reliability", "report", "select@by_people", "select@few", "select@right",
    ]  # fmt: skip
    found = asked(study, "select judge, chosen_model, count(delta) as n, min(delta) as low "
                         "from deltas join pairs using (pair_id) where judge in ('people', 'both') "
                         "and chosen_model = 'strong' group by all order by all")  # fmt: skip
    assert [(row["judge"], row["n"]) for row in found] == [("both", 8), ("people", 8)] and all(
        row["low"] > 0 for row in found
    )
    kept = asked(study, "select chosen_model, count(*) as n from selections join pairs using (pair_id) "
                        "where selection = 'by_people' and kept group by all")  # fmt: skip
    assert kept == [{"chosen_model": "strong", "n": 5}]


def test_a_scorer_knows_every_pair_that_is_no_tie(study: Path) -> None:
    found = asked(study, "select scorer, identical, count(*) as n, count(implicit_margin) as margins, "
                         "max(n_rounds) as rounds, avg(held_out_loss) between 0.6 and 0.8 as undecided "
                         "from pair_scores join pairs using (pair_id) group by all order by all")  # fmt: skip
    assert found == [
        {"scorer": "held_out", "identical": False, "n": 32, "margins": 32, "rounds": 1, "undecided": True},
        {"scorer": "held_out", "identical": True, "n": 16, "margins": 0, "rounds": 0, "undecided": None},
    ]
    metrics = json.loads((study / "data/metrics/score_pairs/held_out.json").read_text())
    assert (metrics["pairs"], metrics["scored"], metrics["truncated"], metrics["held_out_loss_n"]) == (48, 32, 0, 8)


def test_what_was_moved_aside_and_back_is_up_to_date(study: Path) -> None:
    moved = ran(study, "curation", "aside").stdout
    assert "dvc.lock" not in {file.name for file in study.iterdir()}
    assert ran(study, "curation", "aside", "--back", moved.split(":")[0].rsplit("/")[-1]).returncode == 0
    assert stages_run(run(study, "dvc", "repro")) == []


def test_a_stray_file_and_a_misspelt_name_are_said_plainly(study: Path) -> None:
    orphan = study / "data/traces/old.parquet"
    shutil.copy(study / "data/traces/writers.parquet", orphan)
    done = ran(study, "stages.pair")
    assert done.returncode == 1
    listed, deleted, after = (ran(study, "curation", "orphans", *option).stdout for option in ([], ["--delete"], []))
    assert (
        "data/traces/old.parquet\n" in listed
        and "data/traces/old.parquet: deleted\n" in deleted
        and after == "there are none\n"
    )
    assert not orphan.exists()
    assert (
        done.stderr == "error: data/traces: params.yaml declares no 'old'; declare it, or delete its file: "
        "curation orphans --delete; another study's tables are moved away by curation aside\n"
    )
    done = ran(study, "stages.select", "rihgt")
    assert (done.returncode, done.stderr) == (
        1,
        "error: params.yaml: selections.rihgt: no such name; did you mean 'right'?\n",
    )
