"""A conversation as the text that a reward model reads: as its own chat template writes it."""

from typing import Any

from curation.calls.call import Call
from curation.models.call_rendering import render_call
from curation.models.chat_template import RenderingFault, Template, encode, find_unread


def render_scored(tokenizer: Any, call: Call, template: Template) -> str | RenderingFault:
    """The conversation as the chat template writes it, or why it does not: it refuses it, reads no tools, or leaves out
    some of what is to be scored, as many do with what stands before `</think>`."""
    if call.tools and any(find_unread(tokenizer.chat_template, ["tools"])):
        return RenderingFault("the prompt has tools, and the chat template reads none")
    try:
        text = render_call(tokenizer, call, template, generation_prompt=False)
    except RenderingFault as fault:
        return fault
    if _without_blanks(call.last_message) not in _without_blanks(text):
        return RenderingFault("the chat template leaves out some of what is to be scored; set shows or delimiters")
    return text


def _without_blanks(text: str) -> str:
    return "".join(text.split())


def for_server(tokenizer: Any, text: str) -> str | RenderingFault:
    """The text of which a server makes the tokens of `text`, or that there is none. A server opens a text as the
    tokenizer opens one of its own, so that a template's opening token would stand there twice."""
    [meant] = encode(tokenizer, [text])
    for sent in (text, text.removeprefix(tokenizer.bos_token or "")):
        if list(tokenizer(sent)["input_ids"]) == meant:
            return sent
    return RenderingFault("a server would read tokens that the chat template does not write; score it here")
