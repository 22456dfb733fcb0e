"""What a model's chat template makes of a call."""

import re
from typing import Any

from curation.calls.call import Call
from curation.calls.extra import TEMPLATE_FIELDS, TEMPLATE_KWARGS
from curation.calls.tool_calls import for_template
from curation.core.errors import CurationError
from curation.models.chat_template import render


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
    texts = " ".join(template.values()) if isinstance(template, dict) else template or ""
    for name in settings.keys() - {"chat_template"}:
        if not re.search(rf"\b{re.escape(name)}\b", texts):
            way_out = "leave the prompts' tools out" if name == "tools" else f"leave {name} out of sampling.extra"
            raise CurationError(f"the chat template of {tokenizer.name_or_path} reads no `{name}`; {way_out}")


def render_call(tokenizer: Any, call: Call) -> str:
    """The text of a call, and what opens the model's answer. Raises CurationError as `require_read` does."""
    settings = template_settings(call)
    require_read(tokenizer, settings)
    return render(tokenizer, [*map(for_template, call.messages)], **settings)
