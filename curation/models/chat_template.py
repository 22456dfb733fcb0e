"""What a chat template makes of messages: the one place that calls it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from curation.core.errors import CurationError
from curation.core.text import one_line


class RenderingFault(CurationError):
    """A template refuses the messages, or would write what it should not. The message is one sentence."""


def render(
    tokenizer: Any,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Any] | None = None,
    generation_prompt: bool = True,
    **settings: Any,
) -> str:
    """The text of `messages` and, with `generation_prompt`, what opens the model's answer.

    `settings` go to the template; `chat_template` among them takes the place of the tokenizer's own. Raises
    RenderingFault where the template refuses the messages.
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
        reason = one_line(str(error))[:200] or type(error).__name__
        raise RenderingFault(f"the chat template refuses these messages: {reason}") from None


def tokens(
    tokenizer: Any, messages: Sequence[Mapping[str, Any]], generation_prompt: bool = False, **settings: Any
) -> list[int]:
    """The token ids of `messages`, as `render` writes them."""
    return encode(tokenizer, [render(tokenizer, messages, generation_prompt=generation_prompt, **settings)])[0]


def encode(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """The token ids of rendered texts: none is added that opens or ends them, as the template has written those."""
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"]) if texts else []


def clock(day: date | None) -> Callable[[str], str]:
    """What a template's `strftime_now` is to be: midnight of `day`. Without a day it raises RenderingFault, as no table
    may depend on when it was made."""

    def strftime_now(form: str) -> str:
        if day is None:
            raise RenderingFault(
                "the chat template writes the date of the day it is asked on; fix it with student.template_date"
            )
        return datetime.combine(day, time()).strftime(form)

    return strftime_now
