"""When two texts are the same, against Python's own normal form, and a pair of such texts."""

import re
import unicodedata
from collections.abc import Sequence

import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st

from curation.core.text import say_count
from curation.pairs import pair
from curation.tables import contracts
from curation.tables.ids import content_id
from curation.tables.texts import BLANKS, EMPTY, normal_form, normal_texts, text_ids, trace_text_ids
from curation.traces import generate

LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
TEXTS = st.text(st.sampled_from("ae\0é\u0301\u00c5\u212b \t\r\n\x85\u2028\u00a0\u3000\ufeff\u200b\uac00\u1100\u1161"))


def reference(text: str | None) -> int | None:
    if text is None:
        return None
    lines = LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text))
    return content_id(lines.strip("".join(map(chr, BLANKS))))


@given(st.lists(TEXTS | st.none(), max_size=20))
def test_the_id_of_a_text_is_that_of_its_normal_form(texts: list[str | None]) -> None:
    assert text_ids(pl.Series(texts, dtype=pl.String)).to_list() == [reference(text) for text in texts]


@given(st.lists(st.tuples(TEXTS | st.none(), TEXTS | st.none()), max_size=20))
def test_the_id_of_a_trace_is_that_of_its_two_texts(texts: list[tuple[str | None, str | None]]) -> None:
    """Of the completion alone where the reasoning is nothing but blanks; of none where there is no completion."""
    expected = []
    for reasoning, completion in texts:
        ids = [reference(reasoning), reference(completion)]
        alone = completion is None or ids[0] in (None, EMPTY)
        expected.append(ids[1] if alone else content_id(*ids))
    columns = (pl.Series([text[side] for text in texts], dtype=pl.String) for side in (0, 1))
    assert trace_text_ids(*columns).to_list() == expected


@pytest.mark.parametrize(("text", "other", "same"), [
    ("caf\u00e9", "cafe\u0301", True), ("\u212b", "\u00c5", True), ("a\r\nb", "a\nb", True), ("a\rb", "a\nb", True),
    ("a\u2028b", "a\nb", True), ("\u3000a\u00a0", "a", True), ("\ufeffa", "a", True), ("\n\na\n", "a", True),
    ("", " \r\n\u200b", True), ("A", "a", False), ("a  b", "a b", False), ("x\u00b2", "x2", False),
    ("a\n\nb", "a\nb", False), ("\u2013", "-", False),
    ("\u00e9\0a", "\u00e9\0b", False), ("\u00e9\0a", "e\u0301\0a", True),
])  # fmt: skip
def test_a_pair_of_texts_that_are_the_same_is_identical(text: str, other: str, same: bool) -> None:
    """The kind of fault: two texts that no reader could tell apart, learnt from as a preference; and its reverse, two
    that differ in what is read, taken for one."""
    rows = [
        {"trace_id": number, "prompt_id": 1, "generator": "ab"[number], "sample_index": 0, "completion": completion,
         "finish_reason": "stop"}
        for number, completion in enumerate((text, other))
    ]  # fmt: skip
    traces = generate.add_text_columns(world.rows_of(contracts.TRACES, rows))
    assert (traces["text_id"][0] == traces["text_id"][1]) == same
    made = pair.pair(world.pairing(order="ladder", ladder=["a", "b"]), traces)
    assert made["identical"].to_list() in ([same], [])


@pytest.mark.parametrize(("reasoning", "other", "same"), [
    (None, "", True), (None, " \r\n", True), ("", "\u3000", True), ("so", "\nso ", True), ("\u212b", "\u00c5", True),
    (None, "so", False), ("so", "thus", False), ("so", "so\nyes", False),
])  # fmt: skip
def test_traces_that_reason_otherwise_say_something_else(reasoning: str | None, other: str | None, same: bool) -> None:
    """The kind of fault: traces that differ in their reasoning alone, taken for one; or no reasoning and an empty block
    of it, taken for two."""
    traces = traces_of([(1, "a", "yes"), (1, "b", "yes"), (1, "c", "yes")], [reasoning, other, other])
    made = pair.pair(world.pairing(order="ladder", ladder=["a", "b", "c"]), traces)
    pairs = {(a, b): (c, d) for a, b, c, d in made.select(
        "chosen_trace_id", "rejected_trace_id", "identical", pl.col("same_texts_as").is_not_null()
    ).rows()}  # fmt: skip
    assert pairs == {(0, 1): (same, True), (0, 2): (same, True), (1, 2): (True, same)}


def traces_of(texts: Sequence[tuple[int, str, str | None]], reasoning: list[str | None] | None = None) -> pl.DataFrame:
    """Traces of (prompt, generator, text), numbered from 0."""
    rows = [
        {"trace_id": number, "prompt_id": prompt, "generator": generator, "sample_index": number, "completion": text,
         "finish_reason": "stop", "scale_b": float(ord(generator)), "reasoning": reasoning and reasoning[number]}
        for number, (prompt, generator, text) in enumerate(texts)
    ]  # fmt: skip
    return generate.add_text_columns(world.rows_of(contracts.TRACES, rows))


@pytest.mark.parametrize(("empty", "sides"), [("drop", {0, 1}), ("keep", {0, 1, 2, 3, 4})])
def test_an_empty_trace_is_a_side_only_if_asked_for(empty: str, sides: set[int]) -> None:
    """The kind of fault: absence taken for content: no answer is better or worse than one, nor is reasoning without
    one."""
    texts = [(1, "a", "yes"), (1, "b", "no"), (1, "a", " \u3000\r\n"), (1, "b", ""), (1, "a", ""), (1, "a", None)]
    traces = traces_of(texts, [None, "so", "", None, "so it is yes", "so it"])
    made = pair.pair(world.pairing(empty=empty), traces)
    assert {*made["chosen_trace_id"], *made["rejected_trace_id"]} == sides
    assert pair.count_empty(traces) == 3


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(1, 2), st.sampled_from("abc"), st.sampled_from(["x", " x", "y", "z"])), max_size=9)
)
def test_pairs_of_the_same_two_texts_name_the_first_of_them(texts: list[tuple[int, str, str]]) -> None:
    """Against a search through all of them; the kind of fault: one preference that counts as several."""
    made = pair.pair(world.pairing(within_generator=True), traces_of(texts))
    of_texts: dict[tuple[int, str, str], list[tuple[int, int, int]]] = {}
    for number, chosen, rejected in made.select("pair_id", "chosen_trace_id", "rejected_trace_id").rows():
        said = (texts[chosen][0], texts[chosen][2].strip(), texts[rejected][2].strip())
        of_texts.setdefault(said, []).append((chosen, rejected, number))
    expected = {
        number: min(pairs)[2] if len(pairs) > 1 else None for pairs in of_texts.values() for _, _, number in pairs
    }
    assert dict(made.select("pair_id", "same_texts_as").rows()) == expected


@given(TEXTS)
def test_the_normal_form_in_python_is_that_in_duckdb(text: str) -> None:
    assert normal_texts(pl.Series([text])).to_list() == [normal_form(text)]


def test_a_count_agrees_with_its_noun_and_its_verb() -> None:
    assert [say_count(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [say_count(number, "reply is", "replies are") for number in (1, 21)] == ["1 reply is", "21 replies are"]
