"""Every recipe is a whole params file; the imported one reads answers as the traces' own publishers do."""

from pathlib import Path
from typing import Any

import pytest
from published import SIZES, published
from ruamel.yaml import YAML

from curation.core.kinds import KIND_FOLDERS
from curation.core.params import COLLECTIONS, MAY_BE_LEFT_OUT, SECTIONS, read
from curation.core.study import Study
from curation.judging.judges.answer import Question, find_answers, grade

ROOT = Path(__file__).parents[1]
RECIPES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]
SAMPLE = 400


@pytest.fixture(scope="module")
def gsm8k() -> Study:
    return read(ROOT / "recipes/imported_gsm8k.yaml")


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_is_a_whole_valid_params_file_of_kinds_that_exist(file: Path) -> None:
    raw: dict[str, Any] = YAML(typ="safe", pure=True).load(file)
    sections = {name for name in raw if not name.startswith("x-")}
    assert sections | {*MAY_BE_LEFT_OUT} == {*KIND_FOLDERS, *COLLECTIONS, *SECTIONS}
    named = {
        (folder, body["kind"]) for section, folder in KIND_FOLDERS.items() for body in raw.get(section, {}).values()
    }
    assert [kind for kind in sorted(named) if not (ROOT / "curation" / kind[0] / f"{kind[1]}.py").exists()] == []
    study = read(file)
    assert study.evaluate.judge is None or study.judges[study.evaluate.judge].kind == "answer"


def test_there_are_recipes() -> None:
    assert {file.stem for file in RECIPES} >= {"params", "imported_gsm8k", "paper_scale"}


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ('{\n "reasoning": "2 + 3 = 5",\n "answer": "5"\n}', "5"),
        ('```json\n{"reasoning": "…", "answer": "$1,092.50"}\n```\nThat is 7 more.', "$1,092.50"),
        ('{"answer": "18 hours and 48 minutes"}', "18"),
        ('{"answer": -10}', "-10"),
        ('{"answer": "$-10"}', "$-10"),
        ('{"answer": ".5"}', ".5"),
        ("A: $-5 a day", "-5"),
        ('{"answer": "2/3"}', "2/3"),
        ('{"answer": "5"}\nWait, that is wrong.\n{"answer": "6"}', "5"),
        ('{"answer": "Cannot be determined"}', None),
        (r"The final answer is $\boxed{1,200}$", "1,200"),
        ("Each gets 12/4=<<12/4=3>>3 of them.\nA: 3", "3"),
        ("So he has 3 of them.", None),
    ],
)
def test_the_imported_recipe_finds_the_answer(completion: str, answer: str | None, gsm8k: Study) -> None:
    assert find_answers(gsm8k.judges["answer"].extract, [completion]) == [answer]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "least"), [("zeroeval_gsm", 0.995), ("gsm8k_openai", 1.0)])
def test_the_imported_recipe_grades_real_traces_as_upstream_did(
    name: str, least: float, size: str, gsm8k: Study
) -> None:
    rows = published(size, name, "traces").select("trace", "reference_answer", "is_correct")
    rows = rows.gather_every(rows.height // SAMPLE).head(SAMPLE)
    questions = [
        Question(trace, [reference], "math", None)
        for trace, reference in rows.select("trace", "reference_answer").iter_rows()
    ]
    grades = grade(gsm8k.judges["answer"], questions)
    agreed = [(graded.score == 1.0) == right for graded, right in zip(grades, rows["is_correct"], strict=True)]
    assert sum(agreed) / len(agreed) >= least
    assert 0.2 < sum(rows["is_correct"]) / SAMPLE < 0.95


def test_the_recipe_of_soft_labels_is_the_default_study_but_for_what_it_compares() -> None:
    """Each method of soft labels beside plain DPO, on the same pairs and by the same settings."""
    own, recipe = (
        YAML(typ="safe", pure=True).load(ROOT / file) for file in ("params.yaml", "recipes/soft_labels.yaml")
    )
    changed = {"selections", "methods", "grid", "contrasts", "compare"}
    assert {name for name in own if recipe[name] != own[name]} == changed
    plain = recipe["methods"]["dpo"]
    soft = {name: body for name, body in recipe["methods"].items() if body["kind"] == "soft_dpo"}
    assert {body["loss"] for body in soft.values()} == {"conservative", "robust"}
    for body in soft.values():
        assert plain | {name: body[name] for name in ("kind", "loss", "unusable")} == body
    assert all("p_chosen" in recipe["selections"][name] for name in recipe["grid"]["selections"])
    assert set(recipe["contrasts"]["soft_labels"]["each"]["method"]) == {*soft}
