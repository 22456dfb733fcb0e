"""Tokens per second of the transformers generator against a hand-written `model.generate` loop at the same batch size,
on mixed prompts.

python -m bench.sampler [CALLS]
"""

import sys
import time
from typing import Any

from curation.calls.call import Call
from curation.core.params import read
from curation.models import weights
from curation.models.engines.transformers import sample

BATCH = 32
LIMIT = 64


def make_calls(count: int) -> list[Call]:
    """Prompts of one to forty sums, in no order of length."""
    sampling = {"temperature": 0.7, "top_p": 1.0, "top_k": 50, "max_tokens": LIMIT}
    calls = []
    for n in range(count):
        sums = "\n".join(f"{n + i} + {3 * i} = ?" for i in range(1 + n * 17 % 40))
        messages = [{"role": "user", "content": f"Work these out:\n{sums}"}]
        calls.append(Call("m", "r", messages, sampling | {"seed": n}, 0))
    return calls


def ours(network: Any, tokenizer: Any, calls: list[Call]) -> int:
    tokens = 0

    def count_tokens(call: Call, reply: Any) -> None:
        nonlocal tokens
        tokens += reply.completion_tokens

    sample(network, tokenizer, calls, BATCH, count_tokens)
    return tokens


def by_hand(network: Any, tokenizer: Any, calls: list[Call]) -> int:
    import torch

    tokens = 0
    for start in range(0, len(calls), BATCH):
        texts = [
            tokenizer.apply_chat_template(call.messages, add_generation_prompt=True, tokenize=False)
            for call in calls[start : start + BATCH]
        ]
        encoded = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        torch.manual_seed(start)
        with torch.inference_mode():
            output = network.generate(
                **encoded,
                do_sample=True,
                temperature=0.7,
                top_k=50,
                max_new_tokens=LIMIT,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = output[:, encoded["input_ids"].shape[1] :]
        tokens += int((new != tokenizer.pad_token_id).sum() + (new == tokenizer.eos_token_id).any(dim=1).sum())
    return tokens


def main() -> None:
    calls = make_calls(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
    student = read().student
    model = weights.load(student.model, student.pinned, student.dtype)
    ours(*model, calls[:BATCH])
    by_length = sorted(calls, key=lambda call: len(call.messages[0]["content"]))
    rates = {}
    for name, loop, ordered in (
        ("generator", ours, calls),
        ("by hand, as given", by_hand, calls),
        ("by hand, by length", by_hand, by_length),
    ):
        started = time.perf_counter()
        rates[name] = loop(*model, ordered) / (time.perf_counter() - started)
        print(f"{name:20} {rates[name]:6.0f} tokens/s   generator / this: {rates['generator'] / rates[name]:.2f}")


if __name__ == "__main__":
    main()
