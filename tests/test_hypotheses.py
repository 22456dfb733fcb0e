"""The paper's hypotheses as docs/contrasts.md states them: each fragment is read out of the page and run, and gives the
figures that stand there.

Kinds of fault: a fragment that a study does not take; a figure that the page kept from before; a hypothesis that no
recipe declares.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import flow
import pytest
from ruamel.yaml import YAML

from bench import hypotheses
from bench.gpu_study import sound_results
from curation.core.params import read

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/contrasts.md"
NAMES = [f"H{number}" for number in range(1, 9)]


def load(text: str | Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


@cache
def fragments() -> dict[str, dict[str, Any]]:
    """The entries that the page shows of each hypothesis, and of a gain taken apart."""
    found = {}
    for part in re.split(r"\n(?=\*\*H\d: |## )", PAGE.read_text()):
        shown = [load(body) for body in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)]
        found[part.strip("*# ").partition(":")[0].partition("\n")[0]] = {
            k: v for body in shown for k, v in body.items()
        }
    return found


@cache
def declared(file: Path) -> dict[str, Any]:
    entries: dict[str, Any] = load(file)["contrasts"]
    return entries


def test_each_hypothesis_has_a_fragment_that_a_study_declares() -> None:
    of_studies = [declared(hypotheses.PARAMS), declared(ROOT / "params.yaml")]
    for name in (*NAMES, "A gain taken apart"):
        assert fragments()[name], name
        for entry, body in fragments()[name].items():
            assert any(study.get(entry) == body for study in of_studies), (name, entry)


def test_each_hypothesis_is_declared_in_a_recipe() -> None:
    declared = {name for file in (ROOT / "recipes").glob("*.yaml") for name in load(file)["contrasts"]}
    assert [name for name in NAMES if not any(re.match(rf"{name.lower()}(_|$)", one) for one in declared)] == []


def test_the_fragments_of_the_page_give_the_figures_beside_them(tmp_path: Path) -> None:
    """Of the study on a GPU, whose answers are here. It has one seed, so that nothing has a p."""
    own = declared(hypotheses.PARAMS)
    shown = {entry: body for name in NAMES for entry, body in fragments()[name].items() if entry in own}
    assert list(shown) == list(own)
    flow.write(load(hypotheses.PARAMS) | {"contrasts": shown}, tmp_path / "params.yaml")
    contrasts = hypotheses.answer(read(tmp_path / "params.yaml"))
    lines = PAGE.read_text().splitlines()
    assert [line for line in hypotheses.tabulate(contrasts) if line not in lines] == []
    assert set(contrasts["scope"]) == {"this run"} and contrasts["p"].null_count() == contrasts.height
    assert contrasts["refused"].null_count() == contrasts.height


def test_the_figures_of_the_default_study_are_those_of_its_metrics() -> None:
    """Of the contrasts that its metrics have: those of an entry that was declared since are not there yet."""
    numbers = r"\| +(-?[\d.]+|null) +" * 3
    page = PAGE.read_text()
    rows = re.findall(rf"^\| ([\w.]+) +{numbers}\|", page, re.MULTILINE)
    metrics = json.loads((ROOT / "data/metrics/compare.json").read_text())["contrasts"]
    known = {}
    for name, *shown in rows:
        held = metrics
        for part in name.split("."):
            held = held.get(part, {})
        if held:
            known[name] = [None if number == "null" else float(number) for number in shown]
            found = [held.get(key) for key in ("estimate", "ci_low", "ci_high")]
            assert [number and round(number, 3) for number in found] == pytest.approx(known[name]), name
    assert {"step_coherence", "kto_as_dpo"} <= set(known)
    slopes = list(metrics["deltas_follow_generators"]["rubric"].values())
    low, high, p = re.findall(r"slopes of ([\d.]+) to ([\d.]+) points.*?p_holm at most ([\d.e-]+)", page, re.DOTALL)[0]
    assert [min(of["estimate"] for of in slopes), max(of["estimate"] for of in slopes)] == pytest.approx(
        [float(low), float(high)], abs=5e-4
    )
    assert len(slopes) == 5 and max(of["p_holm"] for of in slopes) == float(p)


def test_the_runs_that_are_declared_of_the_study_on_a_gpu_are_those_that_have_sound_results() -> None:
    there = set(sound_results()["run"])
    assert set(read(hypotheses.PARAMS).runs) == there - {"baseline"}
