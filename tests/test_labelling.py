"""Labelling at the page. Kinds of fault: a label that is saved as another, or lost where the server is killed; a page
that tells a blind labeller who wrote a side; a form that somebody else sends; a text that acts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import to_label
import world
from browser import launched, opened
from hostile import TEXTS
from ruamel.yaml import YAML
from served import started
from viewing import Viewed, viewing

from curation.explore.labels.gold import GOLD

if TYPE_CHECKING:
    from playwright.sync_api import Page

START = "/label/pair?labeller=ann&blind=yes&keys=yes"
BY = {"": "large", "It is": "medium", "I say": "small"}  # how a text of to_label begins


@pytest.fixture
def viewed(tmp_path: Path) -> Iterator[Viewed]:
    to_label.write(tmp_path)
    with viewing(tmp_path) as server:
        yield server


def rows() -> list[dict[str, Any]]:
    """Those of the file, in the folder that is viewed."""
    return [json.loads(line) for line in GOLD.read_text().splitlines()] if GOLD.exists() else []


def writers(page: "Page") -> list[str]:
    """Who wrote the left and who the right side, by what they say."""
    texts = [page.locator(f"section[aria-labelledby={side}] .text").first.inner_text() for side in ("left", "right")]
    return [BY[match.group() if (match := re.match("It is|I say", text)) else ""] for text in texts]


def press(page: "Page", key: str) -> None:
    """A key, and the page that follows it."""
    before = page.locator("input[name=pair_id]").get_attribute("value")
    page.keyboard.press(key)
    page.wait_for_url(f"**saved={before}*" if key not in "u" else "**saved=*")


KEYS = {("large", "medium"): "1", ("medium", "large"): "ArrowRight", ("large", "small"): "ArrowLeft",
        ("small", "large"): "4", ("medium", "small"): "2", ("small", "medium"): "3"}  # fmt: skip


@pytest.mark.slow
def test_fifty_labels_by_keys_alone_though_the_server_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was pressed is what a judge of kind imported reads; who comes again goes on where they were."""
    to_label.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    pressed: dict[str, str] = {}
    at = None
    with launched() as browser:
        for most in (20, 50):
            server = started(tmp_path, "curation", "view", "--no-browser", "--port", "0")
            try:
                assert server.stdout is not None
                first = server.stdout.readline().strip()
                with opened(browser, first.replace("/?", "/label?")) as (page, heard):
                    page.goto(first.partition("/?")[0] + START)
                    while len(pressed) < most:
                        number = page.locator("input[name=pair_id]").get_attribute("value")
                        assert number is not None and number not in pressed and at in (None, number)
                        left, right = writers(page)
                        at, pressed[number] = None, KEYS[left, right]
                        press(page, pressed[number])
                        assert len(rows()) == len(pressed)
                    at = page.locator("input[name=pair_id]").get_attribute("value")
                    assert f"ann: {most} labelled or skipped" in page.locator("main").inner_text()
                    assert heard.console == heard.dialogs == []
            finally:
                server.kill()
                server.communicate()
    assert [row["pair_id"] for row in rows()] == list(pressed)
    found = to_label.read_back(tmp_path)["people"]
    said = {("large", "medium"): "chosen", ("large", "small"): "chosen", ("medium", "small"): "tie"}
    assert found.height == 50 and set(found["pair_id"].cast(str)) == set(pressed)
    for chosen, rejected, verdict in found.select("chosen_model", "rejected_model", "verdict").rows():
        assert verdict == said[chosen, rejected]


@pytest.mark.slow
def test_two_people_label_the_same_pairs_and_are_kept_apart(viewed: Viewed, tmp_path: Path) -> None:
    seen: dict[str, list[tuple[str | None, str]]] = {"ann": [], "bo b": []}
    with launched() as browser:
        for who, key in (("ann", "1"), ("bo b", "4")):
            with opened(browser, viewed.first.replace("/?", "/label?")) as (page, _):
                page.goto(viewed.root + START.replace("ann", who))
                for _ in range(12):
                    number = page.locator("input[name=pair_id]").get_attribute("value")
                    seen[who].append((number, writers(page)[0]))
                    press(page, key)
    assert [number for number, _ in seen["ann"]] == [number for number, _ in seen["bo b"]]
    assert [by for _, by in seen["ann"]] != [by for _, by in seen["bo b"]]  # who sees what first is drawn for each
    found = to_label.read_back(tmp_path)
    assert {name: rows.height for name, rows in found.items()} == {"people": 24, "person_ann": 12, "person_bo_b": 12}
    for name, which in (("person_ann", "chosen"), ("person_bo_b", "rejected")):
        said = found[name].select(ours=(found[name]["verdict"] == which) == (found[name]["order"] == "chosen_first"))
        assert said["ours"].all()
    assert "ann and bo b labelled 12 pairs both" in viewed.ask("/label").text


def test_a_blind_page_holds_nothing_of_who_wrote_a_side_or_of_what_judges_say(viewed: Viewed) -> None:
    page = viewed.ask(START).text
    told = [*world.GENERATORS, "chosen", "rejected", "logic", "brevity", "family"]
    assert "Which is better?" in page and not [word for word in told if word in page]
    in_the_open = viewed.ask(START.replace("&blind=yes", "")).text
    assert in_the_open.count("written by") == 2
    viewed.ask(START)
    assert rows() == []  # to look at a page writes nothing


@pytest.mark.slow
def test_keys_buttons_and_no_script_say_the_same(viewed: Viewed) -> None:
    with launched() as browser:
        with opened(browser, viewed.first.replace("/?", "/label?")) as (page, _):
            page.goto(viewed.root + START)
            for key in ("1", "2", "3", "4", "s"):
                press(page, key)
            page.keyboard.press("u")
            page.get_by_text("Taken back").wait_for()
        for answer in ("Left is better", "Tie", "Both bad", "Right is better", "Skip", "Undo"):
            with opened(browser, viewed.first.replace("/?", "/label?"), java_script_enabled=False) as (page, heard):
                page.goto(viewed.root + START.replace("ann", "bo"))
                page.get_by_role("button", name=answer).click()
                assert page.get_by_role("status").inner_text().startswith(("Saved: ", "Taken back"))
                assert heard.console == []
    ann, bo = ([row for row in rows() if row["labeller"] == who] for who in ("ann", "bo"))
    for mine, other in zip(ann, bo, strict=True):
        turned = {"chosen": "rejected", "rejected": "chosen"} if mine["order"] != other["order"] else {}
        assert other["pair_id"] == mine["pair_id"] and other["action"] == mine["action"]
        assert other["verdict"] == turned.get(mine["verdict"], mine["verdict"])
    assert [row["action"] for row in ann] == [*["label"] * 4, "skip", "undo"]


def test_digits_score_both_sides_and_what_was_said_stands_there_again(viewed: Viewed, tmp_path: Path) -> None:
    address = viewed.root + START + "&dimension=logic&dimension=brevity"
    with launched() as browser, opened(browser, viewed.first.replace("/?", "/label?")) as (page, heard):
        page.goto(address)
        for key in ("d", "4", "2", "5", "9", "Escape", "1"):  # the last field has no 9, and stays as it was
            page.keyboard.press(key)
        page.wait_for_url("**saved=**")
        page.goto(f"{address}&pair={rows()[0]['pair_id']}")
        values = [page.locator(f"select[name='{side}.{name}']").input_value()
                  for name in ("logic", "brevity") for side in ("left", "right")]  # fmt: skip
        assert values == ["4", "2", "5", ""] and heard.console == []
        page.get_by_role("button", name="Tie").click()
    left = "chosen" if rows()[0]["order"] == "chosen_first" else "rejected"
    right = ({"chosen", "rejected"} - {left}).pop()
    for row in rows():
        assert row[left]["scores"] == {"logic": 4.0, "brevity": 5.0} and row[right]["scores"] == {"logic": 2.0}
    assert [row["verdict"] for row in rows()] == [left, "tie"]
    assert "dimensions: {brevity: chosen.scores.brevity, logic: chosen.scores.logic}" in viewed.ask("/label").text
    said = viewed.ask(f"{START}&dimension=logic", form_of(viewed, **{"left.logic": "6"}))
    assert said.status == 400 and "is not from 1 to 5" in said.text and len(rows()) == 2


def form_of(viewed: Viewed, **changes: str) -> dict[str, str]:
    """The form of the page, filled in."""
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', viewed.ask(START).text))
    return hidden | {"answer": "left"} | changes


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        ({"form": "x"}, {}, 403), ({}, {"Origin": "http://evil.example"}, 403), ({"pair_id": "1"}, {}, 404),
        ({"pair_id": "x"}, {}, 404), ({"answer": "best"}, {}, 400), ({"answer": "undo"}, {}, 400), ({}, {}, 200),
    ],
)  # fmt: skip
def test_only_a_form_of_the_page_is_taken(
    changes: dict[str, str], headers: dict[str, str], status: int, viewed: Viewed
) -> None:
    assert viewed.ask(START, form_of(viewed, **changes), **headers).status == status
    assert len(rows()) == (status == 200)


def test_a_list_leads_to_its_labels_and_asks_once_who_labels(viewed: Viewed) -> None:
    first = f"{viewed.first}&column=chosen_model"  # no judge has said anything of these pairs
    with launched() as browser, opened(browser, first, java_script_enabled=False) as (page, heard):
        page.goto(
            f"{viewed.root}/?chosen=large&where=rejected_model+%3C%3E+%27small%27+--+a+%3C+note&column=chosen_model"
        )
        page.get_by_role("link", name="Label these pairs").click()
        page.wait_for_url("**/label?where=**")
        where = "(rejected_model <> 'small' -- a < note\n) and chosen_model = 'large'"
        assert page.get_by_label("Only where").input_value() == where
        page.get_by_label("Who labels").fill("ann")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/label/pair?labeller=ann**")
        assert set(writers(page)) == {"large", "medium"}
        page.get_by_role("button", name="Tie").click()
        page.wait_for_url("**saved=**")
        page.goto(f"{viewed.root}/?chosen=large&column=chosen_model")
        page.get_by_role("link", name="Label these pairs").click()
        page.wait_for_url("**/label/pair?labeller=ann**")
        assert page.get_by_text("1 labelled or skipped").is_visible()
        assert heard.console == heard.dialogs == []
        page.goto(f"{viewed.root}/?text=is&column=chosen_model")
        page.wait_for_selector("#count")  # the page asks again by itself while the search runs
        assert page.get_by_role("link", name="Label these pairs").count() == 0  # what a text has is no expression
    assert [(row["labeller"], row["sample"]["kind"]) for row in rows()] == [("ann", "filter")]


def test_the_way_of_showing_texts_stays_from_pair_to_pair(viewed: Viewed) -> None:
    """Labelling, and from page to page of a list; the address has it, so that no script is needed to keep it."""
    with launched() as browser, opened(browser, f"{viewed.first}&column=chosen_model") as (page, heard):
        page.goto(f"{viewed.root}{START}&texts=%22%3E%3Cb%3E")
        assert page.get_by_label("as read").is_checked()
        page.get_by_label("source", exact=True).check()
        page.locator("h1").click()
        press(page, "2")
        assert page.get_by_label("source", exact=True).is_checked() and "texts=source" in page.url
        page.get_by_role("button", name="Tie").click()
        page.wait_for_url("**saved=**")
        assert page.get_by_label("source", exact=True).is_checked()
        page.get_by_label("as read").check()
        page.locator("h1").click()
        press(page, "s")
        assert page.get_by_label("as read").is_checked() and "texts=" not in page.url
        page.goto(f"{viewed.root}/?chosen=large&column=chosen_model")
        page.locator("tbody a").first.click()
        page.get_by_label("source, differences marked").check()
        page.get_by_role("link", name="Next pair").click()
        page.wait_for_url("**at=1**")
        assert page.get_by_label("source, differences marked").is_checked() and "chosen=large" in page.url
        page.reload()
        assert page.get_by_label("source, differences marked").is_checked()
        page.goto(f"{viewed.root}/prompt/{page.locator('h2 a').first.inner_text()}?texts=differences")
        assert page.get_by_label("source", exact=True).is_checked()  # there is nothing to differ from
        assert heard.console == heard.dialogs == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("labeller=", "labeller: say who labels, in 1 to 60 characters"),
        ("labeller=%1b[2J", "labeller: say who labels"),
        ("labeller=ann&sample=near", "sample: &#39;near&#39; is none"),
        ("labeller=ann&sample=cut&selection=cler", "did you mean &#39;clear&#39;?"),
        ("labeller=ann&sample=disagree&a=rubric.logic&b=rubric.logic", "agrees with itself; name two"),
        ("labeller=ann&where=read_csv(%27/etc/passwd%27)", "where: "),
        ("labeller=ann&where=chosen.model%3D1", "where: "),
        ("labeller=ann&seed=-1", "is no whole number from 0"),
        ("labeller=ann&dimension=charm", "dimension: &#39;charm&#39; is none"),
    ],
)
def test_what_cannot_be_labelled_is_a_line(query: str, said: str, viewed: Viewed) -> None:
    answer = viewed.ask(f"/label/pair?{query}")
    assert answer.status == 400 and said in answer.text, answer.text


@pytest.mark.slow
def test_hostile_texts_do_nothing_and_are_labelled_as_any(tmp_path: Path) -> None:
    to_label.write(tmp_path, hostile="\n".join(TEXTS.values()))
    with (
        viewing(tmp_path) as server,
        launched() as browser,
        opened(browser, server.first.replace("/?", "/label?")) as (page, heard),
    ):
        page.goto(server.root + START.replace("ann", "<script>alert(1)</script>"))
        for key in ("1", "4", "s"):
            press(page, key)
        assert "<script>alert(1)</script>: 3 labelled" in page.locator("main").inner_text()
        page.get_by_role("link", name="What you said").click()
        page.goto(f"{server.root}/label")
        assert heard.dialogs == heard.console == []
        assert all(address.startswith((server.root, "data:,")) for address in heard.requests)
        assert len(rows()) == 3 and to_label.read_back(tmp_path)["people"].height == 3


def test_no_sample_is_offered_that_the_study_cannot_have(tmp_path: Path) -> None:
    """A study without a selection that ranks, and with what one judge says alone."""
    to_label.write(tmp_path)
    file = tmp_path / "params.yaml"
    params = YAML(typ="safe").load(file)
    with viewing(tmp_path) as viewed:
        assert viewed.ask("/label").text.count('name="sample"') == 3
    for body in params["selections"].values():
        body["value"] = None
        body["keep"] = {"kind": "random"}
    YAML().dump(params, file)
    with viewing(tmp_path) as viewed:
        said = viewed.ask("/label").text
    assert said.count('name="sample"') == 2 and "near a selection" not in said


def test_a_label_of_what_a_trace_no_longer_says_counts_no_more_and_its_pair_comes_again(
    viewed: Viewed, tmp_path: Path
) -> None:
    """The kind of fault: a label that moves to another text. Of a trace that was generated again under its id."""
    viewed.ask(START, form_of(viewed))
    first, *_ = rows()
    assert f'name="pair_id" value="{first["pair_id"]}"' not in viewed.ask(START).text
    file = next(file for file in (tmp_path / "data/traces").glob("*.parquet")
                if int(first["chosen"]["trace_id"]) in pl.read_parquet(file)["trace_id"])  # fmt: skip
    traces = pl.read_parquet(file)
    again = pl.when(trace_id=int(first["chosen"]["trace_id"])).then(pl.lit("Once more.")).otherwise("completion")
    traces.with_columns(again.alias("completion")).write_parquet(file)
    assert "1 label is of a text that its trace no longer has" in viewed.ask("/label").text
    assert f'name="pair_id" value="{first["pair_id"]}"' in viewed.ask(START).text
    viewed.ask(START, form_of(viewed))
    assert [row["pair_id"] for row in rows()] == [first["pair_id"]] * 2
    assert f'name="pair_id" value="{first["pair_id"]}"' not in viewed.ask(START).text


def test_labels_of_earlier_texts_stay_away_where_the_file_is_edited_in_place(viewed: Viewed, tmp_path: Path) -> None:
    """The kind of fault: what was worked out once of a file that is then read anew."""
    viewed.ask(START, form_of(viewed))
    first, *_ = rows()
    trace = int(first["chosen"]["trace_id"])
    for file in (tmp_path / "data/traces").glob("*.parquet"):
        said = pl.when(trace_id=trace).then(pl.lit("Once more.")).otherwise("completion").alias("completion")
        pl.read_parquet(file).with_columns(said).write_parquet(file)
    outlived = "1 label is of a text that its trace no longer has"
    assert outlived in viewed.ask("/label").text
    file = tmp_path / GOLD
    file.write_text(file.read_text().replace('"labeller"', ' "labeller"', 1))
    assert f'name="pair_id" value="{first["pair_id"]}"' in viewed.ask(START).text
    assert outlived in viewed.ask("/label").text
