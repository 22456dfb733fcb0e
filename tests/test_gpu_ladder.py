"""recipes/gpu_ladder.yaml from its files to its comparisons, on a CPU: an excerpt of its traces, benchmarks in the
layouts that it reads, a tiny student; and what docs/gpu.md says of it.

Kinds of fault: a recipe that was never run, which stops where its settings meet the real data; an arm that is declared
and has no pairs; a query on the page that finds no rows.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML
from served import Done, ran, save
from tiny import byte_tokenizer

from bench import gpu_study
from curation.core.params import read
from curation.models.weights import fingerprint

ROOT = Path(__file__).parents[1]
RECIPE, PAGE = ROOT / "recipes/gpu_ladder.yaml", ROOT / "docs/gpu.md"
TRACES = ROOT / "tests/data/zeroeval_gsm/traces.parquet"
STAGES = ("collect", "generate zeroeval", "judge answer", "renderings", "pair", "delta", "calibrate", "reliability")
RUNGS = ("command_r", "qwen2_7b", "llama_70b", "llama_405b")
CELLS = ("right_over_wrong", "right_over_right", "wrong_over_right", "wrong_over_wrong")
CORRECT = {cell: tuple(float(side == "right") for side in cell.split("_over_")) for cell in CELLS}
# what the study's own report says of each gain, in the order of its table: in domain, and out of it
REPORTED = [
    (0.030, -0.006, 0.066, -0.015, -0.066, 0.036), (0.080, 0.044, 0.116, 0.007, -0.039, 0.054),
    (0.060, 0.026, 0.094, -0.018, -0.065, 0.030), (0.040, 0.003, 0.077, -0.003, -0.050, 0.045),
    (0.068, 0.032, 0.105, 0.022, -0.025, 0.070), (-0.018, -0.054, 0.017, -0.068, -0.116, -0.019),
    (0.032, -0.002, 0.065, -0.020, -0.068, 0.028), (0.045, 0.010, 0.080, -0.015, -0.059, 0.029),
    (0.023, -0.010, 0.056, -0.007, -0.053, 0.038), (0.022, -0.014, 0.057, -0.003, -0.052, 0.047),
    (0.005, -0.031, 0.041, -0.005, -0.054, 0.044),
]  # fmt: skip


def test_the_grid_names_what_is_wanted_and_nothing_else() -> None:
    study = read(RECIPE)
    assert {(run.method, run.arm.selection, run.arm.control) for run in study.runs.values()} == {
        *(("dpo", name, "itself") for name in (*RUNGS, "null_405b", *CELLS)),
        *(("dpo", "llama_405b", control) for control in ("reversed", "length_matched")),
        ("kto", "llama_405b", "itself"),
        ("dpo", "larger", "itself"),
    }
    assert {run.seed for run in study.runs.values()} == {0, 1, 2}
    runs, arms = re.findall(r"\*\*(\d+) runs of (\d+) arms\*\*", PAGE.read_text())[0]
    assert (len(study.runs), len(study.arms)) == (int(runs), int(arms))


def test_the_page_shows_the_first_study_as_our_own_code_computes_it(capsys: pytest.CaptureFixture[str]) -> None:
    gpu_study.main()
    printed = capsys.readouterr().out.splitlines()
    lost = [line for line in printed if line not in PAGE.read_text().splitlines()]
    assert (lost, len(printed)) == ([], 2 + len(gpu_study.ARMS) + 4)


def test_it_agrees_with_what_the_study_reported() -> None:
    """Another's arithmetic over the same answers. Its intervals out of domain are stratified by benchmark, and ours are
    not, so that these differ in the third digit."""
    comparisons = gpu_study.compared(gpu_study.pooled(gpu_study.sound_results()))
    for line, reported in zip(list(gpu_study.tabulate(comparisons))[2:], REPORTED, strict=True):
        name, _, gain, interval, _, out, out_interval, _ = [cell.strip() for cell in line.split("|")[1:-1]]
        found = [float(number) for number in f"{gain} to {interval} to {out} to {out_interval}".split(" to ")]
        assert found == pytest.approx(reported, abs=0.0021), name


def save_student(folder: Path) -> Path:
    """`folder` holds a tiny Llama whose tokens are learnt from the traces: in bytes these would be longer than the
    recipe's `max_length`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    texts = pl.read_parquet(TRACES).select(pl.concat_str("problem", "trace"))["problem"]
    tokenizer = byte_tokenizer().train_new_from_iterator([texts.to_list()], vocab_size=1000)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def of_size_tiny(folder: Path) -> dict[str, Any]:
    """The recipe with another student on a CPU, arms of 16 pairs, one seed, a step a run and short answers, by one
    process; all else is its own."""
    params: dict[str, Any] = YAML(typ="safe", pure=True).load(RECIPE)
    tiny = save_student(folder / "tiny")
    params["student"] |= {"model": "./tiny", "revision": fingerprint(tiny), "device": "cpu"}
    params["evaluate"]["engine"]["device"] = "cpu"
    params["evaluate"]["sampling"]["max_tokens"] = 8
    params["grid"]["seeds"] = [0]
    params["execution"]["runs"] |= {"parallel": 1, "threads": 1}
    for selection in params["selections"].values():
        selection["budget"] = {"pairs": 16}
    for method in params["methods"].values():
        method |= {"max_steps": 1, "warmup_steps": 0}
    for source in ("gsm8k_held_out", "svamp"):  # of a few problems all, and not one in so many
        assert params["sources"][source].pop("where").startswith("md5(")
    return params


def put_files(folder: Path) -> None:
    """The files that docs/gpu.md tells a user to get, each of a few rows in its published layout."""
    (folder / "data/import").mkdir(parents=True)
    (folder / "data/import/zeroeval_gsm.parquet").write_bytes(TRACES.read_bytes())
    gsm8k = [
        {"question": f"Ann has {n} pens and buys {n + 1} more. How many?",
         "answer": f"She has {n} + {n + 1} = <<{n}+{n + 1}={2 * n + 1}>>{2 * n + 1} pens.\n#### {2 * n + 1}"}
        for n in range(4)
    ]  # fmt: skip
    math = [
        {"problem": f"Compute $2^{n}$.", "solution": "…", "answer": str(2**n), "subject": "Algebra", "level": level}
        for n, level in enumerate([1, 1, 1, 4])
    ]
    for name, rows in ("gsm8k_train", gsm8k), ("math_500", math):
        (folder / f"data/import/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    svamp = [
        {"ID": f"chal-{n}", "Body": f"There were {n + 9} birds.", "Question": f"{n} left. How many are there?",
         "Equation": "( 9.0 )", "Answer": 9.0, "Type": "Subtraction"}
        for n in range(4)
    ]  # fmt: skip
    (folder / "SVAMP.json").write_text(json.dumps(svamp))
    (made,) = re.findall(r"^python -c '(.+?)'$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    subprocess.run([sys.executable, "-c", made], cwd=folder, check=True)


def do(folder: Path, *stages: str) -> Done:
    """The last of the stages, of which all must end well."""
    for stage in stages:
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, (stage, done.stderr)
    return done


@pytest.mark.long
@pytest.mark.slow
def test_the_recipe_trains_and_compares_every_arm_that_it_names(tmp_path: Path) -> None:
    put_files(tmp_path)
    params = of_size_tiny(tmp_path)
    save(params, tmp_path)
    checked = ran(tmp_path, "curation", "params")
    assert checked.returncode == 0, checked.stderr
    do(tmp_path, *STAGES, *(f"select {name}" for name in params["selections"]), "arms", "audit", "train", "evaluate")
    do(tmp_path, "compare")
    arms = json.loads((tmp_path / "data/metrics/arms.json").read_text())
    assert len(arms) == 14 and all(12 <= figures["pairs"] <= 16 for figures in arms.values())
    assert pl.read_parquet(tmp_path / "data/runs.parquet")["status"].to_list() == ["trained"] * 15
    comparisons = pl.read_parquet(tmp_path / "data/comparisons.parquet").filter(measure="avg@4")
    assert comparisons["benchmark"].unique().sort().to_list() == ["gsm8k_held_out", "math_easy", "svamp"]
    contrasts = pl.read_parquet(tmp_path / "data/contrasts.parquet")
    assert contrasts.filter("primary")["contrast"].to_list() == ["direction"]
    assert contrasts.drop_nulls("refused")["contrast"].to_list() == []
    for cell, correct in CORRECT.items():
        subset = pl.read_parquet(tmp_path / f"data/arms/subsets/{cell}-any-own-itself.parquet")
        assert found_cells(tmp_path, subset) == {correct}
    rungs = [pl.read_parquet(tmp_path / f"data/arms/subsets/{name}-over_gemma-own-itself.parquet") for name in RUNGS]
    assert len({tuple(sorted(rows["prompt_id"])) for rows in rungs}) == 1  # of the same prompts
    for question in re.findall(
        r'^curation sql --md "((?:[^"\\\\]|\\\\.)+)"$', PAGE.read_text(), re.MULTILINE | re.DOTALL
    ):
        answer = ran(tmp_path, "curation", "sql", "--json", question.replace('\\"', '"'))
        assert answer.returncode == 0 and len(json.loads(answer.stdout)) > 1, (question, answer.stderr)


def found_cells(folder: Path, subset: pl.DataFrame) -> set[tuple[float, float]]:
    """Whether chosen and rejected are right, of the pairs that a subset has."""
    score = dict(pl.read_parquet(folder / "data/judgments/answer.parquet").select("trace_id", "score").rows())
    return {(score[a], score[b]) for a, b in subset.select("chosen_trace_id", "rejected_trace_id").rows()}
