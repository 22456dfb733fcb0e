"""What one message of a user's says: the text, the reasoning and the refusal of its content, which may be in parts, and
the reasoning that stands in fields of its own."""

from collections.abc import Mapping
from typing import Any

from curation.core.delimiters import REASONING_PARTS, TEXT_PARTS
from curation.core.messages import show_value
from curation.tables.user_tools import as_json

PART_KINDS = ("text", "thought", "refusal")


def read_content(content: Any, role: str) -> tuple[str, str | None, str]:
    """The text of a content, and the reasoning and the refusal that stand beside it in parts. Raises ValueError where
    it, or a part of it, is no text."""
    if isinstance(content, str):
        return content, None, ""
    if isinstance(content, list):
        parts = [_read_part(part, number) for number, part in enumerate(content, 1)]
        said, thought, refusal = ("".join(text for kind, text in parts if kind == one) for one in PART_KINDS)
        return said, thought if any(kind == "thought" for kind, _ in parts) else None, refusal
    if role == "tool" and isinstance(content, Mapping):
        return as_json(content), None, ""
    raise ValueError(f"has the content {show_value(content)}, which is no text")


def _read_part(part: Any, number: int) -> tuple[str, str]:
    """Which of PART_KINDS a part of a content is, and its text."""
    if isinstance(part, str):
        return "text", part
    kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
    known = isinstance(part, Mapping) and kind in (*TEXT_PARTS, *REASONING_PARTS, "refusal")
    given = [part[key] for key in ("text", kind, "summary") if part.get(key) is not None] if known else []
    text = next(
        (one for one in given if one != ""), given[0] if given else None
    )  # "" stands for a key that is not there
    if isinstance(text, list):  # the reasoning of some is itself in parts
        text = "".join(inner for _, inner in (_read_part(each, number) for each in text))
    if not isinstance(text, str):
        raise ValueError(
            f"has a part {number} of type {show_value(kind)}, which is no text; leave such rows out, as models and "
            "judges are sent text"
        )
    return "refusal" if kind == "refusal" else "thought" if kind in REASONING_PARTS else "text", text


def read_thought(value: Any, key: str) -> str:
    """The text of the reasoning that stands at `key`. Raises ValueError where it is none."""
    if not isinstance(value, str):
        raise ValueError(f"has {key!r} {show_value(value)}, which is no text")
    return value


def join_details(details: Any) -> str | None:
    """The text of REASONING_DETAILS, null where no part of them has any."""
    parts = [part for part in (details if isinstance(details, list) else [details]) if isinstance(part, Mapping)]
    texts = [next((part[key] for key in ("text", "summary", "thinking") if part.get(key)), None) for part in parts]
    said = [text for text in texts if isinstance(text, str)]
    return "".join(said) if said else None


def one_thought(thoughts: list[str | None]) -> str | None:
    """The reasoning of a message that may give it twice, blank where all are; null where it gives none. Raises
    ValueError where it gives two."""
    given = [thought for thought in thoughts if thought is not None]
    if len({thought.strip() for thought in given} - {""}) > 1:
        raise ValueError("has two different reasonings; keep one of them")
    return next((thought for thought in given if thought.strip()), "") if given else None
