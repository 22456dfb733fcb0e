"""What the student of recipes/paper_scale.yaml would learn from, by `curation preflight`: with R1's traces from a file
and s1's from a server, and DeepSeek's template for the student's. The words are those of recorded replies.

Kind of fault: a recipe under which the chat template deletes what one generator wrote and not what the other did, so
that pairs teach not to reason.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import Serve
from ruamel.yaml import YAML
from served import ran, save
from server import Answer, Request, good

from bench import templates
from curation.models.weights import fingerprint

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TEMPLATE = next(file for file in templates.files() if file.stem == "deepseek_r1_distill")


def replies() -> list[str]:
    """Recorded replies that think and then answer."""
    calls = pl.read_parquet(ROOT / "data/recorded/reasoning_small/generate-thinks-1500m.parquet").sort("id")
    return [text for text in calls["text"] if "</think>" in text and not text.endswith("</think>")]


def as_s1(text: str) -> str:
    """The reply in the form of s1."""
    return text.replace("<think>", "<|im_start|>think\n").replace("</think>", "\n<|im_start|>answer")


@pytest.fixture
def study(tmp_path: Path, serve: Serve) -> dict[str, Any]:
    """The recipe in `tmp_path`, with the tables that its generators make."""
    texts, weights = replies(), ROOT / ".curation/weights"  # unpacked once for all tests
    weights.mkdir(parents=True, exist_ok=True)
    (tmp_path / ".curation").mkdir()
    (tmp_path / ".curation/weights").symlink_to(weights)
    (tmp_path / "data/import").mkdir(parents=True)
    pl.DataFrame(
        {"problem": [f"Problem {n}" for n in range(len(texts))], "answer": ["1"] * len(texts),
         "problem_type": ["Algebra"] * len(texts), "generation": texts}
    ).write_parquet(tmp_path / "data/import/openr1_math.parquet")  # fmt: skip

    def answer(request: Request) -> Answer:
        assert request.body["skip_special_tokens"] is False and request.body["max_tokens"] == 16384
        return good(as_s1(texts[int(request.last_message.split()[1])]))

    params: dict[str, Any] = YAML(typ="safe", pure=True).load(ROOT / "recipes/paper_scale.yaml")
    params["sources"] = {"openr1_math": params["sources"]["openr1_math"]}
    params["contrasts"], params["compare"]["primary"] = {}, None
    params["evaluate"]["benchmarks"] = None  # of the sources that are gone
    params["generators"] = {name: params["generators"][name] for name in ("s1-3b", "s1-32b", "deepseek-r1")}
    params["generators"]["s1-3b"]["sampling"]["samples"] = 1
    params["pair"]["ladder"] = ["deepseek-r1", "s1-32b", "s1-3b"]
    server = serve(answer)
    for name in ("s1-3b", "s1-32b"):
        params["generators"][name]["endpoint"] |= {"base_url": server.url}
    params["student"] |= templates.STUDENT | {
        "chat_template": str(TEMPLATE), "chat_template_revision": fingerprint(TEMPLATE),
    }  # fmt: skip
    make(params, tmp_path)
    return params


def make(params: dict[str, Any], folder: Path) -> None:
    save(params, folder)
    for stage in ("collect", *(f"generate {name}" for name in params["generators"])):
        done = ran(folder, *f"stages.{stage}".split())
        assert done.returncode == 0, done.stderr


def shown() -> list[list[int]]:
    """The table of docs/reasoning.md: how many traces of each generator lose a text, and whether that stops."""
    table = (ROOT / "docs/reasoning.md").read_text().split("| settings | deepseek-r1 |")[1].split("\n\n")[0]
    cells = [line.split(" | ") for line in table.splitlines()[2:]]
    return [[*map(int, row[1:4]), row[4].startswith("stops")] for row in cells]


def test_the_page_shows_what_preflight_says(study: dict[str, Any], tmp_path: Path) -> None:
    """Of the recipe as it was, with its rules alone, and as it is."""
    rules = {name: generator["reasoning"] for name, generator in study["generators"].items()}
    student = dict(study["student"])
    of_recipe = {key: student.pop(key) for key in ("reasoning", "system")}
    found = []
    for generators, told in ({}, {}), (rules, {"reasoning": "inline"}), (rules, of_recipe):
        for name, generator in study["generators"].items():
            generator["reasoning"] = generators.get(name)
        study["student"] = student | told
        make(study, tmp_path)
        ended, counts = lost(tmp_path)
        found.append([*(sum(counts[name][1:]) for name in ("deepseek-r1", "s1-32b", "s1-3b")), ended])
    assert found == shown() and len(replies()) == 20


def lost(folder: Path) -> tuple[int, dict[str, tuple[int, int, int]]]:
    """How preflight ends, and of each generator how many traces have reasoning, lose it, and lose their answer."""
    done = ran(folder, "curation", "preflight", "--json")
    rows = json.loads(done.stdout)["generators"]
    return done.returncode, {
        row["generator"]: (row["with_reasoning"], row["reasoning_lost"], row["answers_lost"]) for row in rows
    }


def test_the_recipe_keeps_what_its_generators_wrote(study: dict[str, Any], tmp_path: Path) -> None:
    all_of_it = len(replies())
    assert lost(tmp_path) == (0, dict.fromkeys(study["generators"], (all_of_it, 0, 0)))


def test_without_its_settings_r1_would_lose_its_reasoning_and_s1_keep_it(study: dict[str, Any], tmp_path: Path) -> None:
    """As the recipe was: no rule, so that reasoning stands in the completion, and the template deletes it from R1's
    alone."""
    for generator in study["generators"].values():
        generator.pop("reasoning")
    study["student"] = {key: value for key, value in study["student"].items() if key not in ("reasoning", "system")}
    make(study, tmp_path)
    all_of_it = len(replies())
    assert lost(tmp_path) == (1, {"s1-3b": (0, 0, 0), "s1-32b": (0, 0, 0), "deepseek-r1": (0, 0, all_of_it)})
    assert ran(tmp_path, "curation", "preflight").stderr.splitlines()[-1] == (
        f"error: generator deepseek-r1: {all_of_it} of {all_of_it} traces lose a part of their answer under this chat "
        "template: reasoning that stands in it as text, after '<think>' or the like; set the generator's reasoning: "
        "{kind: think}"
    )
