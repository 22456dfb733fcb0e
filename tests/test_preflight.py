"""What the student would learn is said before a judge is paid, and of any model on a machine without torch.

Kinds of fault: a judge that is paid for traces whose reasoning no training will see; a look that needs weights, or that
writes something.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flow
import polars as pl
import pytest
import tiny
import world
from conftest import Serve
from served import answering, ran, save, served_params
from server import Answer, Request, shaped
from test_renderings import ANSWER, THOUGHT

from curation.models import weights
from curation.tables import contracts, parquet
from curation.traces import generate

SHIPPED = "chat_templates"


def template(name: str) -> Path:
    """One of the templates that TRL ships."""
    import trl

    return Path(trl.__file__).parent / SHIPPED / f"{name}.jinja"


def student_of(folder: Path, **settings: Any) -> dict[str, Any]:
    """A student of which the tokenizer alone is there, under the template of DeepSeek's distilled models."""
    file = template("deepseek_r1_distill")
    if not folder.exists():
        tiny.save_tiny_tokenizer(folder)
    return {
        "model": str(folder), "revision": weights.fingerprint(folder), "dtype": "float32", "device": "cpu",
        "chat_template": str(file), "chat_template_revision": weights.fingerprint(file), **settings,
    }  # fmt: skip


def thinking(request: Request) -> Answer:
    """A server of a model that thinks, and of a judge."""
    if "response_format" in request.body:
        return answering(request)
    message = {"role": "assistant", "content": ANSWER, "reasoning_content": THOUGHT}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37}
    return shaped({"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice],
                   "usage": usage})  # fmt: skip


@pytest.mark.slow
def test_lost_reasoning_is_said_by_generate_and_plan_and_no_judge_is_asked(serve: Serve, tmp_path: Path) -> None:
    server = serve(thinking)
    params = served_params(tmp_path, server.url, prompts=3, samples=1)
    params["student"] = student_of(tmp_path / "student", reasoning="inline")
    save(params, tmp_path)
    lost = (
        "generator writer: 3 of 3 traces lose reasoning with student.reasoning: inline; under this chat template text "
        "would keep it: set student.reasoning: text, or drop, to learn from the answers alone"
    )
    assert ran(tmp_path, "curation", "plan").returncode == 0, "nothing is known before a trace is there"
    assert ran(tmp_path, "stages.collect").returncode == 0
    made = ran(tmp_path, "stages.generate", "writer")
    assert made.returncode == 0 and f"warning: {lost}" in made.stderr and "with_reasoning" in made.stderr
    planned = ran(tmp_path, "curation", "plan")
    assert (
        planned.returncode == 1
        and f"error: params.yaml: {lost}" in planned.stderr
        and "calls to make" in planned.stdout
    )
    assert json.loads(ran(tmp_path, "curation", "plan", "--json").stdout)["stops"] == [lost]
    stopped = ran(tmp_path, "stages.renderings")
    assert stopped.returncode == 1 and lost in stopped.stderr and not (tmp_path / "data/rendered.txt").exists()
    params["student"]["reasoning"] = "text"
    save(params, tmp_path)
    for stage in (["stages.renderings"], ["curation", "plan"]):
        done = ran(tmp_path, *stage)
        assert done.returncode == 0 and "lose" not in done.stderr
    assert (tmp_path / "data/rendered.txt").exists() and len(server.requests) == 3


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Path]:
    """The sound world, where large reasons, for a student whose template deletes reasoning."""
    params = world.write(world.sound(), tmp_path)
    flow.write(world.settings() | {"student": student_of(tmp_path / "student", reasoning="inline")}, params)
    reasons = (
        world.sound()
        .traces.filter(generator="large")
        .with_columns(reasoning=pl.when(pl.col("completion").is_not_null()).then(pl.lit(THOUGHT)))
    )
    file = contracts.path("traces", "large", tmp_path / "data")
    parquet.write(contracts.TRACES, generate.add_text_columns(reasons), file)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    yield tmp_path
    after = {
        file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and ".curation" not in file.parts
    }
    assert after == {file: body for file, body in before.items() if ".curation" not in file.parts}


def said(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = ran(folder, "curation", "preflight", "--json", *options)
    return done.returncode, json.loads(done.stdout)


def test_preflight_says_of_another_setting_what_that_would_lose(study: Path) -> None:
    code, as_it_is = said(study)
    (generator,) = [
        line for line in as_it_is["stops"] if line.startswith("generator large: 3 of 3 traces lose reasoning")
    ]
    assert code == 1 and "text would keep it" in generator
    assert any(re.search(r"the template deletes all reasoning of (\d) of \1 ", line) for line in as_it_is["stops"])
    assert {row["arm"] for row in as_it_is["arms"]} == set(world.CELLS)
    (opening,) = [line for line in as_it_is["warnings"] if "evaluate.reasoning does not say so" in line]
    assert opening.startswith("the student: ")
    code, mended = said(study, "--reasoning", "text")
    assert (code, mended["stops"]) == (0, [])
    assert any("have reasoning on one side only as dpo reads them" in line for line in mended["warnings"])
    assert [row["reasoning_lost"] for row in mended["generators"]] == [0, 0, 0]
    code, other = said(study, "--template", str(template("qwen3")), "--reasoning", "reasoning_content")
    assert code == 0 and other["generators"][1]["empty_blocks"] == 3
    assert not any("evaluate.reasoning" in line for line in other["warnings"])


def test_preflight_says_what_another_length_cuts(study: Path) -> None:
    code, cut = said(study, "--reasoning", "text", "--max-length", "60")
    (row,) = [row for row in cut["arms"] if row["arm"] == world.ARM]
    assert row["max_length"] == 60 and row["cut_chosen"] == 3 and row["answers_cut"] >= 3
    assert cut["generators"][0]["longer"] == 3
    assert code == 1 and any(f"raise methods.dpo.max_length to {row['longest']}" in line for line in cut["stops"])


def test_preflight_prints_tables_and_sentences(study: Path) -> None:
    done = ran(study, "curation", "preflight")
    assert done.returncode == 1 and "with_reasoning" in done.stdout and world.ARM in done.stdout.replace("\n", "")
    assert "error: generator large: " in done.stderr
    assert ran(study, "curation", "preflight", "--max-length", "0").returncode == 2
    missing = ran(study, "curation", "preflight", "--template", "no.jinja")
    assert missing.returncode == 1 and missing.stderr == "error: no.jinja: does not exist; name a file of Jinja\n"
    unknown = ran(study, "curation", "preflight", "--model", "./nowhere")
    assert (
        unknown.returncode == 1 and unknown.stderr.startswith("error: ./nowhere: ") and unknown.stderr.count("\n") == 1
    )


@pytest.mark.slow
def test_preflight_needs_no_torch(study: Path) -> None:
    hidden = "import sys; sys.modules.update(torch=None, trl=None, peft=None, accelerate=None)"
    command = f"{hidden}; from curation.__main__ import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", command, "preflight", "--reasoning", "text"],
        cwd=study,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "large" in done.stdout
