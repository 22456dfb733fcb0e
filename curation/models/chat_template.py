"""What a model's chat template makes of messages."""

from typing import Any


def tokens(tokenizer: Any, messages: list[dict[str, str]], generation_prompt: bool = False) -> list[int]:
    """The token ids of `messages`; with `generation_prompt`, also those that open the model's answer."""
    return list(
        tokenizer.apply_chat_template(
            messages, tokenize=True, return_dict=False, add_generation_prompt=generation_prompt
        )
    )
