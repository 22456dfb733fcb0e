"""Files of version 0.1, which called some things otherwise: params.yaml, tables and ledgers.

Kinds of fault: a file that is refused twice, or whose printed lines do not make it pass; a name that is replaced where
it means something else; an old table that is read as if it were new, or that fails with a message of a library.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import world

from curation.__main__ import main
from curation.commands import verify
from curation.core import renamed
from curation.core.errors import CurationError, Outdated, run
from curation.core.outdated import EXPRESSIONS as PLACES
from curation.core.outdated import refuse_outdated
from curation.core.params import ALL_SECTIONS, read
from curation.core.parsed import parse_yaml
from curation.core.study import Study
from curation.tables import ask, contracts, db, parquet

ROOT = Path(__file__).parents[1]
VERSION_0_1 = sorted((ROOT / "tests/data/version_0_1").glob("*.yaml"))


def pasted(text: str, told: str) -> str:
    """`text` with the lines that were printed in the place of those they are for."""
    lines = text.split("\n")
    said = re.findall(
        r"^error: [^:\n]+: line (\d+): [^\n]*; write:\n((?:(?!error: )[^\n]*(?:\n|$))+)", told, re.MULTILINE
    )
    assert len(said) == told.count("; write:\n")
    for number, new in said:
        lines[int(number) - 1] = new.removesuffix("\n")
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("old", VERSION_0_1, ids=lambda file: file.stem)
def test_pasting_what_is_printed_makes_an_old_file_pass(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["curation", "params", "--file-only"])
    file = tmp_path / "params.yaml"
    file.write_text(old.read_text())
    with pytest.raises(SystemExit) as left:
        run(main)
    text = pasted(old.read_text(), str(left.value.code))
    file.write_text(
        text.replace("  judge: answer\n", "  judge: null\n") if old.stem == "judging" else text
    )  # it evaluates nothing
    run(main)
    assert capsys.readouterr().out.startswith("params.yaml: valid; ")
    now = ROOT / ("params.yaml" if old.stem == "params" else f"recipes/{old.name}")
    again, shipped = read(file), read(now)
    differing = {name for name in ALL_SECTIONS if getattr(again, name) != getattr(shipped, name)}
    since = {"judges", "contrasts", "compare", "controls", "grid", "licenses", *CHANGED_SINCE.get(old.stem, ())}
    assert differing <= since and again.student.system == shipped.student.system
    assert again.selections.items() <= shipped.selections.items()  # a recipe has gained some, and changed none
    assert judges_as_they_were(again) == judges_as_they_were(shipped)
    patterns = parse_yaml(old.read_bytes(), CurationError)["judges"]["answer"]["patterns"]
    kept = [{"kind": "regex", "pattern": pattern, "match": "last"} for pattern in patterns]
    assert [extraction.model_dump() for extraction in again.judges["answer"].extract] == kept


def judges_as_they_were(study: Study) -> dict[str, Any]:
    """The settings of a study's judges, but for what has changed since: where an answer stands, which in a file of
    version 0.1 are regular expressions, and what a judge of reasoning is shown and how much effort it makes."""
    judges = {name: judge.model_dump() | {"extract": None, "shows": None} for name, judge in study.judges.items()}
    for judge in judges.values():
        judge["instructions"] = judge.get("instructions", "").removeprefix("Reasoning: medium\n")
        judge["sampling"] = judge.get("sampling", {}) | {"extra": None}
    return judges


CHANGED_SINCE = {
    "paper_scale": ("generators", "student", "evaluate", "pair", "generator_pairs", "selections"),
    "judging": ("evaluate",),
}  # what has changed in a recipe since, for its sake


def test_all_files_of_the_version_are_there() -> None:
    assert [file.stem for file in VERSION_0_1] == ["imported_gsm8k", "judging", "paper_scale", "params", "shelf"]


EXPRESSIONS = {  # as they stand in a file of version 0.1: what takes the line's place
    "  a: {require: {no_tie: not tie}}": "  a: {require: {no_tie: not identical}}",
    "  a: {require: {no_tie: 'not tie'}}": "  a: {require: {no_tie: 'not identical'}}",
    '  a: {value: "tie"}': '  a: {value: "identical"}',
    "  a: {value: rubric.spread_logic}": "  a: {value: rubric.sd_logic}",
    '  a: {value: "\\"rubric-7b\\".spread_logic - x.spread_y"}': '  a: {value: "\\"rubric-7b\\".sd_logic - x.sd_y"}',
    "  a: {require: {whole: not reference.cut}}": "  a: {require: {whole: not reference.truncated}}",
    "  a: {require: {whole: 'not \"ref-2\".cut and tie is false'}}": (
        "  a: {require: {whole: 'not \"ref-2\".truncated and identical is false'}}"
    ),
    "  a: {strata: {by: tie, shares: equal}}": "  a: {strata: {by: identical, shares: equal}}",
    "  a: {require: {x: 'tie'}} # tie": "  a: {require: {x: 'identical'}} # tie",
    "  a: {value: '(tie)::int -- tie'}": "  a: {value: '(identical)::int -- tie'}",
    "  a: {value: '/* tie */ tie::int'}": "  a: {value: '/* tie */ identical::int'}",
    "  a: {require: {x: prompt.task <> 'a tie' and not tie}}": (
        "  a: {require: {x: prompt.task <> 'a tie' and not identical}}"
    ),
    "  a: {require: {x: 'prompt.task <> ''a tie'' and not tie'}}": (
        "  a: {require: {x: 'prompt.task <> ''a tie'' and not identical'}}"
    ),
    '  a: {value: \'rubric."spread_x" - "spread_x".delta_y\'}': (
        '  a: {value: \'rubric."sd_x" - "spread_x".delta_y\'}'
    ),
    '  a: {value: "rubric.\\"spread_x\\""}': '  a: {value: "rubric.\\"sd_x\\""}',
    "  a: {value: rubric . spread_x}": "  a: {value: rubric . sd_x}",
    "  a: {value: rubric /* its */ . spread_x}": "  a: {value: rubric /* its */ . sd_x}",
    '  a: {value: "\\ttie\\n  + 1"}': '  a: {value: "\\tidentical\\n  + 1"}',
    '  a: {value: "t\\x69e"}': '  a: {value: "identical"}',
    '  a: {require: {x: "not \\u0074ie or rubric.spread_x > 0"}}': (
        '  a: {require: {x: "not identical or rubric.sd_x > 0"}}'
    ),
    "  a: {value: &tie tie}": "  a: {value: &tie identical}",
    "  a: {value: !!str tie}": "  a: {value: !!str identical}",
    "  a:\n    value: |  # tie\n      1 +\n      tie\n    # tie": (
        "  a:\n    value: |  # tie\n      1 +\n      identical\n    # tie"
    ),
    "  a: {keep: {kind: nearest, target: tie}, order: {by: tie, first: lowest}}": (
        "  a: {keep: {kind: nearest, target: identical}, order: {by: identical, first: lowest}}"
    ),
    "  a: {require: {identical: 'true'}}": "  a: {require: {identical_required: 'true'}}",
    "  a: {require: {identical: not tie, identical_required: tie}}": (
        "  a: {require: {identical_required_required: not identical, identical_required: identical}}"
    ),
}
SAME = [
    "  a: {value: prompt.tie}",
    "  a: {require: {x: \"chosen_model = 'tie'\"}}",
    "  a: {value: rubric.delta_spread_of_ideas}",
    "  a: {value: rubric.cut}",
    "  tie: {value: necktie.delta_x}",
    "  a: {require: {tie: 'true'}}",
    "  a: {require: {x: \"prompt.task <> 'black tie event'\"}}",
    "  a: {require: {x: \"prompt.task = 'x.spread_y'\"}}",
    "  a: {require: {x: \"prompt.task = 'it''s a -tie- b'\"}}",
    "  a: {require: {x: 'prompt.\"a -tie- b\" = 1'}}",
    "  a: {value: '\"tie\".delta_x'}",
    "  a: {value: 1 -- tie}",
    "  a: {value: '1 /* rubric.spread_y */'}",
    "  a: {value: tie(1)}",
    "  a: {value: no expression tie}",
    "  a: {keep: {kind: tie}}",
]


def refused(text: str) -> str:
    """The whole of `text` with what is printed pasted, or `text` if nothing is refused."""
    raw = parse_yaml(text.encode(), CurationError)
    try:
        refuse_outdated(Path("p.yaml"), text.encode(), raw)
    except Outdated as error:
        return pasted(text, error.report())
    return text


@pytest.mark.parametrize(("old", "new"), [*EXPRESSIONS.items(), *((line, line) for line in SAME)])
def test_a_column_is_renamed_where_an_expression_names_it(old: str, new: str) -> None:
    head = "scorers: {reference: {kind: reference}, ref-2: {kind: reference}}\nselections:\n"
    assert refused(f"{head}{old}\n") == f"{head}{new}\n"


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    old = 'x: "😀 \u2028"\r\nselections: {a: {value: tie}}\r\n'
    assert refused(old) == old.replace("tie}}\r", "identical}}")


def test_all_places_of_expressions_are_looked_at() -> None:
    """The kind of fault: an expression that a selection comes to have and a file of version 0.1 is not searched for."""
    keep, strata = {"kind": "nearest", "target": "tie"}, {"by": "tie", "shares": "equal"}
    curriculum, budget = {"by": "tie", "first": "lowest"}, {"pairs": 1}
    changes = {"value": "tie", "require": {"x": "tie"}, "keep": keep, "strata": strata, "order": curriculum}
    places = {place.replace(".x", ".*") for place in world.selection("all", budget=budget, **changes).expressions}
    assert places == {place.removeprefix("selections.*.") for place in PLACES if place.startswith("selections")}


def test_a_reserved_name_has_another_to_take() -> None:
    text = b"selections: {a: {require: {identical: 'true'}}}\n"
    with pytest.raises(Outdated) as refusal:
        refuse_outdated(Path("p.yaml"), text, parse_yaml(text, CurationError))
    assert refusal.value.report().splitlines()[0] == (
        "error: p.yaml: line 1: require.identical: that is a reason already, so take another name, such as "
        "identical_required; write:"
    )


@pytest.mark.parametrize(("old", "new"), [
    ("pair:\n    ties: mark # t\n    order: both", "pair:\n    empty: drop\n    identical: mark # t\n    order: both"),
    ("pair: {order: both, ties: mark}", "pair: {empty: drop, order: both, identical: mark}"),
    ("pair: {ties: mark, empty: keep}", "pair: {identical: mark, empty: keep}"),
])  # fmt: skip
def test_a_key_that_is_new_is_among_the_lines_to_paste(old: str, new: str) -> None:
    assert refused(old) == new


STUDENT = "student:\n  model: m\n"


@pytest.mark.parametrize(("old", "new"), [
    (STUDENT + "evaluate:\n  system: null  # none\n  judge: a",
     STUDENT + "evaluate:\n  # system: null  # none\n  judge: a"),
    (STUDENT + "evaluate:\n  judge: a\n  system: Think 'on'.\n",
     'student:\n  system: "Think \'on\'."\n  model: m\nevaluate:\n  judge: a\n  # system: Think \'on\'.\n'),
    (STUDENT + "evaluate:\n  system: |\n    One.\n\n    Two.\n  judge: a",
     'student:\n  system: "One.\\n\\nTwo.\\n"\n  model: m\n'
     "evaluate:\n  # system: |\n    # One.\n\n    # Two.\n  judge: a"),
    ("student: {model: m}\nevaluate: {system: Think., judge: a}",
     'student: {system: "Think.", model: m}\nevaluate: {judge: a}'),
    ("student: {model: m}\nevaluate: {judge: a, system: null}", "student: {model: m}\nevaluate: {judge: a, }"),
    ("x-t: &t Think.\n" + STUDENT + "evaluate:\n  judge: a\n  system: *t\n",
     'x-t: &t Think.\nstudent:\n  system: "Think."\n  model: m\nevaluate:\n  judge: a\n  # system: *t\n'),
    ("evaluate: {system: a}\nstudent: {model: m, system: b}", "evaluate: {}\nstudent: {model: m, system: b}"),
])  # fmt: skip
def test_a_key_of_another_section_is_written_there(old: str, new: str) -> None:
    assert refused(old) == new and parse_yaml(new.encode(), CurationError)
    assert refused(new) == new


def test_a_name_is_found_wherever_yaml_may_put_it() -> None:
    old = (
        "\ufeffx-pair: &pair {order: both, ties: drop}\n"
        "pair:\n  <<: [*pair]\n"
        "pairwise_judges: {p: {ties: true}}\n"
        '"screen":\n  exact: true\n'
        "x-selection: &one\n  value: |\n    case when tie\n      then 1 else r.spread_a end\n"
        "selections: {a: *one, b: {<<: *one, seed: 1}}\n"
        "controls: {c: {match: [tie, 'x.delta_y']}}\n"
        "generator_pairs:\n  any:\n    where: >-\n      tie or\n      true\n"
    )
    new = (
        "\ufeffx-pair: &pair {order: both, identical: drop}\n"
        "pair:\n  empty: drop\n  <<: [*pair]\n"
        "pairwise_judges: {p: {ties: true}}\n"
        "decontaminate:\n  exact: true\n"
        "x-selection: &one\n  value: |\n    case when identical\n      then 1 else r.sd_a end\n"
        "selections: {a: *one, b: {<<: *one, seed: 1}}\n"
        "controls: {c: {match: [identical, 'x.delta_y']}}\n"
        "generator_pairs:\n  any:\n    where: >-\n      identical or\n      true\n"
    )
    assert refused(old.removeprefix("\ufeff")) == new.removeprefix("\ufeff")
    assert refused(old).removeprefix("\ufeff") == new.removeprefix("\ufeff")


def old_names(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The rows as version 0.1 named their columns."""
    back = {new: old for old, new in renamed.COLUMNS[table].items()}
    names = {
        name: old + name.removeprefix(new)
        for name in frame.columns
        for new, old in back.items()
        if name == new or (new.endswith("_") and name.startswith(new))
    }
    assert names
    return frame.rename(names)


@pytest.mark.parametrize(
    ("table", "name", "old", "new"),
    [
        ("pairs", None, "tie", "identical"),
        ("deltas", "rubric", "spread_logic", "sd_logic"),
        ("subsets", "clear", "place", "curriculum_position"),
        ("unpaired", "clear", "place", "curriculum_position"),
        ("pair_scores", "held_out", "cut", "truncated"),
    ],
)
def test_an_old_table_is_refused_in_one_sentence(
    tmp_path: Path, table: str, name: str | None, old: str, new: str
) -> None:
    world.write(world.sound(), tmp_path)
    data = tmp_path / "data"
    file = contracts.path(table, name, data)
    contract = contracts.deltas(world.DIMENSIONS["rubric"]) if table == "deltas" else contracts.TABLES[table]
    old_names(pl.read_parquet(file), table).write_parquet(file)
    said = re.escape(f"{file}: written by version 0.1: column {old} is now {new}; run `dvc repro` to make it again")
    with pytest.raises(CurationError, match=f"^{said}$"):
        parquet.read(contract, file)
    with pytest.raises(CurationError, match=f"^{said}$"):
        parquet.read(contract, file, contract.key)
    with pytest.raises(CurationError, match=f"^{said}$"):
        db.connect(tmp_path / "params.yaml")


def test_an_old_status_is_refused_in_one_sentence(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    file = contracts.path("judgments", "rubric", tmp_path / "data")
    rows = pl.read_parquet(file)
    unscored = [pl.lit(None, pl.Float64).alias(name) for name in ("score", "expected_score")]
    cut = rows.with_columns(*unscored, pl.lit("cut").alias("status"))
    pq.write_table(cut.to_arrow().cast(contracts.JUDGMENTS.schema), file)
    said = re.escape(f"{file}: written by version 0.1: status cut is now truncated; run `dvc repro` to make it again")
    with pytest.raises(CurationError, match=f"^{said}$"):
        parquet.read(contracts.JUDGMENTS, file)


def test_a_table_of_another_name_is_an_orphan_and_a_question_is_told(tmp_path: Path) -> None:
    from curation.commands.orphans import orphans

    world.write(world.sound(), tmp_path)
    left = tmp_path / "data/screened.parquet"
    left.touch()
    assert left in orphans(read(tmp_path / "params.yaml"))
    with (
        db.connect(tmp_path / "params.yaml") as connection,
        pytest.raises(CurationError, match=r"^sql: the table screened is now decontamination$"),
    ):
        ask.answer(connection, "select * from screened")


def test_verify_tells_of_an_old_table_before_it_rebuilds_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(world.sound(), tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verify, "_rebuild", lambda *_: pytest.fail("it rebuilds"))
    file = Path("data/pairs.parquet")
    old_names(pl.read_parquet(file), "pairs").write_parquet(file)
    with pytest.raises(
        CurationError, match=r"^data/pairs\.parquet: written by version 0\.1: column tie is now identical"
    ):
        verify.verify()


@pytest.mark.slow
def test_dvc_refuses_an_old_file_before_it_removes_a_table(tmp_path: Path) -> None:
    """DVC removes what a stage makes before it looks whether params.yaml has the sections that the stage depends on."""
    for name in ("stages", "curation"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "data/import").mkdir(parents=True)
    table = tmp_path / "data/prompts.parquet"
    table.write_bytes(b"of version 0.1")
    shutil.copy(ROOT / "tests/data/version_0_1/params.yaml", tmp_path)
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "-q", "--no-scm"], cwd=tmp_path, check=True)
    done = subprocess.run([*dvc, "repro", "collect"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Could not find 'decontaminate.exact'" in done.stderr
    assert table.read_bytes() == b"of version 0.1"
