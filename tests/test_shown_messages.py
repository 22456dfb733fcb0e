"""How the messages of a prompt are shown, in lines and on pages.

Kinds of fault: a message of which a place shows the text alone, so that one that calls a tool looks empty; a call as
Python or a page's script would write it, in letters that nobody reads; a result that does not say which call it is of;
a prompt known by its first or last message alone, which all prompts of a system share, or which a tool wrote; an own
text that passes for markup or for a line of ours.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import world
from hostile import TEXTS
from served import ran
from viewing import viewing

from curation.core.params import read
from curation.explore import page
from curation.explore.lines import say_call, write_messages
from curation.explore.page import environment
from curation.explore.report.asking import asking
from curation.explore.report.worth import describe_pairs
from curation.tables import contracts, parquet

TEMPLATES = Path(page.__file__).parent / "templates"
CALL = {"type": "function", "id": "c1", "function": {"name": "get_weather", "arguments": {"city": "東京"}}}
SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "How warm is it?"},
    {"role": "assistant", "content": "", "reasoning_content": "I look it up.", "tool_calls": [CALL]},
    {"role": "tool", "content": '{"celsius": 21}', "tool_call_id": "c1"},
]


def shown(messages: list[dict[str, Any]]) -> str:
    template = environment().from_string("{% import 'macros.html' as m %}{{ m.messages(all) }}")
    return template.render(all=messages)


def test_lines_show_who_calls_what_and_what_came_of_it() -> None:
    assert list(write_messages(SAID, full=True)) == [
        "  user:", "  │ How warm is it?", "  assistant:", "  │ I look it up.",
        '  calls get_weather({"city": "東京"}) as c1', "  tool, of c1:", '  │ {"celsius": 21}',
    ]  # fmt: skip


def test_a_page_shows_the_same() -> None:
    said = shown(SAID)
    assert "<h3>tool, of c1</h3>" in said and "I look it up." in said
    assert "calls get_weather({&#34;city&#34;: &#34;東京&#34;}) as c1" in said
    assert "No answer" not in said and '<div class="text"></div>' not in said


def test_a_call_is_read_in_each_form_that_it_is_sent_in() -> None:
    """Arguments as an object or as its text; a bare function; and one that a server never finished."""
    function = CALL["function"]
    assert isinstance(function, dict)
    assert say_call(function) == 'get_weather({"city": "東京"})'
    assert say_call({"function": {"name": "add", "arguments": '{"a": 1'}}) == 'add({"a": 1)'


def test_hostile_names_and_arguments_are_text() -> None:
    calls = [{"id": text, "function": {"name": text, "arguments": {text: text}}} for text in TEXTS.values()]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    assert len(list(write_messages([message], full=True))) == 1 + len(calls)
    assert "<script" not in shown([message]) and "\x1b" not in shown([message]) and "\u202e" not in shown([message])


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """A study whose prompts end in what a tool said, after a call; all open with one system message."""
    world.write(world.sound(), tmp_path)
    file = tmp_path / "data/prompts.parquet"
    rows = parquet.read(contracts.PROMPTS, file).to_dicts()
    for row in rows:
        asked, tools = row["prompt"], SAID[1:]
        whole = [{"role": "system", "content": "Use tools."}, *asked, *tools]
        row["prompt"] = [{"role": message["role"], "content": message["content"]} for message in whole]
        row["messages"] = json.dumps(whole)
    parquet.write(contracts.PROMPTS, world.rows_of(contracts.PROMPTS, rows), file)
    return tmp_path


def test_the_view_tells_prompts_of_one_system_apart(agents: Path) -> None:
    asked = [row[1]["content"] for row in pl.read_parquet(agents / "data/prompts.parquet")["prompt"]]
    with viewing(agents) as viewed:
        listed = viewed.ask("/prompts").text
        number = pl.read_parquet(agents / "data/pairs.parquet")["pair_id"][0]
        shown = viewed.ask(f"/pair/{number}").text
    assert all(text in listed for text in asked) and "Use tools." not in listed
    assert "calls get_weather(" in shown and "tool, of c1" in shown


def test_the_report_quotes_the_user_and_not_the_tool(agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(agents)
    pair = pl.read_parquet("data/pairs.parquet").row(0, named=True)
    prompts = {row["prompt_id"]: row["prompt"] for row in pl.read_parquet("data/prompts.parquet").to_dicts()}
    with asking(read()) as asked:
        (row,) = describe_pairs(asked, [("sort", "why", pair["pair_id"])], 100)
    assert (row["prompt"], row["messages"]) == (prompts[pair["prompt_id"]][1]["content"], 4)


def test_why_shows_all_of_it(agents: Path) -> None:
    number = pl.read_parquet(agents / "data/prompts.parquet")["prompt_id"][0]
    said = ran(agents, "curation", "why", str(number)).stdout
    assert said.startswith(f"PROMPT {number}") and "  tool, of c1:" in said


def test_every_page_shows_messages_in_the_one_way() -> None:
    """A call's request alone is shown as it was sent."""
    own = {file.name for file in TEMPLATES.glob("*.html") if "message.role" in file.read_text()}
    own |= {file.name for file in TEMPLATES.glob("*.html") if "message.content" in file.read_text()}
    assert own == {"macros.html", "why_named.html"}
