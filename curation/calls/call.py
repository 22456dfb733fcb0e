"""A model call and its reply. The content of a call decides its key."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any, TypeAlias

from curation.calls.foreign import read_count, read_text, utf8
from curation.core.canonical import canonical


@dataclass(frozen=True)
class Call:
    """One model call. Its key is a hash of everything in it but `sampling.max_tokens`.

    `sampling` holds whatever is sent beside the messages, the user's own fields among them; `tools` are the schemas of
    what the model may call.
    """

    model: str
    revision: str
    messages: list[dict[str, Any]]
    sampling: dict[str, Any]
    sample_index: int
    schema: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None

    @property
    def request(self) -> str:
        """The call as canonical JSON."""
        return canonical(self._body(self.sampling))

    @cached_property
    def key(self) -> str:
        """SHA-256, hexadecimal, of the request without its `sampling.max_tokens`."""
        return _digest(self._body({name: value for name, value in self.sampling.items() if name != "max_tokens"}))

    def _body(self, sampling: dict[str, Any]) -> dict[str, Any]:
        body = {"model": self.model, "revision": self.revision, "messages": self.messages, "sampling": sampling,
                "sample_index": self.sample_index, "schema": self.schema}  # fmt: skip
        return body | ({"tools": self.tools} if self.tools else {})  # or calls without would have another key

    @property
    def max_tokens(self) -> int | None:
        """The limit on the reply's tokens. It is no part of the key: a reply that ended by itself is the same under any
        higher limit."""
        return self.sampling.get("max_tokens")

    @property
    def last_message(self) -> str:
        """The text of the last message, or what stands in its place as JSON."""
        content = self.messages[-1].get("content") if self.messages else None
        return content if isinstance(content, str) else canonical(content) if content else ""


def key_of(request: str) -> str:
    """The key of the call that `request` is. Raises ValueError if it is no request."""
    body = json.loads(request)
    if not isinstance(body, dict) or not isinstance(body.get("sampling"), dict):
        raise ValueError("not a request")
    body["sampling"].pop("max_tokens", None)
    return _digest(body)


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()


# Why a reply ended, as servers spell it: by itself, at a limit, to call a tool, by a filter, or in an error.
ENDINGS = {
    "stop": ("", "stop", "eos", "eos_token", "end_turn", "end_of_turn", "stop_sequence", "complete", "completed"),
    "length": ("length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit"),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "function_call"),
    "content_filter": ("content_filter", "safety", "recitation", "blocklist", "prohibited_content", "sensitive"),
    "error": (
        "error", "abort", "aborted", "cancelled", "canceled", "failed", "timeout", "insufficient_system_resource",
    ),
}  # fmt: skip
WORD_OF = {spelling: word for word, spellings in ENDINGS.items() for spelling in spellings}
WITHOUT_TEXT = {"length", "content_filter", "tool_calls", "refusal"}  # what may end a reply that says nothing


@dataclass(frozen=True)
class Reply:
    """One attempt: what came, as it was sent, or the error, or both where the text does not fit the schema.

    `text` is the content, null where there was none; `reasoning` came in the server's `reasoning_field`; `tool_calls`
    are JSON. `logprobs` is a list of [token, {token: logprob}] by position, in nats; `mode` says how structured output
    was asked for; `note` what was dropped; `last` is false where another attempt follows. `reasoning_tokens` are the
    server's own count of those of the `completion_tokens` that it thought in; `rest` is what no other field holds of
    the message, as JSON. `cached_tokens` are those of the prompt that the server had kept from another call, by its own
    count; `batched` is 1 of a reply that came in a batch file.

    Whatever a reply is made from, from whichever engine, file or ledger: a table can hold it. What is optional and
    unusable is dropped, with a note. What is needed and unusable makes an error: a text that is none, a
    `finish_reason` that says so, nothing at all.
    """

    text: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    logprobs: list[Any] | None = None
    error: str | None = None
    engine: str = ""
    mode: str = ""
    last: bool = True
    reasoning: str | None = None
    reasoning_field: str | None = None
    refusal: str | None = None
    tool_calls: str | None = None
    note: str | None = None
    reasoning_tokens: int | None = None
    rest: str | None = None
    cached_tokens: int | None = None
    batched: int | None = None

    def __post_init__(self) -> None:
        sent, kept, dropped = self.__dict__, dict[str, Any](), list[str]()
        for name, read in READERS:
            value = sent[name]
            if value is None or (type(value) is str and name in TEXTS and value.isascii()):
                continue  # most are, and a ledger is looked up a hundred thousand times
            if (usable := read(value)) is not value:
                kept[name] = usable
                if usable is None:
                    dropped.append(f"unusable {name} dropped")
        reason = kept.get("finish_reason", sent["finish_reason"])
        reason = "unknown" if reason is None and sent["finish_reason"] is not None else reason or ""
        kept["finish_reason"] = WORD_OF.get(reason if reason in WORD_OF else reason.lower(), reason)
        if dropped:
            kept["note"] = "; ".join([*filter(None, [kept.get("note", sent["note"])]), *dropped])
        sent_text = sent["text"]
        sent.update(kept)  # the fields of a frozen object
        if sent["error"] is None and (fault := self._find_fault(sent_text)):
            sent.update(error=fault, finish_reason="error")

    def _find_fault(self, sent: Any) -> str | None:
        """Why this is no reply, or None where it is one. `sent` is what came as its text."""
        if self.finish_reason == "error":
            return "the server ended the reply with an error"
        if sent is not None and self.text is None:
            return f"the content is of type {type(sent).__name__}, so no text"
        if self.text is not None or self.finish_reason in WITHOUT_TEXT:
            return None
        said = any((value or "").strip() for value in (self.reasoning, self.refusal, self.tool_calls))
        return None if said else "the reply is empty"

    @property
    def completion(self) -> str | None:
        """What the model answered: its refusal, or its content. None where the attempt failed, a tool was called, or
        nothing was said before a limit, before a filter, or after the reasoning."""
        if self.error is not None or self.tool_calls is not None:
            return None
        said = self.refusal if (self.refusal or "").strip() else self.text
        spoke = self.finish_reason == "stop" and not (self.reasoning or "").strip()
        return said if spoke or (said and not said.isspace()) else None

    @property
    def ending(self) -> str:
        """Why the answer ended: `unfinished` where the reasoning ended by itself and no answer came, else the
        finish_reason."""
        ended = self.finish_reason == "stop" or (self.reasoning and self.finish_reason not in WITHOUT_TEXT)
        return "unfinished" if ended and self.error is None and self.completion is None else self.finish_reason


def _read_positions(logprobs: Any) -> list[Any] | None:
    """`logprobs` if they have the form of a reply's; their values are looked at where they are used."""
    sound = isinstance(logprobs, list) and all(
        isinstance(at, list | tuple) and len(at) == 2 and isinstance(at[0], str) and isinstance(at[1], dict)
        for at in logprobs
    )
    return logprobs if sound else None


OPTIONAL = ("text", "finish_reason", "note", "reasoning", "reasoning_field", "refusal", "tool_calls", "rest")
NUMBERS = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "batched")
TEXTS = {*OPTIONAL, "engine", "mode", "error"}
READERS: list[tuple[str, Callable[[Any], Any]]] = [
    *((name, read_text) for name in OPTIONAL),
    *((name, lambda text: read_text(text) or "") for name in ("engine", "mode")),
    *((name, read_count) for name in NUMBERS),
    ("error", lambda error: utf8(str(error))),
    ("logprobs", _read_positions),
]


OnReply: TypeAlias = Callable[[Call, Reply], None]
Engine: TypeAlias = Callable[[Iterator[Call], OnReply], None]  # answers the calls: OnReply gets every attempt


@cache
def engine_name(distribution: str) -> str:
    """`distribution` and its installed version, as the ledger's `engine` column names them."""
    return f"{distribution} {version(distribution)}"
