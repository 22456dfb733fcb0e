"""Message lists and tools as users write them, each as the one form of `curation/tables/messages.py`.

Read are OpenAI's messages (role, content) and ShareGPT's (from, value), a text (one user message), and the JSON text of
a list. Nothing is guessed: what has two readings or none is a ValueError that says which message it is, counted from 1,
and why. What a message's content and reasoning may be is in `user_content`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from curation.core.delimiters import REASONING_DETAILS, REASONING_FIELDS
from curation.core.messages import show_value
from curation.tables.messages import Message
from curation.tables.user_content import join_details, one_thought, read_content, read_thought
from curation.tables.user_tools import as_json, check_json, parse_json, read_call, read_list

CALLS = "tool_calls"  # of a message that is nothing but calls, in the forms that give these a role of their own
THOUGHT = "analysis"  # of one that is nothing but reasoning, as harmony's channel of that name
SPELLINGS = {
    "system": ("system", "developer"),
    "user": ("user", "human"),
    "assistant": ("assistant", "gpt", "model", "bot", "chatbot", "chatgpt"),
    "tool": ("tool", "observation", "function", "function_response", "tool_response", "tool_result", "ipython"),
    CALLS: ("function_call", "tool_call", "tool_calls"),
}
ROLE_OF = {spelling: role for role, spellings in SPELLINGS.items() for spelling in spellings}
LISTED = re.compile(r"""\s*\[\s*\{\s*['"](role|from|content|value)['"]\s*:""")
SPEAKS = re.compile(r"""\A\s*\[\s*\{.*['"](role|from)['"]\s*:\s*['"](assistant|gpt|model)['"]""", re.DOTALL)
EACH_APART = "; give each text a row of its own"  # what to do with a list of texts
ENDED = "finish_reason"  # of a sample
BESIDE_TEXT = (*REASONING_FIELDS, *REASONING_DETAILS, "refusal", CALLS)  # of a sample that is no message
ANSWER = ("content", "reasoning_content", "refusal", CALLS)  # what a message of the assistant's may say, CALLS as JSON


def read_prompt(value: Any) -> list[Message]:
    """The messages of a text, which is one user message unless it is a list's JSON, or of a list of messages."""
    if isinstance(value, str):
        listed = parse_list(value)
        return [{"role": "user", "content": check_json(value)}] if listed is None else read_messages(listed)
    if not isinstance(value, list):
        raise ValueError("not text or a list of messages")
    return read_messages(value)


def read_completion(value: Any) -> dict[str, str | None]:
    """The ANSWER of a text, or of one message of the assistant's, alone, in a list or in the JSON text of one."""
    listed = parse_answer(value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    if listed is None:
        return dict.fromkeys(ANSWER) | {"content": check_json(value)}
    if not all(isinstance(message, Mapping) for message in listed):
        raise ValueError(f"not text or one message of the assistant's{EACH_APART if value is listed else ''}")
    messages = read_messages(listed)
    if len(messages) != 1:
        raise ValueError("more than one message; a conversation that ends in the answer is named by columns.messages")
    (message,) = messages
    if message["role"] != "assistant":
        raise ValueError("which is no answer of the assistant's")
    return read_answer(message)


def read_completions(value: Any) -> list[dict[str, str | None]]:
    """As `read_completion`, of each of a list of samples, which are texts, messages in lists of their own, or objects
    that hold one as `text` or `message`, as vLLM's outputs and a server's choices do; and why it ended (ENDED), where
    that stands beside it. Lists of texts within the list, as lm-eval's, are samples one after the other."""
    if not isinstance(value, list) or are_messages(value):
        return [read_completion(value) | {ENDED: None}]
    if not value:
        raise ValueError("a list without a completion; leave such rows out")
    if all(isinstance(one, list) and one and all(isinstance(text, str) for text in one) for one in value):
        value = [text for one in value for text in one]
    samples = []
    for number, sample in enumerate(value, 1):
        try:
            samples.append(_read_sample(sample))
        except ValueError as error:
            raise ValueError(f"whose completion {number} is {error}") from None
    return samples


def _read_sample(sample: Any) -> dict[str, str | None]:
    if not isinstance(sample, Mapping) or are_messages([sample]):
        return read_completion(sample) | {ENDED: None}
    said, ended = sample.get("message"), sample.get(ENDED)
    if said is None and isinstance(sample.get("text"), str):
        beside = {key: sample[key] for key in BESIDE_TEXT if sample.get(key) is not None}
        said = {"role": "assistant", "content": sample["text"], **beside} if beside else sample["text"]
    if said is None or not isinstance(ended, str | None):
        raise ValueError(f"{show_value(sample)}, which has no text")
    return read_completion(said) | {ENDED: ended}


def read_answer(message: Message) -> dict[str, str | None]:
    """The ANSWER of a message of the assistant's."""
    texts = {
        key: said if isinstance(said := message.get(key), str) and (said.strip() or key != "refusal") else None
        for key in ANSWER
    }
    return texts | {CALLS: as_json(message[CALLS]) if message.get(CALLS) else None}


def parse_list(text: str) -> list[Any] | None:
    """The list of messages that a text is as JSON; None where it is another text. Raises ValueError if it has the form
    of a list of messages and is no JSON, as what Python writes of one."""
    if not text.lstrip().startswith("["):
        return None
    try:
        listed = parse_json(text)
    except (ValueError, RecursionError):
        if LISTED.match(text) and text.rstrip().endswith("]"):
            raise ValueError("a list of messages that is no JSON; write the column with json.dumps") from None
        return None
    return listed if are_messages(listed) else None


def parse_answer(text: str) -> list[Any] | None:
    """As `parse_list`, of what a model may have written: `[{"from": "A", "to": "B"}]` is a text."""
    if not SPEAKS.search(text):
        return None
    listed = parse_list(text)
    return listed if listed and all(one.get("role", one.get("from")) in ROLE_OF for one in listed) else None


def count_lists(values: Iterable[Any], parse: Callable[[str], list[Any] | None]) -> int:
    """How many of a column's values are texts that `parse` finds to be the JSON of a message list."""
    return sum(isinstance(value, str) and parse(value) is not None for value in values)


def are_messages(value: Any) -> bool:
    """Whether a value is a list of what have the role of a message."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(message, Mapping) and ("role" in message or "from" in message) for message in value)
    )


def read_messages(value: Any) -> list[Message]:
    """The messages of a list, or of its JSON text. Calls that stand in messages of their own, one after the other, are
    one assistant's, and reasoning that does is that of the assistant's message after it."""
    listed = parse_list(value) if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed:
        raise ValueError("not a list of messages")
    messages: list[Message] = []
    before = None
    for number, given in enumerate(listed, 1):
        try:
            role, message = _read_message(given)
        except ValueError as error:
            raise ValueError(f"whose message {number} {error}") from None
        if role == before == CALLS:
            messages.append(_call_too(messages.pop(), message))
        elif before == THOUGHT and message["role"] == "assistant":
            messages.append(_think_first(messages.pop(), message))
        else:
            messages.append(message)
        before = role
    return messages


def _read_message(given: Any) -> tuple[str, Message]:
    """The role as its file has it, CALLS and THOUGHT among them, and the message."""
    if not isinstance(given, Mapping):
        raise ValueError(f"is {show_value(given)}, not a message")
    left = {key: value for key, value in given.items() if value is not None}
    name = _take_one(left, "role", "from")
    role = ROLE_OF.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        if name is None:
            raise ValueError(f"has no role, but {show_value([*given])}; write role and content, or from and value")
        raise ValueError(f"has the role {show_value(name)}, which is none of {', '.join(ROLE_OF)}")
    content = _take_one(left, "content", "value")
    calls = _take_one(left, "tool_calls", "function_call")
    if role == CALLS:
        content, calls = None, content
    message: Message = {"role": "assistant" if role == CALLS else role, "content": ""}
    thoughts: list[str | None] = [read_thought(left.pop(key), key) for key in REASONING_FIELDS if key in left]
    if content is not None:
        message["content"], thought, refused = read_content(content, role)
        thoughts.append(thought)
        left |= {"refusal": refused} if refused else {}
    if role == "assistant":
        role, calls = _read_channel(left, message, thoughts, calls)
    if not any((thought or "").strip() for thought in thoughts):
        thoughts += [join_details(left[key]) for key in REASONING_DETAILS if key in left]
    reasoning = one_thought(thoughts)
    if reasoning is not None and (reasoning.strip() or message["role"] == "assistant"):
        message["reasoning_content"] = reasoning
    if calls not in (None, []):
        try:
            message[CALLS] = [read_call(call) for call in read_list(calls, "a tool call")]
        except ValueError as error:
            raise ValueError(f"calls {show_value(calls)}, which is {error}") from None
    if message["role"] != "assistant" and message.keys() & {"reasoning_content", CALLS}:
        raise ValueError(f"has reasoning or calls a tool, and its role is {show_value(name)}, not the assistant's")
    if isinstance(refusal := left.get("refusal"), str) and refusal.strip():
        if message["content"].strip() not in ("", refusal.strip()):
            raise ValueError("has a content and another refusal; keep one of them")
        message["content"] = refusal  # servers send it in place of a content
    if content is None and not message["content"] and message.keys() == {"role", "content"}:
        raise ValueError("has no content; leave such rows out")
    message |= {key: left[key] for key in sorted(left)}
    try:
        check_json(message)
    except ValueError as error:
        raise ValueError(f"has {error}") from None
    return role, message


def _read_channel(left: Message, message: Message, thoughts: list[str | None], calls: Any) -> tuple[str, Any]:
    """The role of an assistant's message, and its calls, on harmony's channels: reasoning, or the call of a tool."""
    channel, to = left.get("channel"), left.get("recipient")
    if channel not in ("analysis", "commentary"):
        return "assistant", calls
    text, message["content"] = message["content"], ""
    if isinstance(to, str) and to not in ("", "all", "user", "assistant"):
        return CALLS, {"name": to.removeprefix("functions."), "arguments": text}
    if channel == "commentary":
        raise ValueError("is on the channel 'commentary', so neither reasoning nor answer; leave it out of the list")
    thoughts.append(text)
    return "assistant" if calls else THOUGHT, calls


def _call_too(message: Message, another: Message) -> Message:
    """Messages that are nothing but calls, and what was thought before these, as one."""
    calls = [*message.get(CALLS, []), *another.get(CALLS, [])]
    both = message | another | ({CALLS: calls} if calls else {})
    return _think_first(message, both) if "reasoning_content" in both else both


def _think_first(thought: Message, message: Message) -> Message:
    """A message of the assistant's with the reasoning of the one before it, which is nothing else."""
    texts = [one["reasoning_content"] for one in (thought, message) if one.get("reasoning_content", "").strip()]
    return message | {"reasoning_content": "\n\n".join(dict.fromkeys(texts))}


def _take_one(given: dict[str, Any], name: str, other: str) -> Any:
    """The value of the one of two keys that a message has, which is taken out of it."""
    values = [given.pop(key) for key in (name, other) if key in given]
    if len(values) == 2 and values[0] != values[1]:
        raise ValueError(f"has a {name!r} and another {other!r}; keep one of them")
    return values[0] if values else None
