"""`curation diff`, between real revisions of git and DVC, each of which differs from `base` in one thing.

Kinds of fault: a change that is not told, or told where nothing changed; one laid to what did not change; a pair that
is counted twice, or under the wrong reason; what is absent taken for what left, or for what is the same; text that a
terminal or a browser acts on; a condition that passes where it should fail.
"""

import contextlib
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from browser import launched, opened
from hostile import ALL, TEXTS, look
from served import Done, ran
from versions import begin, changed, git, make, restore, rewrite, settings
from viewing import viewing

from curation.core import renamed

pytestmark = [pytest.mark.slow, pytest.mark.long]
PAGE = (Path(__file__).parents[1] / "docs/diff.md").read_text()
WORD = ("description", "Are the numbers and conditions of the problem used exactly as they are given?")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    begin(folder)
    params = settings()
    with changed(folder, "rubric") as data:
        rubric = params["judges"]["rubric"]
        rubric["dimensions"]["logic"] = dict([*rubric["dimensions"]["logic"].items(), WORD])
        swapped = pl.when(pl.col("dimension") == "logic").then(6 - pl.col("score")).otherwise("score").alias("score")
        no_more = pl.lit(None, pl.Float64).alias("expected_score")
        rewrite(data("judgments/rubric.parquet"), lambda rows: rows.with_columns(swapped, no_more))
        make(folder, params)
    params = settings()
    with changed(folder, "budget"):
        params["selections"]["clear"]["budget"] = {"pairs": 2}
        make(folder, params)
    params = settings()
    with changed(folder, "dropped") as data:
        kept = pl.read_parquet(data("traces/small.parquet"))["trace_id"].implode()
        del params["generators"]["small"]
        params["pair"]["ladder"].remove("small")
        data("traces/small.parquet").unlink()
        for judge in world.DIMENSIONS:
            rewrite(data(f"judgments/{judge}.parquet"), lambda rows: rows.filter(~pl.col("trace_id").is_in(kept)))
        pairs = pl.read_parquet(data("pairs.parquet"))
        left = pairs.filter(pl.any_horizontal(pl.col("chosen_model", "rejected_model") == "small"))["pair_id"].implode()
        rewrite(data("preferences/versus.parquet"), lambda rows: rows.filter(~pl.col("pair_id").is_in(left)))
        make(folder, params)
    with changed(folder, "renamed"):
        make(folder, called(settings(), "clear", "evident"))
    with changed(folder, "code"):
        (folder / "curation/selection/ranking.py").open("a").write("# the same\n")
    with changed(folder, "code_and_rows") as data:
        (folder / "curation/selection/ranking.py").open("a").write("# another order\n")
        other = pl.when("kept").then(pl.lit("over_budget")).otherwise(pl.lit("kept")).alias("reason")
        rewrite(data("selections/clear.parquet"), lambda rows: rows.with_columns(~pl.col("kept"), other))
    with changed(folder, "hostile") as data, pytest.MonkeyPatch.context() as patch:
        patch.setitem(world.PROMPTS, "plus", ("sums", "train", ALL, "5"))
        answered = ("plus", "large", 0, ALL, 1, (5, 5), (4, 4))
        patch.setattr(world, "TRACES", [answered, *world.TRACES[1:]])
        world.put(world.world(world.judgments()), folder / "data", None)
        make(folder)
    return folder


def called(value: Any, old: str, new: str) -> Any:
    """The settings with another name in the place of one, but for a requirement's, which is the reason of rows."""
    if isinstance(value, dict):
        return {called(key, old, new): one if key == "require" else called(one, old, new) for key, one in value.items()}
    return [called(one, old, new) for one in value] if isinstance(value, list) else new if value == old else value


def asked(folder: Path, *arguments: str) -> Done:
    done = ran(folder, "curation", "diff", *arguments)
    assert "Traceback" not in done.stderr
    return done


def found(folder: Path, *arguments: str) -> dict[str, Any]:
    done = asked(folder, *arguments, "--json", "--rows")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def figure(diff: dict[str, Any], section: str, **named: str) -> dict[str, Any]:
    (row,) = [row for row in diff[section]["figures"] if named.items() <= row.items()]
    return dict(row)


def causes(diff: dict[str, Any]) -> list[tuple[str, str]]:
    return [(cause["kind"], cause["what"]) for cause in diff["causes"]]


def kept(folder: Path, revision: str) -> set[str]:
    rows = pl.read_parquet(folder / "kept" / revision).filter("kept")
    return {str(number) for number in rows["pair_id"]}


def test_the_same_version_has_no_change(study: Path) -> None:
    diff = found(study)
    assert causes(diff) == [] and not any(section["rows"] for section in list(diff.values())[2:9])
    assert asked(study).stdout.count("no change") == 8


def test_the_page_shows_what_the_command_says(study: Path) -> None:
    shown = re.findall(r"^\$ (curation diff .*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)
    assert len(shown) == 2
    for command, printed in shown:
        done = ran(study, *shlex.split(command))
        pattern = re.escape(printed).replace("…\\\n", "(?:.*\n)*").replace("…", ".*")
        assert re.fullmatch(pattern, done.stdout + done.stderr), done.stdout + done.stderr


@pytest.mark.parametrize("revision", ["rubric", "budget", "dropped", "code_and_rows", "hostile"])
def test_pairs_that_entered_and_left_are_those_of_the_tables(study: Path, revision: str) -> None:
    before, after = kept(study, "base"), kept(study, revision)
    diff = found(study, "base", revision)
    row = figure(diff, "selections", selection="clear")
    assert (row["before"], row["after"]) == (len(before), len(after))
    assert row["overlap"] == pytest.approx(len(before & after) / len(before | after))
    told = {(one["change"], one["pair_id"]) for one in diff["selections"]["rows"] if one["selection"] == "clear"}
    told = {one for one in told if one[0] != "moved"}
    assert told == {("entered", one) for one in after - before} | {("left", one) for one in before - after} != set()


def test_a_word_of_a_rubric_is_the_cause_of_what_it_reaches(study: Path) -> None:
    diff = found(study, "base", "rubric")
    assert [kind for kind, _ in causes(diff)] == ["rubric"]
    told = "judges.rubric.dimensions.logic.description: 'of the problem used as they are given?' → "
    assert causes(diff)[0][1] == f"{told}'of the problem used exactly as they are given?'"
    reached = diff["causes"][0]["reached"]
    assert "data/judgments/rubric.parquet" in reached and "data/selections/clear.parquet" in reached
    assert not {"data/judgments/answer.parquet", "data/deltas/answer.parquet"} & set(reached)
    drift = figure(diff, "scores", judge="rubric", dimension="logic")
    assert drift["changed"] > 0 and drift["ci_low"] < drift["drift"] < drift["ci_high"]
    assert figure(diff, "scores", judge="rubric", dimension="brevity")["changed"] == 0
    assert {row["cause"] for row in diff["selections"]["rows"] if row["selection"] == "clear"} == {"rubric"}
    assert figure(diff, "deltas", judge="rubric", dimension="logic")["flipped"] > 0


def test_a_budget_is_the_cause_of_its_selection_alone(study: Path) -> None:
    diff = found(study, "base", "budget")
    assert causes(diff) == [("selection", "selections.clear.budget.pairs: 3 → 2")]
    assert {row["selection"] for row in diff["selections"]["rows"]} == {"clear"}
    assert {(row["cause"], row["reason_after"]) for row in diff["selections"]["rows"]} == {("selection", "over_budget")}
    assert figure(diff, "selections", selection="clear")["rank"] == 1


def test_a_generator_that_was_dropped_takes_its_pairs_along(study: Path) -> None:
    diff = found(study, "base", "dropped")
    assert ("trace", "generators.small: removed") in causes(diff)
    assert not [kind for kind, _ in causes(diff) if kind not in ("trace", "pairing")]
    assert figure(diff, "tables", table="traces")["left"] == 4
    assert {row["part"] for row in diff["tables"]["rows"] if row["table"] == "traces"} == {"small"}
    clear = figure(diff, "selections", selection="all")
    assert clear["left"] == clear["lost_candidates"] > 0
    assert {row["cause"] for row in diff["selections"]["rows"] if row["selection"] == "all"} == {"trace"}


def test_a_selection_of_another_name_is_the_same_one(study: Path) -> None:
    diff = found(study, "base", "renamed")
    assert {(one["table"], one["before"], one["after"]) for one in diff["renamed"]} == {
        *((table, "clear", "evident") for table in ("selections", "subsets", "unpaired")),
        *(("arms/subsets", f"clear-any-own-{end}", f"evident-any-own-{end}") for end in ("itself", "reversed")),
    }
    row = figure(diff, "selections", selection="evident")
    assert (row["entered"], row["left"], row["overlap"], row["cut_before"]) == (0, 0, 1, row["cut_after"])
    assert [row["overlap"] for row in diff["arms"]["figures"]] == [1, 1] and not diff["selections"]["rows"]
    assert causes(diff)[0] == ("selection", "selections.clear: renamed evident")
    assert (
        "renamed     selections clear → evident; arms clear-any-own-itself → " in asked(study, "base", "renamed").stdout
    )


def test_code_is_a_cause_only_where_rows_differ(study: Path) -> None:
    assert causes(found(study, "base", "code")) == []
    diff = found(study, "base", "code_and_rows")
    assert causes(diff) == [("code", "code of select: curation/selection")]
    assert {row["cause"] for row in diff["selections"]["rows"]} == {"code"}


FIRST = pl.int_range(pl.len()) == 0


def without(value: Any, *columns: str) -> list[pl.Expr]:
    return [pl.when(FIRST).then(value).otherwise(column).alias(column) for column in columns]


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("judgments/rubric", lambda rows: rows.with_columns(*without(None, "score", "expected_score")),
         {"scores": "1 without one now"}),
        ("deltas/rubric", lambda rows: rows.with_columns(*without(None, "delta_logic")),
         {"deltas": "0 entered, 1 left"}),
        ("deltas/rubric", lambda rows: rows.rename({"delta_logic": "delta_reason"}),
         {"deltas": "9 entered, 9 left"}),
        ("deltas/rubric", lambda rows: rows.reverse(), {}),
        ("pairs", lambda rows: rows.reverse(), {}),
        ("pairs", lambda rows: rows.with_columns(*without(pl.col("rejected_trace_id"), "chosen_trace_id"),
                                                 *without(pl.col("chosen_trace_id"), "rejected_trace_id")),
         {"pairs": "9 → 9: 1 flipped"}),
    ],
    ids=["no score any more", "no delta any more", "another dimension", "another order", "another order of pairs",
         "sides turned under one id"],
)  # fmt: skip
def test_rows_under_one_key_are_compared_whatever_their_order(
    study: Path, tmp_path: Path, table: str, change: Any, said: dict[str, str]
) -> None:
    """Each kind of row that has its key in both tables and is not what it was, or is, and lies elsewhere."""
    for name in ("before", "after"):
        shutil.copytree(study / "data", tmp_path / name / "data")
        shutil.copy(study / "params.yaml", tmp_path / name)
    file = tmp_path / f"after/data/{table}.parquet"
    change(pl.read_parquet(file)).write_parquet(file)
    lines = asked(tmp_path, "before", "after").stdout.splitlines()[1:]
    told = dict(line.split(maxsplit=1) for line in lines if not line.endswith("no change"))
    assert told == said


def test_a_margin_is_laid_to_all_that_reaches_it(study: Path, tmp_path: Path) -> None:
    """A rubric and the code of the deltas, or the selection's own value, may each have moved it."""
    restore(study, "rubric")
    (study / "curation/pairs/delta.py").open("a").write("# other\n")
    from dvc.repo import Repo

    with contextlib.chdir(study):
        Repo().commit(force=True)
    rows = found(study, "base")["selections"]["rows"]
    restore(study)
    assert {row["cause"] for row in rows if row["selection"] == "clear"} == {"margin"}


def test_a_prompt_that_says_something_else_is_another(study: Path) -> None:
    diff = found(study, "base", "hostile")
    row = figure(diff, "tables", table="prompts")
    assert (row["entered"], row["left"]) == (1, 1)
    assert {row["cause"] for row in diff["selections"]["rows"] if row["selection"] == "all"} == {"prompt"}


def test_no_text_acts_on_a_terminal_or_a_browser(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    done = asked(study, "base", "hostile", "--rows", "--html", str(page))
    body = page.read_text()
    assert "&lt;script&gt;alert(1)" in body and "<script" not in body
    for text in (done.stdout, done.stderr, body):
        assert not {"\x1b", "\u202e"} & set(text)


def test_a_browser_runs_nothing_of_a_text(study: Path, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    asked(study, "base", "hostile", "--html", str(page))
    with launched() as browser, opened(browser, page.as_uri()) as (shown, heard):
        assert (heard.requests, heard.dialogs, heard.console) == ([page.as_uri()], [], [])
        shown.locator("summary").first.click()
        look(shown, TEXTS)


def test_the_view_shows_two_revisions_beside_each_other(study: Path) -> None:
    (left,) = [row for row in found(study, "base", "budget")["selections"]["rows"] if row["change"] == "left"]
    with viewing(study) as server, launched() as browser, opened(browser, server.first) as (page, heard):
        page.get_by_role("link", name="Two versions").click()
        page.get_by_label("From").fill("base")
        page.get_by_label("to", exact=True).fill("budget")
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("link", name=left["pair_id"]).wait_for()
        assert "selections.clear.budget.pairs: 3 → 2" in page.locator("main").inner_text()
        page.get_by_label("change").select_option("left")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name=left["pair_id"]).click()
        assert "clear: left, by selection" in page.locator("main").inner_text()
        cells = page.get_by_role("row", name="clear changed").locator("td").all_inner_texts()
        assert cells[::2] == ["kept", "over_budget"] and cells[1] == cells[3]
        page.go_back()
        page.get_by_label("From").fill("nowhere")
        page.get_by_role("button", name="Compare").click()
        page.get_by_text("nowhere: git knows no such revision").wait_for()
        assert heard.dialogs == [] and all(one.startswith((server.root, "data:")) for one in heard.requests)


def test_settings_that_were_edited_since_are_told(study: Path) -> None:
    file = study / "params.yaml"
    text = file.read_text()
    file.write_text(text.replace('"noise": 1.0', '"noise": 2.0').replace("noise: 1.0", "noise: 2.0"))
    done = asked(study)
    file.write_text(text)
    said = "note: params.yaml has other settings than the tables of delta, compare were made by: delta;"
    assert said in done.stderr


def test_what_no_cache_has_is_named_and_does_not_count_as_left(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(study, folder)
    shutil.rmtree(folder / ".dvc/cache")
    done = asked(folder, "budget", "--fail-on", "overlap.clear < 0.9", "--fail-on", "left.traces > 0")
    assert "note: budget" in done.stderr and "selections/clear.parquet" in done.stderr
    assert "in neither DVC's cache nor a remote, so left out; `dvc fetch --all-commits`" in done.stderr
    assert done.returncode == 1 and "overlap.clear is no figure of this comparison" in done.stderr
    assert "traces      10 → 10: no change" in done.stdout
    assert "selections  no change; 1 not compared" in done.stdout
    assert "data/selections/clear.parquet" in json.loads(asked(folder, "budget", "--json").stdout)["not_compared"]


def test_what_is_not_there_is_not_told_as_the_same(study: Path, tmp_path: Path) -> None:
    """Of a clone without a cache and without a remote; what dvc.lock has under one hash is the same all the same."""
    git(tmp_path, "clone", "-q", study.as_uri(), "clone")
    done = asked(tmp_path / "clone", "base", "budget", "--fail-on", "overlap.clear < 0.9")
    lines = dict(re.findall(r"^(\w+) +(.*)$", done.stdout, re.MULTILINE))
    assert lines["traces"] == lines["scores"] == lines["contrasts"] == "no change, by dvc.lock"
    assert lines["selections"] == lines["arms"] == "not compared, for lack of their tables"
    assert done.returncode == 1 and "overlap.clear is no figure of this comparison" in done.stderr


def test_what_is_not_checked_out_has_not_left(study: Path, tmp_path: Path) -> None:
    """Of a clone of its own; and an older commit is not in a shallow one."""
    git(tmp_path, "clone", "-q", "--depth", "1", "-b", "base", study.as_uri(), "clone")
    shutil.copytree(study / ".dvc/cache", tmp_path / "clone/.dvc/cache")
    done = asked(tmp_path / "clone")
    assert done.stdout.count("no change") == 8 and "in dvc.lock, and not there, so read as that" in done.stderr
    shutil.rmtree(tmp_path / "clone/.dvc/cache")
    done = asked(tmp_path / "clone", "HEAD")
    assert done.stdout.count("no change, by dvc.lock") == 8
    done = asked(tmp_path / "clone", str(study))
    assert " left" not in done.stdout and "the working tree" in done.stdout
    assert "or `git fetch --unshallow`" in asked(tmp_path / "clone", "budget").stderr


def test_what_a_remote_has_is_fetched(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(study, folder)
    shutil.move(folder / ".dvc/cache", tmp_path / "remote")
    (folder / ".dvc/config").write_text(
        f"[core]\n    remote = there\n['remote \"there\"']\n    url = {tmp_path}/remote\n"
    )
    done = asked(folder, "base", "budget")
    assert done.returncode == 0 and "left out" not in done.stderr, done.stderr
    assert "clear: overlap 0.667 (3 → 2: 0 entered, 1 left" in done.stdout


def test_a_folder_is_a_version(study: Path, tmp_path: Path) -> None:
    for revision in ("base", "budget"):
        restore(study, revision)
        for name in ("params.yaml", "dvc.lock", "dvc.yaml"):
            (tmp_path / revision).mkdir(exist_ok=True)
            shutil.copy(study / name, tmp_path / revision)
        shutil.copytree(study / "data", tmp_path / revision / "data")
    restore(study)
    diff = found(tmp_path, str(tmp_path / "base"), str(tmp_path / "budget"))
    assert causes(diff) == causes(found(study, "base", "budget")) and len(diff["selections"]["rows"]) == 1


def test_a_folder_has_the_rows_that_are_there_not_those_its_lock_tells_of(study: Path, tmp_path: Path) -> None:
    """As a release, which has not all prompts and every stage's entry: nothing is the same for what a lock says."""
    shutil.copytree(study / "data", tmp_path / "released/data")
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(study / name, tmp_path / "released")
    rewrite(tmp_path / "released/data/prompts.parquet", lambda rows: rows.head(4))
    done = asked(study, "base", str(tmp_path / "released"))
    assert "prompts     6 → 4: 2 left" in done.stdout and done.stdout.count("no change") == 7
    assert "released: data/prompts.parquet: is not the file that dvc.lock tells of" in done.stderr


def test_tables_of_version_0_1_are_read_by_their_old_names(study: Path, tmp_path: Path) -> None:
    """All names that there were: a column, a reason, and columns that did not exist."""
    old = tmp_path / "old"
    shutil.copytree(study / "data", old / "data")
    shutil.copy(study / "params.yaml", old)
    for file in [old / "data/pairs.parquet", *(old / "data").rglob("deltas/*.parquet")]:
        names = renamed.COLUMNS["pairs" if file.stem == "pairs" else "deltas"]
        rows = pl.read_parquet(file)
        new = {n: was + n.removeprefix(now) for was, now in names.items() for n in rows.columns if n.startswith(now)}
        assert new
        rows.rename(new).write_parquet(file)
    for file in (old / "data/selections").glob("*.parquet"):
        rewrite(file, lambda rows: rows.with_columns(pl.col("reason").replace({"identical": "tie"})))
    diff = found(study, str(old), "base")
    assert not any(section["rows"] for section in list(diff.values())[2:9])


@pytest.mark.parametrize(
    ("condition", "code", "said"),
    [
        ("overlap.clear < 0.6", 0, ""),
        ("overlap.clear < 0.9", 1, "error: --fail-on overlap.clear < 0.9: it is 0.666667\n"),
        ("selections:overlap.clear<=0.9", 1, "selections:overlap.clear<=0.9: it is 0.666667"),
        ("overlap.claer < 0.9", 1, "overlap.claer is no figure of this comparison; the nearest: overlap.clear"),
        ("rank.all > 0", 1, "rank.all has no value here"),
        ("before.clear.x > 0", 1, "is no figure of this comparison"),
        ("verdict_after.direction > 0", 1, "verdict_after.direction has no value here"),
        ("overlap.clear", 2, "is not NAME < NUMBER"),
        ("overlap.clear < x", 2, "'x' is no number"),
        ("overlap.clear < nan", 2, "'nan' is no number"),
        ("__import__('os') < 1", 1, "is no figure of this comparison"),
    ],
)  # fmt: skip
def test_a_build_fails_on_a_condition(study: Path, condition: str, code: int, said: str) -> None:
    done = asked(study, "base", "budget", "--fail-on", condition)
    assert done.returncode == code and said in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "error: nowhere: git knows no such revision; name a commit, a branch or a tag"),
        (["a" * 5000], "error: aaaa"),
        (["--", "--upload-pack=x"], "error: --upload-pack=x: git knows no such revision"),
        (["base", "nowhere"], "error: nowhere: git knows no such revision"),
    ],
)
def test_a_version_that_there_is_not_is_told(study: Path, arguments: list[str], said: str) -> None:
    done = asked(study, *arguments)
    assert done.returncode == 1 and said in done.stderr


def test_a_revision_without_a_lock_is_told(study: Path, tmp_path: Path) -> None:
    (study / "dvc.lock").unlink()
    git(study, "checkout", "-q", "-b", "lockless")
    git(study, "commit", "-qam", "lockless")
    restore(study)
    assert "error: lockless: has no dvc.lock; name a revision where it was committed" in asked(study, "lockless").stderr
