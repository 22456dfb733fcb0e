"""What a chat template makes of messages: the one place that calls it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from typing import Any, NamedTuple

from curation.calls.tool_calls import for_server
from curation.core.errors import CurationError
from curation.core.text import one_line

CLOCK_NAME = "strftime_now"  # of the function that transformers gives a template
CLOCK = "writes the day that it is asked on, so no run could be made again; fix it as template_date: '2026-01-31'"


class RenderingFault(CurationError):
    """A template refuses the messages, or would write what it should not. The message is one sentence."""


class Template(NamedTuple):
    """What takes the place of a tokenizer's own template, if anything does, and the day that it is to write, as in
    2026-01-31."""

    text: str | None
    day: str | None


def render(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Any] | None = None,
    generation_prompt: bool = True,
    **settings: Any,
) -> str:
    """The text of `messages` and, with `generation_prompt`, what opens the model's answer.

    `settings` go to the template; `chat_template` among them takes the place of the tokenizer's own. Arguments of tools
    are handed as values, or as text to a template that wants text. Raises RenderingFault where the template refuses the
    messages.
    """
    try:
        return str(
            tokenizer.apply_chat_template(
                list(messages), tools=tools, add_generation_prompt=generation_prompt, tokenize=False, **settings
            )
        )
    except CurationError:
        raise
    except Exception as error:  # a template may fail in as many ways as a program
        as_text = [for_server(message) for message in map(dict, messages)]
        if as_text != list(messages):
            return render(tokenizer, as_text, tools, generation_prompt, **settings)
        reason = one_line(str(error))[:200] or type(error).__name__
        raise RenderingFault(f"the chat template refuses these messages: {reason}") from None


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """The token ids of rendered texts: none is added that opens or ends them, as the template has written those."""
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"]) if texts else []


def clock(day: str | None) -> Callable[[str], str]:
    """What a template's `strftime_now` is to be: midnight of `day`. Without a day it raises RenderingFault, as no table
    may depend on when it was made."""

    def strftime_now(form: str) -> str:
        if day is None:
            raise RenderingFault(f"the chat template {CLOCK}")
        return datetime.combine(date.fromisoformat(day), time()).strftime(form)

    return strftime_now


def reads_clock(text: str, settings: Iterable[str]) -> bool:
    """Whether a template asks what day it is, other than for what the `settings` name."""
    if CLOCK_NAME not in text or CLOCK_NAME not in names_read(text):
        return False
    code = re.sub(r"{#.*?#}", "", text, flags=re.DOTALL)
    mentioned = re.finditer(rf"(?:set\s+(\w+)\s*=\s*)?\b{CLOCK_NAME}\b(?!\s+is\b)", code)  # `is defined` asks no day
    return not {found[1] or "" for found in mentioned} <= set(settings)


def find_unread(template: str | dict[str, str] | None, settings: Iterable[str]) -> Iterator[str]:
    """The settings that a template does not read: they would do nothing, and say nothing."""
    texts = template.values() if isinstance(template, dict) else [template or ""]
    yield from (name for name in settings if not any(name in text and name in names_read(text) for text in texts))


@cache
def names_read(text: str) -> frozenset[str]:
    """The variables that a template takes from whoever renders it, as Jinja finds them: no words of its texts and
    comments, and no keys of messages. All words of one that is no Jinja, which rendering refuses."""
    from jinja2 import TemplateSyntaxError, meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # as transformers renders it

    source = re.sub(r"{%-?\s*(end)?generation\s*[-+]?%}", "", text)  # a tag of transformers' own
    try:
        parsed = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(source)
        return frozenset(meta.find_undeclared_variables(parsed))
    except TemplateSyntaxError:
        return frozenset(re.findall(r"\w+", text))
