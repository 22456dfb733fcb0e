"""Texts of megabytes in the view.

Kinds of fault: a page whose time grows with its texts, on which every other page waits; a text that is cut and says
nothing of it, or nowhere stands whole; a short text that is cut because another is long."""

import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

import polars as pl
import pytest
import world
from versions import rewrite
from viewing import Viewed, viewing

from curation.explore import traces
from curation.explore.view import answering
from curation.explore.view.bounded import MOST_SHOWN, Cut, cut_texts

LETTERS = 2_000_000


class Study(NamedTuple):
    """A server of a study, one pair of which has two long answers, that begin and end as is said here."""

    server: Viewed
    pair: int
    trace: int
    prompt: int


def lengthen(traces: pl.DataFrame, trace: int, said: str) -> pl.DataFrame:
    """Of which one has that answer."""
    own = pl.when(pl.col("trace_id") == trace)
    letters = own.then(len(said)).otherwise("characters").cast(pl.Int32).alias("characters")
    return traces.with_columns(letters, own.then(pl.lit(said)).otherwise("completion").alias("completion"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    folder = world.write(world.sound(), tmp_path_factory.mktemp("long")).parent
    pairs = pl.read_parquet(folder / "data/pairs.parquet")
    pair = pairs.filter(pl.col("chosen_model") != pl.col("rejected_model")).row(0, named=True)
    for side, filler in (("chosen", "two and two "), ("rejected", "three \u202e and ")):
        long = "BEGIN " + filler * (LETTERS // len(filler)) + " END"
        lengthened = partial(lengthen, trace=pair[f"{side}_trace_id"], said=long)
        rewrite(folder / f"data/traces/{pair[f'{side}_model']}.parquet", lengthened)
    with viewing(folder) as server:
        yield Study(server, pair["pair_id"], pair["chosen_trace_id"], pair["prompt_id"])


@pytest.mark.parametrize("page", ["pair", "trace", "prompt", "label"])
def test_a_page_of_long_texts_is_cut_says_so_and_leads_to_all_of_them(study: Study, page: str) -> None:
    address = f"/label/pair?labeller=ann&blind=yes&pair={study.pair}"
    if page != "label":
        address = f"/{page}/{getattr(study, page)}"
    cut = study.server.ask(address).text
    assert "BEGIN" in cut and " END" not in cut and len(cut) < 3 * MOST_SHOWN
    assert len(re.findall("… and [0-9,]+ characters more", cut)) == (1 if page == "trace" else 2)
    (whole,) = re.findall(r'<p role="note">.*?<a href="([^"]+)">Show all of it', cut)
    path = address.partition("?")[0]
    all_of_it = study.server.ask(path + whole.replace("&amp;", "&")).text
    assert all_of_it.count(" END") == cut.count("BEGIN") and "characters more" not in all_of_it
    assert "BEGIN" not in study.server.ask("/").text


def test_where_a_page_leads_is_whole_however_much_else_is_cut(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of fault: an address, or what a form says again, that is cut as a text is: it asks for something else.
    A page of very many texts cuts all of them to fewer letters than an address has."""
    monkeypatch.setattr(answering, "cut_texts", partial(cut_texts, most=100))
    where = f"pair_id > 0 {'and pair_id > 0 ' * 20}and chosen.characters > 0"
    page = study.server.ask(f"/pair/{study.pair}?{urlencode({'where': where, 'at': 1})}").text
    assert '<p role="note">' in page
    (back,) = set(re.findall(r'href="(/\?where=[^"]+)"', page))
    assert dict(parse_qsl(unescape(back)[2:])) == {"where": where}
    asked = urlencode({"labeller": "ann", "blind": "yes", "where": where, "pair": study.pair})
    label = study.server.ask(f"/label/pair?{asked}").text
    assert '<p role="note">' in label and urlencode({"where": where}) in unescape(label)


def test_calls_of_long_texts_are_worked_out_only_for_who_asks(study: Study) -> None:
    """To find one, every judge's message is made again."""
    of_pair = f"/pair/{study.pair}"
    assert "no calls: of texts of 4,0" in study.server.ask(of_pair).text
    assert "no calls: of texts" not in study.server.ask(f"{of_pair}?whole=yes").text


def test_no_more_of_siblings_is_compared_than_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"generator": "a", "sample_index": 0, "prompt_id": 1, "reasoning": None, "text_id": 1, "trace_id": 1}
    said = " ".join(map(str, range(100)))
    own = row | {"completion": said}
    others = [row | {"trace_id": 2, "text_id": 2, "completion": f"{said} and then"}]
    (near,) = traces.find_siblings(own, others)
    assert (near["similarity"], near["letters"]) == (0.98, None)
    monkeypatch.setattr(traces, "MOST_COMPARED", 200)
    (near,) = traces.find_siblings(own, others)
    assert (near["similarity"], near["letters"]) == (1.0, 100)


def test_the_longest_texts_are_cut_to_one_length_and_short_ones_stay() -> None:
    values = {"a": "x" * 10, "b": [{"c": "y" * 100}, ("z" * 70, None)], "d": 5}
    cut, length = cut_texts(values, 90, 0)
    assert (length, cut) == (40, {"a": "x" * 10, "b": [{"c": "y" * 40}, ("z" * 40, None)], "d": 5})
    assert isinstance(cut["b"][0]["c"], Cut) and (cut["b"][0]["c"].rest, cut["b"][1][0].rest) == (60, 30)
    assert cut_texts(values, 180, 0) == (values, None)
    assert cut_texts(values, 10, 80)[1] == 80 and cut_texts(values, 10, 100) == (values, None)
