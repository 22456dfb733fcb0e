"""What `curation diff` is made of, each held to a slow way; and `curation metrics diff`.

Kinds of fault: rows that are matched wrongly where tables are not in order, or not at all; a rank correlation that ties
bend; a table that is elsewhere, taken for one whose rows went; a setting that differs and is not named; a metric that
moved and is hidden, or one that did not and is shown.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scipy.stats import spearmanr
from served import ran
from versions import git

from curation.core.errors import CurationError
from curation.explore.changes.causes import differences
from curation.explore.changes.diff import diff
from curation.explore.changes.kept import jaccard, spearman
from curation.explore.changes.reading import Match, gather, match_keys, match_rows
from curation.explore.changes.summary import PLACES, summarize
from curation.explore.changes.version import EACH, File, Out, Version, read_versions

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/diff.md").read_text()
KEYS = st.lists(st.integers(-(2**62), 2**62) | st.integers(0, 9), unique=True, max_size=12)


def matched(match: Match, before: pl.DataFrame, after: pl.DataFrame) -> tuple[list[Any], ...]:
    rows = (gather(before, match.before), gather(after, match.after), before[match.left], after[match.entered])
    return tuple(part.rows() for part in rows)


@given(KEYS, KEYS, st.booleans())
def test_rows_are_matched_by_key(before: list[int], after: list[int], in_order: bool) -> None:
    if in_order:
        before, after = sorted(before), sorted(after)
    old, new = (pl.DataFrame({"key": keys}, schema={"key": pl.Int64}) for keys in (before, after))
    shared = [(key,) for key in before if key in after]
    expected = (shared, shared, [(k,) for k in before if k not in after], [(k,) for k in after if k not in before])
    assert matched(match_keys(old["key"], new["key"]), old, new) == expected
    twice = [part.with_columns(other=pl.lit("x")) for part in (old, new)]
    found = matched(match_rows(*twice, ["key", "other"]), *twice)
    assert tuple([row[:1] for row in part] for part in found) == expected


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    before, after = np.array(pairs, float).T
    found = spearman(np.append(before, np.nan), np.append(after, 1.0))
    if len(set(before)) < 2 or len(set(after)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(before, after).statistic)


def test_the_overlap_of_nothing_is_none() -> None:
    assert (jaccard(0, 0, 0), jaccard(0, 2, 0), jaccard(2, 2, 2), jaccard(1, 2, 2)) == (None, 0, 1, 1 / 3)


def test_a_release_has_no_stages_of_the_study_that_its_lock_had_before(tmp_path: Path) -> None:
    """dvc.lock keeps the stages of names that went, and a release holds dvc.lock and no dvc.yaml: traces of another
    study's generators were told as removed, and as missing in the cache."""
    world.write(world.sound(), tmp_path)
    out = {"path": "data/traces/{}.parquet", "md5": "0" * 32}
    stages = {f"generate@{name}": {"cmd": "", "outs": [out | {"path": out["path"].format(name)}]}
              for name in ("large", "of_another_study")}  # fmt: skip
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))
    version = read_versions(str(tmp_path), str(tmp_path))[0]
    assert set(version.stages) == {"generate@large"}
    assert not [name for name in (*version.files, *version.notes) if "of_another_study" in name]


@pytest.mark.parametrize("place", ["../none", "./none", "/none"])
def test_a_folder_that_is_not_there_is_not_asked_of_git(place: str) -> None:
    with pytest.raises(CurationError, match=f"^{place}: there is no such folder"):
        read_versions(place, None)


def test_stages_of_each_name_are_those_of_dvc_yaml() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    assert {verb: body["foreach"] for verb, body in stages.items() if "foreach" in body} == {
        verb: f"${{{section}}}" for verb, section in EACH.items()
    }


@pytest.mark.parametrize("absent", ["before", "after"])
def test_what_one_version_has_elsewhere_neither_came_nor_went(tmp_path: Path, absent: str) -> None:
    """A file of each table, one at a time: contrasts of which one version's are in no cache were told as having a
    result in one version only."""
    world.write(world.sound(), tmp_path)
    files = {file.relative_to(tmp_path).as_posix(): file for file in sorted((tmp_path / "data").rglob("*.parquet"))}
    for line, place in ((line, place) for line, places in PLACES.items() for place in places):
        name = next(one for one in files if one == place or one.startswith(f"{place}/"))
        versions = {when: Version(when, world.settings(), {"stage": {}}, {}) for when in ("before", "after")}
        for when, version in versions.items():
            version.files |= {one: File(None if (one, when) == (name, absent) else file, f"{one} {when}")
                              for one, file in files.items()}  # fmt: skip
            version.outs |= {one: Out("stage", f"{one} {when}") for one in files}
        found = diff(versions["before"], versions["after"])
        assert found.to_json(with_rows=False)["not_compared"] == [name]
        said = dict(summarize(found))
        assert not [text for text in said.values() if " entered" in text or " left" in text or "one version" in text]
        assert "not compared" in said[line], name


@pytest.mark.parametrize(
    ("before", "after", "places"),
    [
        ({"a": {"b": 1, "c": [1]}}, {"a": {"b": 1, "c": [1]}}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"]),
        ({"a": {"b": 1}}, {"a": {"b": True}}, ["a.b"]),
        ({"a": {"b": None}}, {"a": {}}, ["a.b"]),
        ({"a": {"b": {}}}, {"a": {"b": None}}, ["a.b"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
        ({}, {"a": {"b": 1}}, ["a"]),
    ],
)
def test_each_setting_that_differs_is_named(before: Any, after: Any, places: list[str]) -> None:
    assert [place for place, *_ in differences(before, after)] == places


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics at `base` and now."""
    folder = tmp_path_factory.mktemp("metrics")

    def put(**files: Any) -> None:
        (folder / "data/metrics").mkdir(parents=True, exist_ok=True)
        for name, metrics in files.items():
            file = folder / f"data/metrics/{name}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(metrics))

    ends = {"ci_low": 0.1, "ci_high": 0.2}
    rate = {"rate": 0.5, "rate_ci_low": 0.4, "rate_ci_high": 0.6, "rate_n": 10}
    put(
        compare={"contrasts": {"direction": {"estimate": 0.15, "p": 0.04, **ends}}}, pair={"pairs": 9}, reliability=rate
    )
    put(**{f"judge/{name}": {"judgments": 30, "status": {"scored": 29}} for name in "abc"})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    git(folder, "tag", "base")
    for name, number in (("a", 29), ("b", 40), ("c", 10)):
        put(**{f"judge/{name}": {"judgments": number, "status": {"scored": 29}}})
    put(compare={"contrasts": {"direction": {"estimate": 0.3, "p": 0.02, **ends}}}, pair={"pairs": 8})
    put(reliability=rate | {"rate": 0.45, "rate_ci_low": 0.35, "rate_n": 12})
    return folder


def test_the_page_shows_what_metrics_diff_says(repository: Path) -> None:
    ((command, printed),) = re.findall(r"^\$ (curation metrics .*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)
    assert ran(repository, *shlex.split(command)).stdout == printed


def test_metrics_that_are_in_one_version_or_within_their_interval(repository: Path) -> None:
    said = ran(repository, "curation", "metrics", "diff", "--all").stdout.splitlines()
    assert [line.split()[0] for line in said] == [
        "compare:contrasts.direction.estimate", "reliability:rate", "pair:pairs",
        "judge/a:judgments", "judge/b:judgments", "judge/c:judgments",
    ]  # fmt: skip
    assert ran(repository, "curation", "metrics", "diff", "base", "base").stdout == "no metric differs\n"
    (repository / "data/metrics/pair.json").rename(repository / "data/metrics/pairs.json")
    said = ran(repository, "curation", "metrics", "diff").stdout
    (repository / "data/metrics/pairs.json").rename(repository / "data/metrics/pair.json")
    assert "pair:pairs                            9 → absent\n" in said and "absent → 8\n" in said
    done = ran(repository, "curation", "metrics", "diff", "nowhere")
    assert (done.returncode, done.stderr.startswith("error: nowhere: git knows no such revision")) == (1, True)


@pytest.mark.parametrize("width", [40, 80, 100])
def test_what_matters_is_on_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """However much moved: every metric of every judge, with names that are longer than a line."""
    monkeypatch.setenv("COLUMNS", str(width))
    git(tmp_path, "init", "-q", "-b", "main")
    for number in (1.0, 2.0):
        for name in ("compare", "reliability", "arms", *(f"judge/{judge}" for judge in "abcdefgh")):
            of = {f"a-rather-long-name-of-{n}": {f"m{m}": number * m for m in range(1, 8)} for n in "abcdefghij"}
            contrasts = {f"c{n}": {"estimate": number * n, "ci_low": 0.0, "ci_high": 1.0} for n in range(20)}
            file = tmp_path / f"data/metrics/{name}.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"contrasts": contrasts} if name == "compare" else of))
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", "one")
    said = ran(tmp_path, "curation", "metrics", "diff", "HEAD~1").stdout.splitlines()
    assert max(map(len, said)) <= width
    assert said[0].split()[:2] == ["compare:contrasts.c19.estimate", "19"] or width == 40
    assert said[-1] == "704 metrics more moved; --all prints all"
    assert len(said) <= 1 + 15 * (2 if width > 40 else 3)
