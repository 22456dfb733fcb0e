"""params.yaml: bad ones give every error at once, with the place, the value and the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from curation.errors import CurationError, Errors
from curation.params import read

ROOT = Path(__file__).parents[1]


def broken(folder: Path, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """The error lines of the project's own params after `change`."""
    yaml = YAML(typ="safe", pure=True)
    raw = yaml.load(ROOT / "params.yaml")
    change(raw)
    file = folder / "params.yaml"
    with file.open("w") as out:
        yaml.dump(raw, out)
    with pytest.raises(Errors) as caught:
        read(file)
    return [line.removeprefix(f"{file}: ") for line in caught.value.lines]


def test_the_projects_own_params_are_sound() -> None:
    study = read(ROOT / "params.yaml")
    assert study.judges["rubric"].dimension_names == [
        "factuality", "strategy_coherence", "step_coherence", "computational_precision", "signal_to_noise",
    ]  # fmt: skip


CASES: list[tuple[Callable[[dict[str, Any]], object], list[str]]] = [
    (
        lambda p: p["selections"]["top_step_coherence"].update(keep="up", judge="rubrik", dimension="x"),
        [
            "selections.top_step_coherence.keep: 'up' is not one of 'top' or 'bottom'",
            "selections.top_step_coherence.judge: 'rubrik' is not in judges or pairwise_judges or delta.panels; did you mean 'rubric'?",
        ],
    ),
    (
        lambda p: p["selections"]["top_step_coherence"].update(keep="up", dimension="step_coherense"),
        ["selections.top_step_coherence.keep: 'up' is not one of 'top' or 'bottom'",
         "selections.top_step_coherence.dimension: 'step_coherense' is not rated by rubric; did you mean 'step_coherence'?"],
    ),
    (
        lambda p: p["generators"]["qwen-500m"]["endpoint"].update(base_url="127.0.0.1:8005"),
        ["generators.qwen-500m.endpoint.base_url: '127.0.0.1:8005' is no address; write it as http://HOST:PORT/v1"],
    ),
    (lambda p: p["student"].update(device="gpu"), ["student.device: 'gpu' is no device; one of cpu, cuda, cuda:N, mps, xpu"]),
    (
        lambda p: (p["budget"].update(max_usd=-1), p["ledger"].update(max_failed=2.0)),
        ["ledger.max_failed: 2.0 is more than 1", "budget.max_usd: -1 is less than 0"],
    ),
    (lambda p: p["judges"]["rubric"].update(repeats=0), ["judges.rubric.repeats: 0 is less than 1"]),
    (
        lambda p: p["selections"]["top_step_coherence"].update(min_margn=1),
        ["selections.top_step_coherence.min_margn: unknown key; did you mean 'min_margin'?"],
    ),
    (lambda p: p["selections"]["random"].pop("seed"), ["selections.random.seed: missing; add it"]),
    (lambda p: p["pair"].update(ladder=["qwen-1500"]), ["pair.ladder: 'qwen-1500' is not in generators; did you mean 'qwen-1500m'?"]),
    (
        lambda p: p["selections"]["top_step_coherence"].update(keep="topp"),
        ["selections.top_step_coherence.keep: 'topp' is not one of 'top' or 'bottom'; did you mean 'top'?"],
    ),
    (lambda p: p["runs"]["dpo_all"].update(loss="hinge"), ["runs.dpo_all.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    (lambda p: p["judges"]["rubric"].update(kind="rubrik"), [
        "judges.rubric.kind: 'rubrik' is not one of answer, imported, process, rubric; did you mean 'rubric'?"]),
    (lambda p: p["judges"]["rubric"].pop("kind"), ["judges.rubric.kind: missing; one of answer, imported, process, rubric"]),
    (lambda p: p.update(selektions={}), ["selektions: unknown section; did you mean 'selections'?"]),
    (lambda p: p.pop("pair"), ["pair: missing; add this section"]),
    (lambda p: p["compare"].update(baseline="basline"), ["compare.baseline: 'basline' is not in runs; did you mean 'baseline'?"]),
    (
        lambda p: p["selections"]["top_step_coherence"].update(dimension="step_coherense"),
        ["selections.top_step_coherence.dimension: 'step_coherense' is not rated by rubric; did you mean 'step_coherence'?"],
    ),
    (lambda p: p["judges"]["answer"].update(patterns=["(a"]), [
        "judges.answer.patterns.0: '(a' is not a regular expression: missing ), unterminated subpattern at position 0"]),
    (lambda p: p["judges"]["answer"].update(pass_at=1.5), ["judges.answer.pass_at: 1.5 is more than 1"]),
    (lambda p: p["runs"]["dpo_all"].update(beta=0.0), ["runs.dpo_all.beta: 0.0 is not greater than 0"]),
    (lambda p: p["runs"]["dpo_all"].update(max_length="long"), ["runs.dpo_all.max_length: 'long': input should be a valid integer"]),
    (lambda p: p["generators"].update({"Qwen 2": {"kind": "openai"}}), [
        "generators.Qwen 2: a name is lower-case letters, digits, '-' and '_', and starts with a letter"]),
    (lambda p: p["generators"]["qwen-500m"]["endpoint"].update(timeout=3), [
        "generators.qwen-500m.endpoint.timeout: unknown key; did you mean 'timeout_s'?"]),
    (lambda p: p["pairwise_judges"]["pairwise"].update(kind="verdikt"), [
        "pairwise_judges.pairwise.kind: 'verdikt' is not one of imported, verdict; did you mean 'verdict'?"]),
    (lambda p: p["scorers"].update(own={"kind": "implicitt"}), [
        "scorers.own.kind: 'implicitt' is not one of implicit, reference; did you mean 'implicit'?"]),
    (lambda p: p["scorers"].update(own={"kind": "implicit", "folds": 1, "rounds": 1, "seed": 0, "train_pairs": None, "batch_size": 1, "training": {
        **p["x-training"], "loss": "hinge"}}), [
        "scorers.own.folds: 1 is less than 2",
        "scorers.own.training.loss: 'hinge' is not one of 'sigmoid', 'sigmoid_norm' or 'ipo'"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"][0].update(judge="rubrik"), [
        "delta.panels.panel.members.0.judge: 'rubrik' is not in judges or pairwise_judges; did you mean 'rubric'?"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"][3].update(dimension="quality"), [
        "delta.panels.panel.members.3.dimension: 'quality' is not rated by pairwise; known: preference"]),
    (lambda p: p["delta"]["panels"]["panel"].update(rule="median_z", members=[{**m, "weight": w + 1.0} for w, m in enumerate(
        p["delta"]["panels"]["panel"]["members"])]), ["delta.panels.panel: median_z does not weigh; give all members one weight"]),
    (lambda p: p["delta"]["panels"]["panel"].update(dimension="a-b"), [
        "delta.panels.panel.dimension: 'a-b' is not a column name: lower-case letters, digits and '_'"]),
    (lambda p: p["delta"]["panels"]["panel"]["members"].append(p["delta"]["panels"]["panel"]["members"][0]), [
        "delta.panels.panel: rubric factuality is a member twice; give it a weight instead"]),
    (lambda p: p["delta"]["panels"]["panel"].pop("rule"), ["delta.panels.panel.rule: missing; add it"]),
    (lambda p: p["delta"]["panels"].update({"My panel": p["delta"]["panels"]["panel"]}), [
        "delta.panels.My panel: 'My panel': string should match pattern '^[a-z][a-z0-9_-]*$'"]),
    (lambda p: p["delta"].update(prior=0.0), ["delta.prior: 0.0 is not greater than 0"]),
    (lambda p: p["pairwise_judges"].update(answer=p["pairwise_judges"]["pairwise"]), [
        "pairwise_judges.answer: judges has that name too; deltas are kept by name"]),
    (lambda p: p["reliability"].update(truth="anwser"), [
        "reliability.truth: 'anwser' is not in judges or pairwise_judges or delta.panels; did you mean 'answer'?"]),
    (lambda p: p["reliability"]["families"].update(rubrik="qwen"), ["reliability.families.rubrik: rates nothing; did you mean 'rubric'?"]),
    (lambda p: p["calibrate"].update(method="beta"), ["calibrate.method: 'beta' is not one of 'isotonic' or 'platt'"]),
    (lambda p: p["selections"]["top_step_coherence"].update(judge="panel"), [
        "selections.top_step_coherence.dimension: 'step_coherence' is not rated by panel; known: quality"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "lines"), CASES, ids=[lines[0].split(":")[0] for _, lines in CASES])
def test_one_mistake_one_exact_line(tmp_path: Path, change: Callable[[dict[str, Any]], object], lines: list[str]) -> None:
    assert broken(tmp_path, change) == lines


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    def change(params: dict[str, Any]) -> None:
        params["judges"]["rubric"]["repeats"] = 0
        params["pair"]["order"] = "random"
        params["selections"]["all"]["budgt"] = 3
        params["runs"]["dpo_all"]["selection"] = "al"

    lines = broken(tmp_path, change)
    assert lines == [
        "pair.order: 'random' is not one of 'ladder', 'scale' or 'both'",
        "judges.rubric.repeats: 0 is less than 1",
        "selections.all.budgt: unknown key; did you mean 'budget'?",
        "runs.dpo_all.selection: 'al' is not in selections; did you mean 'all'?",
    ]


def test_a_missing_file_and_bad_yaml(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    with pytest.raises(CurationError, match=r"is no file; run from the project's folder, or copy one of recipes/\*\.yaml"):
        read(file)
    file.write_text("pair:\n  order: [ladder\n")
    with pytest.raises(CurationError, match=r"params\.yaml: line 3: not YAML: "):
        read(file)
    file.write_text("- a\n")
    with pytest.raises(CurationError, match="not a mapping of sections"):
        read(file)


def test_no_default_is_hidden_in_python() -> None:
    """DVC cannot see a default, so no settings class has one."""
    from pydantic import BaseModel

    from curation import params

    def fields(value: BaseModel) -> list[str]:
        found = [f"{type(value).__name__}.{name}" for name, info in type(value).model_fields.items() if not info.is_required()]
        for name in type(value).model_fields:
            inner = getattr(value, name)
            for one in inner.values() if isinstance(inner, dict) else [inner]:
                found += fields(one) if isinstance(one, BaseModel) else []
        return found

    study = read(ROOT / "params.yaml")
    settings = [one for section in params.FOLDERS for one in getattr(study, section).values()] + [getattr(study, name) for name in params.SECTIONS]
    assert [name for one in settings for name in fields(one)] == []
