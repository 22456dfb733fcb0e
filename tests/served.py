"""A small study whose generator and judge stand behind one chat server, as folders that stages and commands run in."""

import contextlib
import importlib
import io
import json
import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flow import write
from server import Answer, Request, good
from world import own

from curation.core.errors import run
from curation.tables.ids import content_id

ROOT = Path(__file__).parents[1]
PROGRESS = re.compile(r"^.+: \d+/\d+ .+ in \d+ .+\n", re.MULTILINE)  # as Progress.describe writes it
SCORES = {1: "bad", 2: "poor", 3: "fair", 4: "good", 5: "very good"}
TABLES = ("traces/writer.parquet", "judgments/rubric.parquet")


def answering(request: Request) -> Answer:
    """Text or ratings that follow from the request alone, as a sampled model with a seed would give."""
    draw = content_id(json.dumps(request.body["messages"]), request.body["seed"])
    if "response_format" in request.body:
        return good(json.dumps({"steps": 1 + draw % 5, "sums": 1 + draw // 7 % 5}))
    return good(f"It is {draw}.")


class Held:
    """Answers ten requests; those after them wait from when `begun` is set until `go` is."""

    def __init__(self) -> None:
        self.begun, self.go, self.lock, self.count = threading.Event(), threading.Event(), threading.Lock(), 0

    def __call__(self, request: Request) -> Answer:
        with self.lock:
            self.count += 1
            late = self.count > 10
        if late and not self.go.is_set():
            self.begun.set()
            self.go.wait(30)
        return answering(request)


def served_params(folder: Path, url: str, prompts: int, samples: int = 2, **changes: Any) -> dict[str, Any]:
    """`folder` holds params.yaml and its prompts: `prompts` x `samples` calls of generate, and as many of judge."""
    params = own()
    (folder / "data/import").mkdir(parents=True, exist_ok=True)
    (folder / "data/import/prompts.jsonl").write_text(
        "".join(json.dumps({"q": f"What is {n} + 1?", "a": str(n + 1)}) + "\n" for n in range(prompts))
    )
    columns = {"prompt": "q", "answer": "a", "task": None}
    source = {
        "kind": "table",
        "path": "data/import/prompts.jsonl",
        "split": "train",
        "columns": columns,
        "verifier": "math",
        "instruction": None,
    }
    endpoint = {
        "base_url": url,
        "engine": "fake",
        "api_key_env": None,
        "concurrency": 4,
        "timeout_s": 20.0,
        "max_retries": 2,
        "validation_retries": 0,
    }
    writer = {**params["generators"]["qwen-500m"], "model": "writer", "revision": "r1", "endpoint": endpoint | changes}
    writer["sampling"] = writer["sampling"] | {"samples": samples}
    rubric = {**params["judges"]["rubric"], "model": "judge", "revision": "r1", "endpoint": endpoint | changes}
    rubric["dimensions"] = {
        name: {"description": f"How good are its {name}?", "scores": SCORES} for name in ("steps", "sums")
    }
    rubric["sampling"] = rubric["sampling"] | {"top_logprobs": 0}
    params |= {
        "sources": {"sums": source},
        "generators": {"writer": writer},
        "judges": {"answer": params["judges"]["answer"], "rubric": rubric},
    }
    params |= {"pairwise_judges": {}, "reliability": {"truth": "answer", "families": {}}}
    params["delta"]["panels"] = {}
    params["pair"] |= {"order": "both", "ladder": [], "within_generator": True}
    params["selections"], params["generator_pairs"] = (
        {"all": params["selections"]["all"]},
        {"any": params["generator_pairs"]["any"]},
    )
    params["grid"] = {axis: [] for axis in params["grid"]}
    params["contrasts"], params["compare"] = {}, {"primary": None}
    save(params, folder)
    return params


def save(params: dict[str, Any], folder: Path) -> None:
    """`folder` holds them as params.yaml."""
    write({name: body for name, body in params.items() if not name.startswith("x-")}, folder / "params.yaml")


class Done(NamedTuple):
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def ran(folder: Path, *arguments: str, typed: str = "") -> Done:
    """What `python -m …` does in `folder`, in this process: a tenth of the time of one of its own. `typed` is its
    standard input.
    Progress is left out of `stderr`: whether any is told depends on how busy the machine is."""
    name = "curation.__main__" if arguments[0] == "curation" else arguments[0]
    module, out, err, code = importlib.import_module(name), io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setattr(sys, "argv", [module.__file__, *arguments[1:]])
        patch.setattr(sys, "stdin", io.StringIO(typed))
        try:
            run(module.main)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            err.write(f"{ended.code}\n" if isinstance(ended.code, str) else "")
    return Done(code, out.getvalue(), PROGRESS.sub("", err.getvalue()))


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`python -m …` in `folder`, as a process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_with(child: subprocess.Popen[str], piece: str) -> str:
    """The next line on its stderr that has this piece, or nothing once it has ended: on a busy machine lines of
    progress come before."""
    return next((line for line in child.stderr or () if piece in line), "")


def ended(folder: Path, *arguments: str) -> Done:
    """The same, to its end."""
    child = started(folder, *arguments)
    out, err = child.communicate(timeout=120)
    return Done(child.returncode, out, err)


def rebuilt(folder: Path) -> dict[str, bytes]:
    """The recorded tables after all stages that make them."""
    for stage in (["stages.collect"], ["stages.generate", "writer"], ["stages.judge", "rubric"]):
        done = ran(folder, *stage)
        assert done.returncode == 0, done.stderr
    return {name: (folder / "data" / name).read_bytes() for name in TABLES}


def draws(seed: int, count: int, most: int) -> list[int]:
    """`count` numbers from 1 to `most`."""
    source = random.Random(seed)
    return [source.randint(1, most) for _ in range(count)]
