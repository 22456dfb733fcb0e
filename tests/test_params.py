"""params.yaml: bad ones give every error at once, with the place, the value and the way out."""

from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any

import flow
import pytest
from mistakes import MISTAKES, changed
from world import own

from curation.core import params
from curation.core.errors import CurationError, Errors
from curation.core.kinds import KIND_FOLDERS
from curation.core.params import read
from curation.core.parsed import parse_yaml

ROOT = Path(__file__).parents[1]


def broken(folder: Path, changes: dict[str, Any]) -> list[str]:
    """The error lines of the project's own params after `changes`."""
    file = folder / "params.yaml"
    flow.write(changed(changes), file)
    with pytest.raises(Errors) as caught:
        read(file)
    return [line.removeprefix(f"{file}: ") for line in caught.value.lines]


def test_a_file_that_tests_write_holds_what_they_say_it_holds(tmp_path: Path) -> None:
    """The kind of fault: a short-cut of the tests (flow.py) that says another thing than the long way; so it is
    parsed here."""
    odd = own() | {
        "odd": [
            nan,
            -inf,
            1e-7,
            1e22,
            True,
            None,
            "yes",
            "no: [",
            '\\ " é\n',
            date(2026, 1, 2),
            {1: {}, "1": []},
            2**70,
        ]
    }
    flow.write(odd, tmp_path / "params.yaml")
    body = (tmp_path / "params.yaml").read_bytes()
    assert repr(parse_yaml(body, CurationError)) == repr(flow.KNOWN[body]) == repr(odd)


def test_the_projects_own_params_are_sound() -> None:
    study = read(ROOT / "params.yaml")
    assert study.judges["rubric"].dimension_names == [
        "factuality", "strategy_coherence", "step_coherence", "computational_precision", "signal_to_noise",
    ]  # fmt: skip


FEW = [  # fast: one in five
    pytest.param(*case, marks=[pytest.mark.slow] * (number % 5 > 0), id=case[1][0].split(":")[0])
    for number, case in enumerate(MISTAKES)
]


@pytest.mark.parametrize(("changes", "lines"), FEW)
def test_one_mistake_one_exact_line(tmp_path: Path, changes: dict[str, Any], lines: list[str]) -> None:
    assert broken(tmp_path, changes) == lines


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    changes = {
        "judges.rubric.repeats": 0,
        "pair.order": "random",
        "selections.all.budgt": 3,
        "grid.selections": ["al"],
    }
    assert broken(tmp_path, changes) == [
        "pair.order: 'random' is not one of 'ladder', 'scale', 'both' or 'listed'",
        "judges.rubric.repeats: 0 is less than 1",
        "selections.all.budgt: unknown key; did you mean 'budget'?",
        "grid.selections: 'al' is not in selections; did you mean 'all'?",
    ]


def test_mistakes_of_form_and_of_meaning_in_one_round(tmp_path: Path) -> None:
    """The kind of fault: a file that is put right, and refused again for what could have been said before."""
    changes = {
        "judges.rubric.repeats": 0,
        "audit.length": "long",
        "selections.top_step_coherence.value": "rubric.delta_step_coherense",
        "contrasts.kto_as_dpo.benchmark": "in_domian",
        "compare.assume": {"same_run": 0.3, "other_run": 0.4},
    }
    assert broken(tmp_path, changes) == [
        "audit.length: 'long' is not a number",
        "judges.rubric.repeats: 0 is less than 1",
        "compare.assume.other_run: 0.4 is more than same_run: 0.3; two runs agree on a prompt no more than one does "
        "with itself",
        "selections.top_step_coherence.value: 'rubric.delta_step_coherense' is not a column; did you mean "
        "'rubric.delta_step_coherence'?",
        "contrasts.kto_as_dpo.benchmark: 'in_domian' is no benchmark, and no split; did you mean 'in_domain'?",
    ]


def test_what_follows_from_another_mistake_is_not_told(tmp_path: Path) -> None:
    """A judge that is not there, a selection that is misspelt in the grid: expressions and contrasts that name them
    are right."""
    gone = {"judges.rubric.kind": "rubrik", "grid.selections": ["top_step_coherense", "top_generator_delta"]}
    assert [line.partition(":")[0] for line in broken(tmp_path, gone)] == ["judges.rubric.kind", "grid.selections"]


def test_a_missing_file_and_bad_yaml(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    with pytest.raises(
        CurationError, match=r"is no file; run from the project's folder, or copy one of recipes/\*\.yaml"
    ):
        read(file)
    file.write_text("pair:\n  order: [ladder\n")
    with pytest.raises(CurationError, match=r"params\.yaml: line 3: not YAML: "):
        read(file)
    file.write_text("- a\n")
    with pytest.raises(CurationError, match="not a mapping of sections"):
        read(file)


def test_no_default_is_hidden_in_python() -> None:
    """DVC cannot see a default, so no settings class has one but null, which is what a key left out says."""
    from pydantic import BaseModel

    def fields(value: BaseModel) -> list[str]:
        found = [
            f"{type(value).__name__}.{name}"
            for name, info in type(value).model_fields.items()
            if not info.is_required() and info.default is not None
        ]
        for name in type(value).model_fields:
            inner = getattr(value, name)
            for one in inner.values() if isinstance(inner, dict) else [inner]:
                found += fields(one) if isinstance(one, BaseModel) else []
        return found

    study = read(ROOT / "params.yaml")
    members = [one for section in (*KIND_FOLDERS, *params.COLLECTIONS) for one in getattr(study, section).values()]
    settings = members + [getattr(study, name) for name in params.SECTIONS]
    assert [name for one in settings for name in fields(one)] == []
