"""docs/extending.md, done as it says: its judge saved where it tells, held to mypy, and run in a copy of the source.

Kinds of fault: an example that no longer fits the Protocol or the table; a page that names another file, entry or
column than the ones that work.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import flow
import polars as pl
import pytest
import world
from ruamel.yaml import YAML
from test_types import cache_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()
HELD = """from curation.judging.judges import {0}
from curation.judging.judges._kind import JudgeKind

_held: JudgeKind[{0}.Params] = {0}
"""


def block(language: str) -> str:
    """The page's only fenced block of a language, without the indentation of its list."""
    (text,) = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    return "".join(line.removeprefix(text[0]) for line in text[1].splitlines(keepends=True))


KIND = re.search(r"`(curation/judging/judges/(\w+)\.py)`", PAGE)
ENTRY = YAML(typ="safe", pure=True).load(block("yaml"))["judges"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the page's judge in the file that the page names."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("curation", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    assert KIND is not None
    (folder / KIND[1]).write_text(block("python"))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The small world with the page's entry in its params.yaml, and a selection by its delta."""
    folder = tmp_path_factory.mktemp("study")
    params = world.settings()
    params["judges"] |= ENTRY
    params["selections"] = params["selections"] | {
        "brief": world.PLAIN | {"value": "brief.delta_brief", "keep": {"kind": "top"}}
    }
    world.write(world.sound(), folder)
    flow.write(params, folder / "params.yaml")
    yield folder


def run(source: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m …` in `folder`, with the code of `source`."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_mypy_holds_the_pages_judge_to_its_protocol(source: Path) -> None:
    assert KIND is not None
    (source / "held.py").write_text(HELD.format(KIND[2]))
    done = run(source, source, "mypy", "--cache-dir", cache_of("docs"), KIND[1], "held.py")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.slow
def test_the_page_runs_the_stages_on_its_judge(source: Path, study: Path) -> None:
    """The scores are counted by hand: of the words of each trace of the small world, the page's entry allows five."""
    for words in (["curation", "params"], ["stages.judge", "brief"], ["stages.delta"], ["stages.select", "brief"]):
        done = run(source, study, *words)
        assert done.returncode == 0, done.stderr
    rows = pl.read_parquet(study / "data/judgments/brief.parquet").sort("trace_id")
    said = {
        world.trace_id(prompt, generator, sample): (None, "error", None)
        if text is None
        else (float(len(text.split()) <= ENTRY["brief"]["words"]), "scored", f"{len(text.split())} words")
        for prompt, generator, sample, text, *_ in world.TRACES
    }
    assert {
        trace: tuple(rest) for trace, *rest in rows.select("trace_id", "score", "status", "rationale").rows()
    } == said
    assert {score for score, *_ in said.values()} == {0.0, 1.0, None}
    assert pl.read_parquet(study / "data/selections/brief.parquet").filter("kept")["margin"].max() == 1.0


@pytest.mark.slow
def test_what_the_judges_params_refuse_is_said_like_any_other_mistake(
    source: Path, study: Path, tmp_path: Path
) -> None:
    params = world.settings()
    params["judges"] |= {"brief": ENTRY["brief"] | {"words": 0}}
    flow.write(params, tmp_path / "params.yaml")
    done = run(source, tmp_path, "curation", "params")
    assert (done.returncode, done.stderr) == (1, "error: params.yaml: judges.brief.words: 0 is less than 1\n")
