"""The shelf as the command prints it, as params.yaml takes it, and as the recipe and the page hold it."""

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from curation.__main__ import main
from curation.core.errors import CurationError, Errors
from curation.core.params import read
from curation.selection import shelf
from curation.selection.rules import Params

ROOT = Path(__file__).parents[1]
PARAMS, RECIPE, DOCS = ROOT / "params.yaml", ROOT / "recipes/shelf.yaml", ROOT / "docs/shelf.md"
SCORER = (
    "implicit: {kind: implicit, folds: 2, rounds: 3, seed: 0, train_pairs: null, batch_size: 8,"
    " training: {<<: *training, loss: sigmoid}}"
)
SCORED = {name for name, entry in shelf.entries().items() if "scorer" in entry.placeholders}


def pasted(folder: Path, lines: str) -> Path:
    """The project's own params with a scorer, and with `lines` under `selections:`."""
    file = folder / "params.yaml"
    scored = PARAMS.read_text().replace("\nscorers: {}\n", f"\nscorers:\n  {SCORER}\n")
    file.write_text(scored.replace("\nselections:\n", f"\nselections:\n{lines}\n"))
    return file


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (number % 3 > 0)) for number, name in enumerate(shelf.entries())],
)
def test_what_is_printed_can_be_pasted(tmp_path: Path, name: str) -> None:
    file = pasted(tmp_path, shelf.to_yaml(name, {}))
    whole = shelf.selection(name, {})
    assert YAML(typ="safe", pure=True).load(file)["selections"][name] == whole
    assert set(whole) == {name for name, field in Params.model_fields.items() if field.is_required()}
    assert read(file).selections[name] == Params.model_validate(whole)


def test_a_judges_name_with_a_hyphen_is_quoted(tmp_path: Path) -> None:
    lines = shelf.to_yaml("ultrafeedback", {"judge": "rubric-500m", "dimensions": "factuality,step_coherence"})
    assert (
        read(pasted(tmp_path, lines)).selections["ultrafeedback"].value
        == '("rubric-500m".delta_factuality + "rubric-500m".delta_step_coherence) / 2'
    )


@pytest.mark.parametrize(("name", "given", "said"), [
    ("sample_delta", {"dimension": "step_coherense"},
     "value: 'rubric.delta_step_coherense' is not a column; did you mean 'rubric.delta_step_coherence'?"),
    ("sample_delta", {"share": "2"}, "budget: share 2 is not above 0 and up to 1"),
    ("chosen_quality", {"pairs": "many"}, "budget.pairs: 'many' is not a number"),
])  # fmt: skip
def test_a_mistake_in_what_a_placeholder_makes_is_found_by_params(
    tmp_path: Path, name: str, given: dict[str, str], said: str
) -> None:
    file = pasted(tmp_path, shelf.to_yaml(name, given))
    with pytest.raises(Errors) as caught:
        read(file)
    assert caught.value.lines == [f"{file}: selections.{name}.{said}"]


def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["curation", "shelf", *words])
    main()
    return capsys.readouterr().out


def test_the_command_lists_and_prints(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    listed = printed(monkeypatch, capsys).splitlines()
    assert [line.split()[1] for line in listed[3:-1]] == list(shelf.entries())
    assert printed(
        monkeypatch, capsys, "sample_delta", "--judge", "panel", "--dimension=quality", "--share", "0.1"
    ) == (
        "  # Decomposing the Delta (2604.08723): delta_d = score_d(chosen) - score_d(rejected) on one\n"
        "  # dimension d; the top k\n"
        "  sample_delta:\n"
        "    <<: *selection\n"
        "    value: panel.delta_quality\n"
        "    keep: {kind: top}\n"
        "    budget: {share: 0.1}\n"
    )
    every = printed(monkeypatch, capsys, "--all")
    assert every == "".join(shelf.to_yaml(name, {}) + "\n" for name in shelf.entries())
    assert max(map(len, every.splitlines())) <= 100


@pytest.mark.parametrize(("words", "said"), [
    (["bess"], "shelf bess: no such entry; did you mean 'bees'?"),
    (["length_cap", "--token", "5"], "shelf length_cap: --token: no such placeholder; there are --tokens"),
    (["length_cap", "--tokens"], "shelf: --tokens: write placeholders as `--name value`"),
    (["--judge=rubric"], "shelf: --judge is of one entry; name it first, as in `shelf sample_delta --judge rubric`"),
])  # fmt: skip
def test_what_is_not_there_is_said_with_what_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(CurationError) as caught:
        printed(monkeypatch, capsys, *words)
    assert str(caught.value) == said


def test_only_the_shelf_takes_words_that_argparse_does_not_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["curation", "params", "--judge", "rubric"])
    with pytest.raises(SystemExit):
        main()
    assert "--judge: no such option" in capsys.readouterr().err


def test_the_page_holds_the_table_and_what_ours_does_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DOCS.read_text()
    assert printed(monkeypatch, capsys, "--md") in page
    assert [
        name
        for name, entry in shelf.entries().items()
        if f"| {name} | {entry.source} | {entry.differs} |\n" not in page
    ] == []


def test_the_recipe_is_the_default_study_with_the_shelf() -> None:
    study, recipe = (YAML(typ="safe", pure=True).load(file) for file in (PARAMS, RECIPE))
    free = {name: shelf.selection(name, {}) for name in shelf.entries() if name not in SCORED}
    assert recipe == study | {
        "selections": study["selections"] | free, "grid": study["grid"] | {"selections": []},
        "contrasts": {},
        "compare": {"primary": None},
    }  # fmt: skip
    lines = {line.strip("# ") for line in RECIPE.read_text().splitlines()}
    assert [
        line for name in SCORED for line in shelf.to_yaml(name, {}).splitlines() if line.strip("# ") not in lines
    ] == []


def test_the_shelfs_plain_selection_is_that_of_params() -> None:
    plain = [YAML(typ="safe", pure=True).load(file)["x-selection"] for file in (PARAMS, shelf.FILE)]
    assert plain[0] == plain[1]
