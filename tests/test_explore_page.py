"""Pages: what models say is data, and nothing of it acts; and where two texts differ.

Kinds of fault: a text that is markup, ends an attribute, or turns the line around; parts of a text that are not the
whole of it."""

import re

import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.explore import words
from curation.explore.page import environment
from curation.explore.words import mark_differences


@pytest.mark.parametrize("text", [*hostile.TEXTS.values(), hostile.HALF])
def test_a_text_is_shown_and_does_nothing(text: str) -> None:
    side = {"generator": text, "reasoning": text, "completion": text + " more", "facts": {text: text}}
    page = str(environment().get_template("macros.html").module.sides(side, {**side, "completion": "other"}))
    assert not re.search(
        r"<(script|svg|img|a|object|iframe|form|input|meta|base|link|style)\b|<[^>]*\s(on\w+|style|href)=", page
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", page)
    assert "49" not in page or "7 * 7" not in text


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_parts_are_the_texts_and_what_is_marked_the_same_is(left: str, right: str) -> None:
    first, second = mark_differences(left, right)
    assert ("".join(part.text for part in first), "".join(part.text for part in second)) == (left, right)
    assert "".join(part.text for part in first if part.same) == "".join(part.text for part in second if part.same)


def test_only_the_words_that_differ_are_marked() -> None:
    first, second = mark_differences("So 2 + 3 = 5, then 7.", "So 2 + 4 = 6, then 7.")
    assert [part.text for part in first if not part.same] == ["3", "5"]
    assert [part.text for part in second if not part.same] == ["4", "6"]


def test_texts_too_long_to_compare_share_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_COMPARED", 3)
    first, _ = mark_differences("a b x c d", "a q b y r d")
    assert [tuple(part) for part in first] == [("a ", True), ("b x c", False), (" d", True)]


def test_long_texts_that_share_only_spaces_are_compared_and_share_nothing() -> None:
    """A kind of its own: words that stand everywhere, which take difflib hours."""
    left, right = (" ".join(f"{letter}{at}" for at in range(9000)) for letter in "xy")
    first, second = mark_differences(f"{left} end", f"{right} end")
    assert [part.same for part in first] == [part.same for part in second] == [False, True]
