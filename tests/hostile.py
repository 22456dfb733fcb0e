"""Texts that a model, a judge, a file or a server may say, each of which would do something if a page, a terminal, a
card or a shell took it for more than text; and a study that says them everywhere.

`python tests/hostile.py` prints what each is shown as."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import world

from curation.core.text import neutralize, one_line
from curation.exchange.card import markdown
from curation.explore.mathematics import ELEMENTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

FAR = "http://x.example"
TEXTS = {
    "script": "<script>alert(1)</script>",
    "end of a title, a style, a script": "</title></style></script></textarea><script>alert(2)</script>",
    "end of an attribute": '" onmouseover="alert(3)" autofocus onfocus="alert(3)',
    "end of a quoted attribute": "' onclick='alert(4)' x='",
    "image": f"<img src={FAR}/1.png onerror=alert(5)>",
    "SVG": "</pre><svg onload=alert(6)><animate onbegin=alert(6)><a href='javascript:alert(6)'>x</a></svg>",
    "MathML": f"<math><annotation-xml encoding='text/html'><img src={FAR}/2 onerror=alert(7)></annotation-xml></math>",
    "script in a link": "<a href='javascript:alert(8)' target=_top>javascript:alert(8)</a>",
    "page in an address": "<object data='data:text/html,<script>alert(9)</script>'></object>",
    "frame": "<iframe srcdoc='<script>parent.alert(10)</script>'></iframe>",
    "form": f"<form action={FAR}><input name=token autofocus><button formaction={FAR}>Go</button></form>",
    "refresh and base": f"<meta http-equiv=refresh content='0;url={FAR}'><base href='{FAR}/'>",
    "style": f"<style>body {{ display: none }}</style><link rel=stylesheet href={FAR}/3.css>",
    "CSS": f"}} body {{ background: url({FAR}/4.png) }} /*",
    "comment": "]]><!-- <![CDATA[ <!--> --!>",
    "template": "{{ 7 * 7 }}{% include 'style.css' %}{# x #}${7*7}<%= 7*7 %>",
    "entities": "&lt;b&gt;&#x3c;script&#x3e;alert(11)&#x3c;/script&#x3e;&colon;&NewLine;",
    "markdown": f"![x]({FAR}/5.png) [y](javascript:alert(12)) | a `b",
    "formula with a link": r"$\href{javascript:alert(13)}{\text{<img src=x onerror=alert(13)>}}$",
    "formula with a style": rf"\(\style{{position:fixed;background:url({FAR}/6)}}{{x}}\class{{said}}{{y}}\)",
    "formula of great size": r"$$\rule{9999em}{9999em}\hspace{-999em}\phantom{hidden}\newcommand{\a}{\a\a}\a$$",
    "code": "```html\n<script>alert(14)</script></code></pre>\n```\n`</code><svg onload=alert(14)>`",
    "commands of a terminal": "\x1b[2J\x1b]0;title\x07\x1b]8;;http://x.example\x1b\\link\x9b31m\x7f\b\rover",
    "text that runs backwards": "\u202egnp.exe\u202c \u2066a\u2069 \u200f",
    "letters that show nothing": "a\u200bb\ufeffc\u00add\u2028e\U000e0041\u2060",
    "NUL": "nul\0nul\x0b\x0c",
    "formula of a spreadsheet": f'=HYPERLINK("{FAR}", "x")',
    "command of a shell": "$(touch hit) `touch hit`; touch hit",
}
OURS = ELEMENTS | set(
    re.findall(
        r"\w+",
        """html head meta title style link body main header nav footer section article h1 h2 h3 p div span strong a
        ul ol li dl dt dd table thead tbody tr th td caption details summary fieldset legend label input select option
        datalist textarea button form pre code kbd mark meter progress time script svg g rect line path circle text
        desc""",
    )
)
NEVER = {"style", "srcdoc", "formaction", "background", "ping", "xlink:href", "autofocus", "target"}
OWN = r"/(?!/)|#|\?|data:,$|\.\./docs/|width=device-width|light dark|default-src 'none'|Content-S"
HALF = "half of a character: \ud83d"  # no table can hold it, but what a server says can
ALL = "\n".join(TEXTS.values())


def hostile_world(text: str) -> world.World:
    """The sound world, with this text in every place where a model, a judge, a user or a server says something."""
    made = world.sound()
    call = {"id": text, "function": {"name": text, "arguments": {text: text}}}
    said = [
        {"role": "user", "content": text, "name": text},
        {"role": "assistant", "content": text, "reasoning_content": text, "tool_calls": [call]},
        {"role": "tool", "content": text, "tool_call_id": text},
    ]
    asked = [{name: message[name] for name in ("role", "content")} for message in said]
    prompts = pl.Series([asked] * made.prompts.height, dtype=made.prompts.schema["prompt"])
    own, carried = pl.lit(text), pl.lit(json.dumps({"x": text}))
    traces = made.traces.with_columns(
        reasoning=own, completion=pl.lit(text + " more"), external_id=own,
        reasoning_characters=pl.lit(len(text), pl.Int32), completion_characters=pl.lit(len(text) + 5, pl.Int32),
        characters=pl.lit(1, pl.Int32), text_id=pl.col("trace_id"),
        status=pl.lit("complete"), finish_reason=pl.lit("stop"),
    )  # fmt: skip
    return replace(
        made,
        prompts=made.prompts.with_columns(
            prompt=prompts, messages=pl.lit(json.dumps(said)), tools=pl.lit(json.dumps([text])), external_id=own
        ),
        responses=made.responses.with_columns(external_id=own, carried=carried),
        ratings=made.ratings.with_columns(rationale=own),
        listed_pairs=made.listed_pairs.with_columns(external_id=own, carried=carried),
        judgments=made.judgments.with_columns(rationale=own),
        preferences=made.preferences.with_columns(rationale=own),
        traces=traces,
        results=made.results.with_columns(reasoning=own, completion=own),
    )


def look(page: "Page", texts: Mapping[str, str]) -> None:
    """Raises AssertionError unless the page has elements, attributes and addresses of our own alone, and says each of
    the texts, character by character, but for those that are spelled out."""
    attributes_of = "[...one.attributes].map(a => [a.name, a.value])"
    found: Any = page.evaluate(f"[...document.querySelectorAll('*')].map(one => [one.localName, {attributes_of}])")
    names = {name for name, _ in found}
    assert names <= OURS, names - OURS
    for name, attributes in found:
        for attribute, value in attributes:
            assert not attribute.startswith("on") and attribute not in NEVER, (name, attribute, value)
            if attribute in ("href", "action", "src", "content", "http-equiv"):
                assert re.match(OWN, value), (name, attribute, value)
    said = re.sub(r"\s+", " ", str(page.locator("body").text_content()))
    for kind, text in texts.items():
        for line in neutralize(text).splitlines():
            assert re.sub(r"\s+", " ", line).strip() in said, kind


def shown() -> Iterator[str]:
    """A table of markdown: what each text would be, and how a page and a line of a terminal show it."""
    rows = [(kind, markdown.code(one_line(text))) for kind, text in TEXTS.items()]
    yield from markdown.table(("a text that would be", "is shown as"), rows)


if __name__ == "__main__":
    print("\n".join(shown()))
