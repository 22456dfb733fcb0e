"""The tables of docs/reasoning.md are what TRL's chat templates do, and the two forms in which published traces come
differ under them as that page says.

Kinds of fault: a template that deletes reasoning under a setting that is said to keep it; a page that TRL has outgrown.
"""

from pathlib import Path

import pytest

from bench import templates
from curation.models import weights

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[1] / "docs/reasoning.md"


def test_the_page_shows_what_every_template_does() -> None:
    page, lines = PAGE.read_text(), [line for line in templates.lines() if line]
    assert [line for line in lines if line.startswith("|") and line not in page.splitlines()] == []
    named = [line.split(": ")[1].split(", ") for line in lines if not line.startswith("|")]
    assert [f"`{name}`" for names in named for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ["deepseek_r1_distill", "deepseekv3"])
def test_text_keeps_what_every_other_way_loses(name: str) -> None:
    tokenizer = weights.tokenizer(templates.STUDENT["model"], templates.STUDENT["revision"])
    template = templates.Template(tokenizer, next(file for file in templates.files() if file.stem == name))
    said = {way: template.texts(way, templates.REASONING)[1] for way in (*templates.KEYS, "inline", "text")}
    assert [way for way, text in said.items() if templates.REASONING in text] == ["text"]
    assert all(templates.ANSWER in text for text in said.values())
    assert said["text"].count("<think>") == said["text"].count("</think>") == 1
