"""What a model's chat template makes of a call."""

from typing import Any

from curation.calls.call import Call
from curation.calls.extra import TEMPLATE_FIELDS, TEMPLATE_KWARGS
from curation.calls.tool_calls import for_template
from curation.core.errors import CurationError
from curation.models.chat_template import Template, clock, find_unread, render


def template_settings(call: Call) -> dict[str, Any]:
    """What a call has for the chat template beside its messages, as `apply_chat_template` takes it: its tools, and the
    fields of its sampling that a server would hand the template."""
    settings = {name: call.sampling[name] for name in TEMPLATE_FIELDS if name in call.sampling}
    settings |= settings.pop(TEMPLATE_KWARGS, {})
    return settings | ({"tools": call.tools} if call.tools else {})


def require_read(tokenizer: Any, settings: dict[str, Any]) -> None:
    """Nothing. Raises CurationError where the chat template does not have the name of a setting, which would do
    nothing, and say nothing."""
    template = settings.get("chat_template") or tokenizer.chat_template
    for name in find_unread(template, settings.keys() - {"chat_template"}):
        way_out = "leave the prompts' tools out" if name == "tools" else f"leave {name} out of sampling.extra"
        raise CurationError(f"the chat template of {tokenizer.name_or_path} reads no `{name}`; {way_out}")


def render_call(tokenizer: Any, call: Call, template: Template | None = None, generation_prompt: bool = True) -> str:
    """The text of a call and, with `generation_prompt`, what opens the model's answer, under `template` if that is
    given, whose day it then is. Raises CurationError as `require_read` does."""
    settings = template_settings(call)
    if template is not None and template.text is not None:
        settings["chat_template"] = template.text
    require_read(tokenizer, settings)
    if template is not None:
        settings["strftime_now"] = clock(template.day)
    return render(tokenizer, [*map(for_template, call.messages)], generation_prompt=generation_prompt, **settings)
