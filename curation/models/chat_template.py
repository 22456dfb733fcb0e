"""What a model's chat template makes of messages."""

from typing import Any


def render(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """The text of `messages`, and what opens the model's answer."""
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def tokens(tokenizer: Any, messages: list[dict[str, str]], generation_prompt: bool = False) -> list[int]:
    """The token ids of `messages`; with `generation_prompt`, also those that open the model's answer."""
    return list(
        tokenizer.apply_chat_template(
            messages, tokenize=True, return_dict=False, add_generation_prompt=generation_prompt
        )
    )
