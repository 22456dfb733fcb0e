"""Fields of a request beside the toolkit's own, as `sampling.extra` declares them: what they may be.

They are sent as they are, and are part of the call's key.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field

from curation.core.params import Plain

# What a call sets itself, and where that is said. A second word for one of them would be believed or not, as the server
# likes, and would not be what the key says.
SAMPLING = "sampling.{name} says it"
PROMPT = "the prompt says it"
OWN = {
    **dict.fromkeys(("temperature", "max_tokens", "seed"), SAMPLING),
    "max_completion_tokens": "sampling.max_tokens says it; endpoint.dialect: openai_reasoning sends it by this name",
    **dict.fromkeys(("max_output_tokens", "max_new_tokens", "n_predict", "num_predict"), "sampling.max_tokens says it"),
    **dict.fromkeys(("logprobs", "top_logprobs"), "a judge's sampling.top_logprobs says it"),
    **dict.fromkeys(("n", "best_of", "samples"), "each sample is a call of its own"),
    **dict.fromkeys(("stream", "stream_options"), "a reply is read whole"),
    **dict.fromkeys(("messages", "prompt", "input", "tools", "functions"), PROMPT),
    **dict.fromkeys(("response_format", "structured_outputs", "json_schema", "grammar"), "a judge's dimensions say it"),
    **dict.fromkeys(("guided_json", "guided_regex", "guided_choice", "guided_grammar"), "a judge's dimensions say it"),
    **dict.fromkeys(("model", "models"), "`model` says it"),
    "extra_body": "write what it would hold into extra itself",
    **dict.fromkeys(("headers", "extra_headers", "extra_query"), "extra goes into the request's body alone"),
}
# what the toolkit itself puts into a call's sampling
OWN_SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "seed", "logprobs", "top_logprobs")
TEMPLATE_KWARGS = "chat_template_kwargs"
TEMPLATE_FIELDS = ("reasoning_effort", "chat_template", TEMPLATE_KWARGS)  # of a request: what a chat template reads
TEMPLATE_OWN = (  # of a template's settings: what whoever renders the messages sets
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "max_length", "messages",
    "padding", "return_assistant_tokens_mask", "return_dict", "return_tensors", "strftime_now", "tokenize",
    "tokenizer_kwargs", "tools", "truncation",
)  # fmt: skip
SECRET_NAME = re.compile(
    r"api.?key|authori[sz]ation|secret|passw|credential|bearer|cookie|(?:access|auth|refresh|session).?token|^token$",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(
    r"\b(?:bearer|basic)\s+\S{8}|\b(?:sk|hf|gh[a-z]|gsk|xai|nvapi|glpat)[-_][\w-]{16}|\bAKIA\w{16}|\bAIza[\w-]{30}",
    re.IGNORECASE,
)


def check_template_kwargs(settings: Any) -> dict[str, Any]:
    """`settings` themselves, of a chat template. Raises ValueError where they are no mapping, or set what whoever
    renders the messages sets."""
    if not isinstance(settings, dict):
        raise ValueError(f"{TEMPLATE_KWARGS} is no mapping of the chat template's settings")
    if own := [name for name in settings if name in TEMPLATE_OWN]:
        raise ValueError(f"{TEMPLATE_KWARGS}: {own[0]} is set where messages are rendered; leave it out")
    return settings


def _check(extra: dict[str, Any]) -> dict[str, Any]:
    for name, value in _walk(extra):
        # never with the value
        if SECRET_NAME.search(name) or (isinstance(value, str) and SECRET_VALUE.search(value)):
            raise ValueError(
                f"{name[:80]} looks like a secret, and what stands here is kept with every call; export it in a "
                "variable, and name that in endpoint.api_key_env"
            )
    if TEMPLATE_KWARGS in extra:
        check_template_kwargs(extra[TEMPLATE_KWARGS])
    if isinstance(body := extra.get("extra_body"), dict) and body.keys() == {"google"}:
        refuse_own(OWN)({name: value for name, value in extra.items() if name != "extra_body"})
        return extra  # Gemini's servers read their own settings there, in the request's body
    return refuse_own(OWN)(extra)


def find_untaken(extra: Mapping[str, Any], taken: Sequence[str], engine: str) -> Iterator[str]:
    """What to say of fields that an engine on this machine does nothing with."""
    for name in extra:
        if name not in taken:
            yield (
                f"extra.{name}: {engine} on this machine takes {', '.join(taken)} and nothing else; leave it out, or "
                "serve the model and use kind openai"
            )


def _walk(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each value within `value`, and the name it stands under."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _walk(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield name, inner
            yield from _walk(inner, name)


def refuse_own(own: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that gives back its fields, or raises ValueError where one is `own`, which maps a name to who says
    it."""

    def check(extra: dict[str, Any]) -> dict[str, Any]:
        if named := [name for name in extra if name in own]:
            raise ValueError(
                f"{named[0]} is the toolkit's own to send: {own[named[0]].format(name=named[0])}; leave it out"
            )
        return extra

    return check


Extra: TypeAlias = Annotated[
    dict[Annotated[str, Field(min_length=1)], Plain],
    AfterValidator(_check),
]
