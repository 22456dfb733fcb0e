"""What a card says in words, and what it lets a name or a model say: all of it is seen, and none of it does anything.

Kinds of fault: a kind, a reason or a column that the card has no words for; a rule of a selection that is left out;
a text that ends a cell, a fence or a tag, is marked up, or is read as HTML; a path of this machine.
"""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import world
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from curation.core.kinds import kinds
from curation.core.text import neutralize, one_line
from curation.exchange.card import (
    biases,
    contents,
    decontaminating,
    header,
    judges,
    learnt,
    making,
    markdown,
    selecting,
)
from curation.exchange.card.facts import Licence, model_name
from curation.selection import rules
from curation.tables import contracts

GFM = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = [
    "a|b", "`", "``", "a`b|c`", "\\", "\\|", "<script>alert(1)</script>", "<!-- x", "</code></details>",
    "![x](http://e.com/p.png)", "[x](javascript:alert(1))", "# head", "- item", "1. item", "***", "---", "=== x",
    "> quote", "a\nb\n\n# c",
    "&lt;b&gt;", "&#124;", "https://e.com", "www.e.com", "me@e.com", "$x$", "~~x~~", "_x_", "|", "||",
    "\u202eabc", "\x1b[31m", "```\n<b>\n```", " ", "",
]  # fmt: skip


MEASURES = set(re.findall(r"\w+", (Path(__file__).parents[1] / "docs/judging.md").read_text()))


def cells(line: str) -> list[str]:
    """The cells of the only row of a table, as HTML."""
    html = GFM.render("\n".join(markdown.table(("a", "b", "c"), [(line, "next", line)])))
    return re.findall("<td>(.*?)</td>", html, re.DOTALL)


def seen(html: str) -> str:
    """What a reader sees of HTML, whose tags may be those of code alone."""
    without = html.replace("<code>", "").replace("</code>", "")
    assert not re.search("<[^>]", without), f"a text is read as markup: {html}"
    return unescape(without)


def holds(said: str) -> None:
    """Both forms of a text are one cell of a table, and are seen as it is."""
    for form in (markdown.text, markdown.code):
        first, second, third = cells(form(said))
        assert second == "next" and first == third
        assert seen(first).strip() == one_line(said).strip()


@pytest.mark.parametrize("said", HOSTILE)
def test_hostile_text_is_seen_and_does_nothing(said: str) -> None:
    holds(said)


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("|`\\<>&[]()*_~#!$@:/.-+=1w\n "), max_size=40))
def test_any_text_is_seen_and_does_nothing(said: str) -> None:
    holds(said)


@given(st.text(alphabet=st.sampled_from("`~<>|\n ab\\#"), max_size=60))
def test_no_text_ends_its_fence(said: str) -> None:
    tokens = GFM.parse("\n".join([*markdown.fence(said), "after"]))
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.rstrip("\n") == neutralize(said).rstrip("\n")


@pytest.mark.parametrize("said", HOSTILE)
def test_title_of_details_is_seen_and_does_nothing(said: str) -> None:
    html = GFM.render("\n".join(markdown.details(f"Of {markdown.tag(said)}", ["body *here*"])))
    (title,) = re.findall("<summary>(.*?)</summary>", html)
    assert seen(title) == f"Of {one_line(said)}" and "<em>here</em>" in html and html.count("details>") == 2


@pytest.mark.parametrize("said", ["/home/ann/m.gguf", "~/m.gguf", "./models/m.gguf", "../m.gguf", "C:\\models\\m.gguf"])
def test_path_of_this_machine_is_left_out(said: str) -> None:
    assert model_name(said) == "m.gguf"


@pytest.mark.parametrize("said", ["org/model", "package:p/m.gguf", "qwen2.5-coder-1.5b"])
def test_published_name_of_a_model_is_whole(said: str) -> None:
    assert model_name(said) == said


def test_any_number_of_names_is_a_list() -> None:
    assert [markdown.listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize("value, said", [(-0.0001, "0.000"), (0.1234, "+0.123"), (-1.0, "-1.000"), (0.0, "0.000")])
def test_number_has_a_sign_where_there_is_something_to_sign(value: float, said: str) -> None:
    assert markdown.number(value, signed=True) == said


def test_every_kind_reason_and_column_has_words() -> None:
    assert set(kinds("sources")) == set(making.SOURCES)
    assert set(kinds("judges")) | set(kinds("pairwise_judges")) == set(judges.KINDS)
    assert set(contracts.TRACE_STATUSES) == set(making.STATUSES) | {"complete"}
    assert set(contracts.DECONTAMINATION_REASONS) == set(decontaminating.REASONS)
    assert set(rules.REASONS) == set(selecting.REASONS)
    assert {*contracts.SUBSETS.schema.names, *contracts.UNPAIRED.schema.names} == set(contents.COLUMNS)
    assert set(learnt.REGISTERED) == {"registered", "after_results", "differs", "missing", None}
    assert set(biases.OF_JUDGES | biases.OF_PAIRWISE_JUDGES) | set(judges.BELIEVED) <= MEASURES


@pytest.mark.parametrize("said", ["no", "yes", "1:30", "2026-11-27", "a: b", "# x", "0x1F", "~", "é\u2028", "'"])
def test_text_of_the_header_is_text_to_a_reader_of_yaml_1_1(said: str) -> None:
    lines = header.dump({"language": [said], "pretty_name": said})
    assert yaml.safe_load("\n".join(lines)) == {"language": [said], "pretty_name": said}


@pytest.mark.parametrize(
    "declared, wanted",
    [
        ([], {"license": "unknown"}),
        (["mit", "mit"], {"license": "mit"}),
        (["mit", None], {"license": ["mit", "unknown"]}),
        (["mit", "My own: terms"], {"license": ["mit", "other"], "license_name": "My own: terms"}),
    ],
)
def test_header_says_what_is_declared_of_licences(declared: list[str | None], wanted: dict[str, Any]) -> None:
    assert header.licences([Licence("generators", f"g{at}", one) for at, one in enumerate(declared)]) == wanted


HALF = {"side": "chosen", "at_most": 0.5}


@pytest.mark.parametrize(
    "changes, wanted",
    [
        ({"keep": {"kind": "top"}}, "Pairs are ranked by `rubric.delta_logic`, the highest first."),
        ({"keep": {"kind": "bottom"}}, "Pairs are ranked by `rubric.delta_logic`, the lowest first."),
        ({"keep": {"kind": "random"}}, "Pairs come in a random order (seed 0). Their margin is `rubric.delta_logic`"),
        ({"keep": {"kind": "band", "low": 0.5, "high": None}}, "Pairs whose `rubric.delta_logic` is at least 0.5"),
        ({"keep": {"kind": "band", "low": None, "high": None}}, "Pairs whose `rubric.delta_logic` is known"),
        ({"keep": {"kind": "quantiles", "low": 0.25, "high": 0.75}}, "between the quantiles 0.25 and 0.75 of"),
        ({"keep": {"kind": "nearest", "target": 1.5}}, "by how near `rubric.delta_logic` is to `1.5`"),
        ({"budget": {"share": 0.3}}, "The first 30.0 % of what is left are kept."),
        ({"budget": {"tokens": 2000.0}}, "up to 2,000 tokens"),
        ({"p_chosen": "rubric.p_chosen_logic"}, "better side is `rubric.p_chosen_logic`."),
        ({"budget": None}, "All that is left is kept."),
        ({"strata": {"by": "prompt.task", "shares": "equal"}}, "divided equally among the values of `prompt.task`"),
        ({"limits": {"per_prompt": 1, "generator_share": None}}, "At most 1 pair of one prompt."),
        ({"limits": {"per_prompt": None, "generator_share": HALF}}, "wrote more than 50 % of the chosen side"),
        ({"order": {"by": "chosen.tokens", "first": "lowest"}}, "see the pairs by `chosen.tokens`, lowest first"),
        ({"require": {"right": "answer.delta_correct = 1"}}, "A pair must meet `right`: `answer.delta_correct = 1`."),
        ({"unpaired": {"label": "answer.correct = 1", "budget": {"traces": 4.0}}}, "4 of them are drawn."),
    ],
)  # fmt: skip
def test_selection_is_said_in_words(changes: dict[str, Any], wanted: str) -> None:
    assert wanted in " ".join(selecting.say(world.selection("clear", **changes)))
