"""Two data versions beside each other in the view.

Kinds of fault: a pair that changed and is not listed, or under another change; a page that shows one version's text or
score in the place of the other's; text of either that a browser acts on; a comparison that fails and says nothing.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import polars as pl
import pytest
import world
from browser import launched, opened
from versions import rewrite
from viewing import Viewed, viewing

from curation.explore.view import revisions

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m \x00 red"


class Study(NamedTuple):
    """A server of the later version, the folder of the earlier, and pairs that are kept in that one only."""

    server: Viewed
    before: Path
    left: list[int]
    rewritten: int  # a trace
    gone: int  # a pair that the later version has not

    def ask(self, path: str, status: int = 200, **query: str) -> str:
        """The page, once the versions are compared."""
        for _ in range(600):
            said = self.server.ask(f"{path}?{urlencode({'before': str(self.before)} | query)}")
            if "Comparing:" not in said.text:
                assert said.status == status
                return said.text
            time.sleep(0.1)
        raise AssertionError("the comparison does not end")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    before, after = (world.write(world.sound(), tmp_path_factory.mktemp(name)).parent for name in ("before", "after"))
    kept = pl.read_parquet(before / "data/selections/clear.parquet").filter("kept")["pair_id"].to_list()
    pairs = pl.read_parquet(before / "data/pairs.parquet")
    trace = pairs.filter(pl.col("pair_id") == kept[0])["chosen_trace_id"][0]
    (file,) = [
        file for file in (after / "data/traces").iterdir() if trace in pl.read_parquet(file)["trace_id"].to_list()
    ]
    of, ids = pl.col("trace_id") == trace, pl.col("pair_id")
    said = pl.when(of).then(pl.lit(HOSTILE)).otherwise("completion").alias("completion")
    rewrite(file, lambda rows: rows.with_columns(said, pl.when(of).then(7).otherwise("text_id").alias("text_id")))
    dropped = pl.when(ids.is_in(kept[:2])).then(pl.lit("over_budget")).otherwise("reason").alias("reason")
    margin = pl.when(ids == kept[2]).then(pl.col("margin") + 1).otherwise("margin").alias("margin")
    rewrite(
        after / "data/selections/clear.parquet",
        lambda rows: rows.with_columns(pl.col("kept") & ~ids.is_in(kept[:2]), dropped, margin),
    )
    rewrite(after / "data/pairs.parquet", lambda rows: rows.filter(ids != kept[1]))
    with viewing(after) as server:
        yield Study(server, before, kept, trace, kept[1])


def listed(page: str) -> list[tuple[int, str]]:
    """The pairs of the list, and what became of each."""
    rows = re.findall(r'"/compare/pair/(-?\d+)\?.*?</th>\s*<td>(.*?)</td><td>(.*?)</td>', page)
    return [(int(number), change) for number, _, change in rows]


def test_pairs_that_changed_are_listed_by_what_became_of_them(study: Study) -> None:
    page = study.ask("/compare")
    assert sorted(listed(page)) == sorted([*((one, "left") for one in study.left[:2]), (study.left[2], "moved")])
    assert listed(page)[0][1] == "moved"
    assert listed(study.ask("/compare", change="moved")) == [(study.left[2], "moved")]
    assert listed(study.ask("/compare", selection="all")) == [] and "No pair is so." in study.ask("/compare", cause="x")
    for number in ("99", "-1", "x", "9" * 40):
        assert len(listed(study.ask("/compare", page=number))) == 3


def test_a_pair_is_shown_as_both_versions_have_it(study: Study) -> None:
    page = study.ask(f"/compare/pair/{study.left[0]}")
    told = [
        re.sub(r"\s*<[^>]*>\s*", " ", row).split() for row in re.findall(r"<tr class=\"differs\">.*?</tr>", page, re.S)
    ]
    assert [row[:3] for row in told] == [["clear", "changed", "kept"]] and told[0][-2] == "over_budget"
    old = pl.read_parquet(study.before / "data/traces").filter(pl.col("trace_id") == study.rewritten)["completion"][0]
    text = re.sub(r"</?mark>", "", page)
    assert old in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "Only " in study.ask(f"/compare/pair/{study.gone}") and "Both versions have the same" not in page
    assert "Both versions have the same texts" in study.ask(f"/compare/pair/{study.left[2]}")


@pytest.mark.parametrize("number", ["1", "-1", "x", "9" * 40, str(2**63), "%00"])
def test_a_pair_that_neither_has_is_no_page(study: Study, number: str) -> None:
    study.ask("/compare")
    assert "there is no pair" in study.ask(f"/compare/pair/{number}", 404)


@pytest.mark.parametrize("place", ["nowhere", "--upload-pack=x", "\x00", "../x", "<script>"])
def test_a_version_that_there_is_not_is_told(study: Study, place: str) -> None:
    page = study.ask("/compare", 400, before=place)
    assert 'role="alert"' in page and "the comparison failed" not in page


def test_the_last_comparisons_are_kept_and_no_more(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of millions of pairs takes gigabytes, so they run one at a time, and what nobody waits for is not begun."""
    made = list[revisions.Comparison]()
    begin = revisions.Comparison.__init__

    def note(self: revisions.Comparison, before: str, after: str) -> None:
        begin(self, before, after)
        made.append(self)

    monkeypatch.setattr(revisions.Comparison, "__init__", note)
    places = [f"{study.before}/{'./' * number}" for number in range(8)]
    with revisions.TURN:
        for place in places[:4]:
            assert "waiting for another" in study.server.ask(f"/compare?{urlencode({'before': place})}").text
        monkeypatch.setattr(revisions, "SECONDS_WAITED", -1.0)  # all of it is over for those that wait
    for job in made:
        job.thread.join()
    monkeypatch.setattr(revisions, "SECONDS_WAITED", 60.0)
    assert [job.dropped for job in made] == [True] * 4
    for place, count in ((places[3], 5), (places[3], 5), *zip(places[4:7], (6, 7, 8), strict=True), (places[3], 9)):
        assert listed(study.ask("/compare", before=place))
        assert len(made) == count


def test_a_version_that_is_another_one_now_is_compared_again(study: Study) -> None:
    first = listed(study.ask("/compare"))
    rewrite(study.before / "data/selections/clear.parquet", lambda rows: rows.with_columns(margin=pl.col("margin") + 2))
    (study.before / "params.yaml").touch()  # as `dvc repro` and `dvc checkout` touch what they write
    assert listed(study.ask("/compare")) != first  # of which one moved furthest


def test_a_browser_runs_nothing_of_either_text(study: Study) -> None:
    study.ask("/compare")
    first = f"{study.server.first.replace('/?', '/compare?')}&{urlencode({'before': str(study.before)})}"
    with launched() as browser, opened(browser, first) as (page, heard):
        page.get_by_role("link", name=str(study.left[0])).click()
        assert "<script>alert(1)</script>" in page.locator("main").inner_text()
        assert (heard.dialogs, heard.console) == ([], [])
        assert all(address.startswith((study.server.root, "data:")) for address in heard.requests)
