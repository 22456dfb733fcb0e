"""The list of pairs: what an address asks for is what it shows, counts and orders, as a slow reference has it.

Kinds of fault: a row that is not so, or one that is missing; a count that is another number than what choosing it
leaves; an order that another page does not go on; an expression that reads anything but the pairs; an address that
does not say all of it."""

import math
import re
from typing import Any
from urllib.parse import urlencode

import numpy as np
import polars as pl
import pytest
import world
from browser import launched, opened
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from viewing import Viewed
from viewing import folder as folder
from viewing import pairs as pairs
from viewing import viewed as viewed

from curation.explore.view.asked import Asked, read_asked
from curation.explore.view.listed import Listed, Refused
from curation.explore.view.ordering import order_page

COLUMN = st.sampled_from([
    [None, 0.5, -1.0, 2.0, math.nan, 0.5], [None, "b", "a", "ä", ""], [True, False, None], [3, 1, 2**40, -5],
    [2**62, 2**62 + 1, -(2**63)], [0, 2**63, 2**64 - 1],
]).flatmap(lambda values: st.lists(st.sampled_from(values), max_size=30))  # fmt: skip


def all_ids(pairs: Listed, asked: Asked) -> list[int]:
    """The ids of the whole list, by pages of three."""
    return [number for start in range(0, pairs.columns.height, 3) for number in pairs.ids(asked, start, 3)]


@given(COLUMN, st.data(), st.booleans())
def test_a_page_is_that_of_a_stable_sort(values: list[Any], data: st.DataObject, down: bool) -> None:
    series = pl.Series("v", values, None if any(value is not None for value in values) else pl.Float64)
    rows = np.array([row for row in range(len(values)) if data.draw(st.booleans())], dtype=np.int64)
    known = [row for row in rows if values[row] is not None and values[row] == values[row]]
    whole = sorted(known, key=lambda row: values[row], reverse=False)
    if down:  # of equal values the first still comes first
        whole = [row for value in sorted({values[row] for row in known}, reverse=True)
                 for row in known if values[row] == value]  # fmt: skip
    whole += [row for row in rows if row not in known]
    start, count = data.draw(st.integers(0, 8)), data.draw(st.integers(1, 8))
    assert order_page(series, rows, start, count, down).tolist() == whole[start : start + count]


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    "sort", ["", "rubric.delta_logic", "chosen_model", "margin.clear", "reason.clear", "chosen.tokens"]
)
def test_the_order_is_that_of_the_tables(pairs: Listed, sort: str, down: bool) -> None:
    asked = Asked(sort=sort, down=down)
    ids = all_ids(pairs, asked)
    assert sorted(ids) == world.sound().pairs["pair_id"].to_list()
    shown = pl.concat([pairs.page(asked).values]) if sort else None
    if shown is not None:
        known = shown[sort].drop_nulls()
        assert known.equals(known.sort(descending=down)) and shown[sort].tail(shown[sort].null_count()).is_null().all()


def test_an_expression_keeps_what_it_is_true_of(pairs: Listed) -> None:
    made = world.sound()
    deltas, known = made.deltas["rubric"], made.pairs
    logic = dict(deltas.select("pair_id", "delta_logic").rows())
    wanted = [
        row["pair_id"] for row in known.to_dicts()
        if row["chosen_model"] == "large" and logic[row["pair_id"]] is not None and logic[row["pair_id"]] > 0.3
    ]  # fmt: skip
    assert wanted
    page = pairs.page(Asked(where="rubric.delta_logic > 0.3 and chosen_model = 'large'"))
    assert (page.ids, page.found) == (wanted, len(wanted))
    kept = made.selections.filter(selection="clear", reason="kept")["pair_id"].sort().to_list()
    assert pairs.page(Asked(where="reason.clear = 'kept'")).ids == kept
    of_arm = made.subsets[world.ARM]["pair_id"].sort().to_list()
    assert pairs.page(Asked(where=f'arm."{world.ARM}"')).ids == of_arm


def test_every_count_is_what_choosing_it_leaves(pairs: Listed) -> None:
    lists = [Asked(), Asked(where="not identical", chosen=(("selection", "clear"), ("judge", "rubric.logic")))]
    for asked in [*lists, Asked(chosen=(("chosen", "large"), ("judge", "rubric.logic"), ("says", "better")))]:
        for name, options in pairs.page(asked).facets.items():
            for option in options:
                if name in ("selection", "judge"):  # what is chosen under them has no meaning beside another
                    under = {"selection": "reason", "judge": "says"}[name]
                    rest = {key: value for key, value in asked.facets.items() if key not in (name, under)}
                    rest |= {name: option.value} | ({"reason": "kept"} if name == "selection" else {})
                else:
                    rest = {**asked.facets, name: option.value}
                assert pairs.page(asked._replace(chosen=tuple(rest.items()))).found == option.left, (
                    asked,
                    name,
                    option,
                )


def test_values_of_a_page_are_those_of_all_pairs(pairs: Listed) -> None:
    texts = [name for name in pairs.names() if not name.startswith("carried.")] + ["rubric.delta_logic * 2", "1 + 1"]
    texts += ["rank() over (order by rubric.delta_logic, pair_id)"]
    rows = np.array([4, 1, 3])
    page = pairs.columns.page_values(texts, rows)
    for text in texts:
        assert page[text].equals(pairs.columns.values({"value": text})["value"][rows].alias(text), null_equal=True), (
            text
        )


@pytest.mark.parametrize(("name", "text", "said"), [
    ("where", "rubric.delta_logik > 1", "did you mean 'rubric.delta_logic'"),
    ("where", "chosen_model", "is not true or false"),
    ("where", "(select count(*) from read_csv('/etc/passwd')) > 0", "has a subquery"),
    ("where", "read_text('/etc/passwd') = ''", "calls read_text()"),
    ("where", "reason.cleer = 'kept'", "did you mean 'reason.clear'"),
    ("where", "chosen_model = 'larg'", "is never 'larg'; did you mean 'large'"),
    ("where", "1); drop table pairs; --", "is not an SQL expression"),
    ("where", "chosen_model::int > 1", "Could not convert"),
    ("sort", "nonsense", "is not a column"),
    ("column", "getenv('HOME')", "calls getenv()"),
    ("chosen", "nobody", "is not one of large, medium"),
])  # fmt: skip
def test_what_cannot_be_asked_is_said_beside_its_field(viewed: Viewed, name: str, text: str, said: str) -> None:
    answer = viewed.ask(f"/?{urlencode({name: text})}")
    assert answer.status == 400 and f'id="fault-{name}"' in answer.text
    assert said.replace("'", "&#39;") in answer.text and "root:" not in answer.text


def test_an_address_says_all_of_it() -> None:
    asked = Asked(
        "a > 1 and b = 'é&\"'",
        "<b>",
        "chosen",
        "x.y",
        True,
        ("a", "b"),
        (("chosen", "m&m"), ("judge", "j.d"), ("says", "better")),
        3,
        7,
    )
    assert read_asked(QueryParams(asked.address().partition("?")[2])) == asked
    assert read_asked(QueryParams("")) == Asked() and Asked().address() == "/"
    odd = read_asked(QueryParams("page=-1&at=x&in=nowhere&order=up&page2=1"))
    assert odd == Asked() and read_asked(QueryParams("page=99999999999999999999")) == Asked()


def test_a_browser_filters_sorts_pages_and_goes_back(viewed: Viewed) -> None:
    with launched() as browser, opened(browser, viewed.first) as (page, heard):
        height = len(world.sound().pairs)
        assert page.locator("#count").inner_text().startswith(f"{height} of {height} pairs")
        page.get_by_label("Where").fill("rubric.delta_logic is not null")
        page.keyboard.press("Enter")
        page.wait_for_url("**where=**")
        head = page.locator("th", has_text="answer.delta_correct")
        head.get_by_role("link").click()
        page.wait_for_url("**order=down**")
        assert head.get_attribute("aria-sort") == "descending"
        shown = [float(text) for text in page.locator("tbody tr td:nth-child(4)").all_inner_texts() if text != "–"]
        assert shown == sorted(shown, reverse=True) and "where=" in page.url
        head.get_by_role("link").click()
        page.wait_for_url(re.compile("correct$"))
        assert head.get_attribute("aria-sort") == "ascending"
        page.go_back()
        page.wait_for_url("**order=down**")
        assert head.get_attribute("aria-sort") == "descending"
        page.get_by_label("selection").select_option("clear")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**selection=clear**")
        page.get_by_label("its verdict").select_option("kept")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**reason=kept**")
        kept = world.sound().selections.filter(selection="clear", reason="kept").height
        assert page.locator("#count").inner_text().startswith(f"{kept} of {height}")
        page.locator("tbody a").first.click()
        page.wait_for_url("**/pair/**at=0")
        assert page.locator("h1").inner_text().startswith("Pair")
        assert heard.console == heard.dialogs == []
        assert all(address.startswith(viewed.root) or address == "data:," for address in heard.requests)


def test_the_pair_before_and_after_are_those_of_the_list(pairs: Listed) -> None:
    asked = Asked(sort="rubric.delta_logic", down=True)
    ids = all_ids(pairs, asked)
    assert [pairs.ids(asked, place, 1) for place in range(len(ids))] == [[number] for number in ids]


def test_faults_name_what_they_are_of(pairs: Listed) -> None:
    with pytest.raises(Refused) as refused:
        pairs.page(Asked(where="nope", sort="nope", columns=("nope",)))
    assert set(refused.value.faults) == {"where", "sort", "column"}
    for asked, place in ((Asked(sort="nope"), "sort"), (Asked(chosen=(("selection", "nope"),)), "selection")):
        with pytest.raises(Refused) as refused:  # once, and not again as a column that one did not name
            pairs.page(asked)
        assert set(refused.value.faults) == {place}
