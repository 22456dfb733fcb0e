"""Message lists: as tables hold them, and as a server or a chat template is handed them."""

import json
from collections.abc import Sequence
from typing import Any


def full_messages(prompt: Sequence[dict[str, Any]], messages: str | None) -> list[dict[str, Any]]:
    """The messages of a row of `prompts`, without a null key: those of its column `messages`, which is null where
    `prompt` says all of them."""
    if messages is None:
        return [{"role": message["role"], "content": message["content"]} for message in prompt]
    return list(json.loads(messages))
