"""When two texts are the same, against Python's own normal form, and a pair of such texts."""

import re
import unicodedata

import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st

from curation.pairs import pair
from curation.tables import contracts
from curation.tables.ids import content_id
from curation.tables.texts import BLANKS, text_ids
from curation.traces import generate

LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
TEXTS = st.text(st.sampled_from("aeé\u0301\u00c5\u212b \t\r\n\x85\u2028\u00a0\u3000\ufeff\u200b\uac00\u1100\u1161"))


def reference(text: str | None) -> int | None:
    if text is None:
        return None
    lines = LINE_ENDS.sub("\n", unicodedata.normalize("NFC", text))
    return content_id(lines.strip("".join(map(chr, BLANKS))))


@given(st.lists(TEXTS | st.none(), max_size=20))
def test_the_id_of_a_text_is_that_of_its_normal_form(texts: list[str | None]) -> None:
    assert text_ids(pl.Series(texts, dtype=pl.String)).to_list() == [reference(text) for text in texts]


@pytest.mark.parametrize(("text", "other", "same"), [
    ("caf\u00e9", "cafe\u0301", True), ("\u212b", "\u00c5", True), ("a\r\nb", "a\nb", True), ("a\rb", "a\nb", True),
    ("a\u2028b", "a\nb", True), ("\u3000a\u00a0", "a", True), ("\ufeffa", "a", True), ("\n\na\n", "a", True),
    ("", " \r\n\u200b", True), ("A", "a", False), ("a  b", "a b", False), ("x\u00b2", "x2", False),
    ("a\n\nb", "a\nb", False), ("\u2013", "-", False),
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
