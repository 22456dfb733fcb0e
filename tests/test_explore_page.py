"""Pages: what models say is data, and nothing of it acts; and where two texts differ.

Kinds of fault: a text that is markup, ends an attribute, or turns the line around; parts of a text that are not the
whole of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.explore import words
from curation.explore.page import environment
from curation.explore.words import mark_differences

HOSTILE = (
    "<script>alert(1)</script>", '" onmouseover="alert(1)', "</pre><svg onload=alert(1)>", "javascript:alert(1)",
    "\x1b[2J\x1b]8;;http://x\x07", "\u202egnihton\u202c", "nul\0nul", "half \ud83d", "]]><!--", "{{ 7 * 7 }}",
    "&lt;b&gt;",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_and_does_nothing(text: str) -> None:
    side = {"generator": text, "reasoning": text, "completion": text + " more", "facts": {text: text}}
    page = str(environment().get_template("macros.html").module.sides(side, {**side, "completion": "other"}))
    assert "<script" not in page and "<svg" not in page and 'onmouseover="' not in page
    assert not any(letter in page for letter in "\x1b\0\u202e\ud83d")
    assert "49" not in page


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
