"""`curation why` of a call's key and of names: what was asked, every attempt and what was made of it; what a selection
keeps, and what an arm is.

Kinds of fault: a call that is another's; an attempt that failed and is not told; a name that nothing is said of; a page
that cannot show what the terminal can."""

import json
import re
import sqlite3
from pathlib import Path

import polars as pl
import pytest
import world
from conftest import Serve
from hostile import ALL
from served import answering, ran, rebuilt, served_params

from curation.calls.call import Call, Reply
from curation.calls.ledger import Ledger
from curation.core.errors import CurationError
from curation.core.params import read
from curation.explore.explain import explain
from curation.explore.find import find
from curation.explore.lines import flatten
from curation.explore.tables import Tables
from curation.pairs import pair
from curation.tables import contracts, parquet

SECRET = "sk-never-shown-0123456789"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write(world.sound(), tmp_path_factory.mktemp("named")).parent


def test_a_call_says_what_it_asked_and_made(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVED_KEY", SECRET)
    served_params(tmp_path, serve(answering).url, prompts=3, api_key_env="SERVED_KEY")
    rebuilt(tmp_path)
    monkeypatch.chdir(tmp_path)
    study = read()
    traces = pl.read_parquet("data/traces/writer.parquet")
    contracts.path("pairs").parent.mkdir(exist_ok=True)
    parquet.write(contracts.PAIRS, pair.pair(study.pair, traces), contracts.path("pairs"))
    with sqlite3.connect(study.ledger.file) as db:
        calls = db.execute("SELECT key, stage, text FROM calls").fetchall()
    made = {"generate": set[int](), "judge": set[int]()}
    for key, stage, text in calls:
        tables = Tables(study)
        (hit,) = find(tables, key[:16])
        said = explain(tables, hit)
        assert (hit.kind, hit.id) == ("call", key) and said["stage"] == stage
        (attempt,) = said["attempts"]
        assert attempt["good"] and attempt["bought"] and attempt["text"] == text
        assert {row["kind"] for row in said["made"]} == {"trace"}
        made[stage] |= {row["id"] for row in said["made"]}
    assert made["generate"] == made["judge"] == set(traces["trace_id"])
    shown = ran(tmp_path, "curation", "why", calls[0][0]).stdout
    assert calls[0][0] in shown and "ATTEMPT 1" in shown and SECRET not in shown
    assert re.search(r"params\.yaml:\d+  (judges\.rubric|generators\.writer)", shown)


def test_attempts_that_failed_are_told_and_act_on_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = world.write(world.sound(), tmp_path)
    monkeypatch.chdir(file.parent)
    hostile = ALL
    call = Call("m", "r", [{"role": "user", "content": hostile}], {"temperature": 0.0}, 0)
    study = read()
    with Ledger(study.ledger, study.budget) as ledger:
        ledger.append(call, Reply(None, None, error=f"HTTP 500: {hostile}"), "generate", "large")
        ledger.append(call, Reply(hostile, "stop", 3, 4), "generate", "large")
    said = ran(tmp_path, "curation", "why", call.key[:8])
    assert said.returncode == 0 and re.search(r"ATTEMPT 1, .*: failed", said.stdout)
    assert re.search(r"ATTEMPT 2, .*: a reply", said.stdout) and "no row of the tables is of it now" in said.stdout
    page = ran(tmp_path, "curation", "why", call.key, "--html", "page.html")
    assert page.returncode == 0, page.stderr
    body = Path("page.html").read_text()
    for shown in (said.stdout, body):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
    assert not re.search(r"<script|<svg|<img|\son\w+=\"", body)
    whole = json.loads(ran(tmp_path, "curation", "why", call.key, "--json").stdout)
    assert [row["good"] for row in whole["attempts"]] == [False, True]
    assert whole["request"]["messages"][0]["content"] == hostile


@pytest.mark.parametrize("damage", ["version", "bytes"])
def test_a_key_that_a_closed_ledger_may_have_says_why_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """Kind of fault: a call that is there, and said to be nowhere, for its ledger cannot be read."""
    world.write(world.sound(), tmp_path)
    monkeypatch.chdir(tmp_path)
    call, study = Call("m", "r", [{"role": "user", "content": "?"}], {}, 0), read()
    with Ledger(study.ledger, study.budget) as ledger:
        ledger.append(call, Reply("!", "stop"), "generate", "large")
    assert find(Tables(study), call.key[:8])[0].kind == "call"
    if damage == "version":
        with sqlite3.connect(study.ledger.file) as db:
            db.execute("PRAGMA user_version = 99")
    else:
        Path(study.ledger.file).write_bytes(b"no ledger " * 1000)
    with pytest.raises(CurationError, match=rf"no text has it.*; no calls: .*{Path(study.ledger.file).name}"):
        find(Tables(study), call.key[:8])
    pair = ran(tmp_path, "curation", "why", str(world.sound().pairs["pair_id"][0]))
    assert pair.returncode == 0 and "no calls: " in pair.stdout


def test_a_selection_says_its_rule_and_what_it_keeps(sound: Path) -> None:
    table = world.sound().selections.filter(selection="clear")
    said = json.loads(ran(sound, "curation", "why", "clear", "--json").stdout)
    assert said["kind"] == "selection" and said["reasons"] == dict(table.group_by("reason").len().rows())
    kept = table.filter(reason="kept")
    assert {row["pair_id"] for row in said["first"]} == {str(number) for number in kept["pair_id"]}
    assert (said["margins"]["least"], said["margins"]["greatest"]) == (kept["margin"].min(), kept["margin"].max())
    assert [arm["arm"] for arm in said["arms"]] == [world.ARM, world.BESIDE]
    text = ran(sound, "curation", "why", "clear").stdout
    assert text.startswith(
        f"selection clear: keeps {kept.height} of {table.height} candidates\n  value rubric.delta_logic"
    )
    assert "keep.kind " in text and "KEPT, by margin; the first:" in text


def test_settings_of_one_name_are_told_apart_by_their_place() -> None:
    """Two of one name in a selection's settings, `keep` of its pairs and of its single traces, were shown as one."""
    settings = {
        "keep": {"kind": "top"},
        "unpaired": {"keep": {"kind": "random"}, "budget": None},
        "budget": {"pairs": 2},
    }
    assert flatten(settings) == {
        "keep.kind": "top", "unpaired.keep.kind": "random", "unpaired.budget": None, "budget.pairs": 2
    }  # fmt: skip


def test_a_name_that_a_column_of_the_user_s_file_gives_a_generator_is_known(tmp_path: Path) -> None:
    """params.yaml has no such name."""
    world.write(world.sound(), tmp_path)
    file = tmp_path / "data/traces/large.parquet"
    pl.read_parquet(file).with_columns(generator=pl.lit("theirs-7b")).write_parquet(file)
    assert "is the generator of rows of traces; why takes" in ran(tmp_path, "curation", "why", "theirs-7b").stderr


def test_a_selection_that_ranks_by_no_value_is_not_said_to_be_listed_by_margin(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    file = tmp_path / "data/selections/clear.parquet"
    pl.read_parquet(file).with_columns(margin=pl.lit(None, pl.Float64)).write_parquet(file)
    assert "KEPT, by id; the first:" in ran(tmp_path, "curation", "why", "clear").stdout


def test_what_is_not_to_be_trained_is_not_said_to_wait_for_it(sound: Path) -> None:
    said = ran(sound, "curation", "why", "baseline").stdout
    assert said.startswith("run baseline: the student as it is")


def test_an_arm_says_what_it_has_and_who_learns_from_it(sound: Path) -> None:
    said = ran(sound, "curation", "why", world.BESIDE)
    assert said.stdout.startswith(f"arm {world.BESIDE}: {world.TURNED} (trained)\n")
    assert "control reversed: pairs own" in said.stdout and "SUBSETS, 3 rows; the first:" in said.stdout
    for name in ("clear", world.BESIDE):
        assert ran(sound, "curation", "why", name, "--html", "page.html").returncode == 0
        assert "Dimension" not in (sound / "page.html").read_text() and name in (sound / "page.html").read_text()


def test_what_is_not_made_yet_is_said_to_be_that(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    for file in ("selections/clear", f"arms/subsets/{world.ARM}", "runs"):
        (tmp_path / f"data/{file}.parquet").unlink()
    said = ran(tmp_path, "curation", "why", "clear").stdout
    assert said.startswith("selection clear: is not made yet; `dvc repro select@clear` makes it\n")
    assert "not there yet: selections/clear, runs" in said
    arm = ran(tmp_path, "curation", "why", world.ARM).stdout
    assert "subsets: not made yet; `dvc repro arms` makes it" in arm and "(not trained yet)" in arm


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("rubric", "is a judge of params.yaml; why takes the id of a row that it has part in"),
        ("reversed", "is a control of params.yaml"), ("held_sums", "is a source of params.yaml"),
        ("large", "is a generator of params.yaml"),
        ("clera", "did you mean 'clear'?"), ("bazeline_", "is no id of a table, and no text has it"),
    ],
)  # fmt: skip
def test_a_name_of_something_else_is_said_to_be_that(sound: Path, asked: str, said: str) -> None:
    none = ran(sound, "curation", "why", asked)
    assert none.returncode == 1 and said in none.stderr and none.stdout == ""


def rows_of_docs() -> dict[str, set[str]]:
    page = (Path(__file__).parents[1] / "docs/why.md").read_text().partition("## As JSON")[2].partition("| reason |")[0]
    return {
        kind: set(keys.split(", ")) for kind, keys in re.findall(r"^\| (\w+) \| ([\w, ]+) \|$", page, re.MULTILINE)[1:]
    }


def test_the_keys_of_json_are_those_of_the_page(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sound)
    made = world.sound()
    study, row, columns = read(), made.pairs.row(0, named=True), {"pair": made.pairs, "trace": made.traces}
    call = Call("m", "r", [{"role": "user", "content": "?"}], {}, 0)
    with Ledger(study.ledger, study.budget) as ledger:
        ledger.append(call, Reply("!", "stop"), "generate", "large")
    asked = {"pair": row["pair_id"], "trace": row["chosen_trace_id"], "prompt": row["prompt_id"], "run": world.TUNED,
             "selection": "clear", "arm": world.ARM, "call": call.key}  # fmt: skip
    documented = rows_of_docs()
    assert set(documented) == set(asked)
    for kind, number in asked.items():
        tables = Tables(study)
        said = explain(tables, find(tables, str(number))[0])
        of_table = set(columns[kind].columns) if kind in columns else set(made.runs.columns) if kind == "run" else set()
        assert set(said) - of_table - {"kind", "id", "origin"} == documented[kind] - of_table, kind


def examples() -> list[tuple[str, str]]:
    """What docs/why.md shows: an id, and what it shows of it."""
    page = (Path(__file__).parents[1] / "docs/why.md").read_text().split("```")[1]
    return re.findall(r"^\$ curation why (\d+)\n…\n(.*?)…$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("asked", "shown"), examples(), ids=["kept", "dropped"])
def test_the_examples_of_the_page_are_what_is_said(asked: str, shown: str) -> None:
    root = Path(__file__).parents[1]
    if not (root / "data/selections/top_step_coherence.parquet").exists():
        pytest.skip("the study's tables are not here; `dvc repro` or `dvc pull` makes them")
    line = re.compile(r"params\.yaml:\d+")
    assert line.sub("", shown) in line.sub("", ran(root, "curation", "why", asked).stdout)


def test_the_view_leads_to_a_selection_an_arm_and_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("starlette")
    from viewing import viewing

    world.write(world.sound(), tmp_path)
    monkeypatch.chdir(tmp_path)
    call, study = Call("m", "r", [{"role": "user", "content": "What?"}], {}, 0), read()
    with Ledger(study.ledger, study.budget) as ledger:
        ledger.append(call, Reply("That.", "stop"), "generate", "large")
    with viewing(tmp_path) as server:
        pair_page = server.ask(f"/pair/{world.sound().pairs['pair_id'][0]}").text
        assert 'href="/selection/clear"' in pair_page and f'href="/arm/{world.BESIDE}"' in pair_page
        for kind, number in (("selection", "clear"), ("arm", world.BESIDE), ("call", call.key)):
            page = server.ask(f"/{kind}/{number}")
            assert page.status == 200 and number in page.text, page.text
            assert server.ask(f"/{kind}/{number}x").status == 404
