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


def calls(count: int) -> list[Call]:
    """Prompts of one to forty sums, in no order of length."""
    sampling = {"temperature": 0.7, "top_p": 1.0, "top_k": 50, "max_tokens": LIMIT}
    made = []
    for n in range(count):
        sums = "\n".join(f"{n + i} + {3 * i} = ?" for i in range(1 + n * 17 % 40))
        made.append(
            Call("m", "r", [{"role": "user", "content": f"Work these out:\n{sums}"}], sampling | {"seed": n}, 0)
        )
    return made


def ours(network: Any, tokenizer: Any, asked: list[Call]) -> int:
    tokens = 0

    def heard(call: Call, reply: Any) -> None:
        nonlocal tokens
        tokens += reply.completion_tokens

    sample(network, tokenizer, asked, BATCH, heard)
    return tokens


def by_hand(network: Any, tokenizer: Any, asked: list[Call]) -> int:
    import torch

    tokens = 0
    for start in range(0, len(asked), BATCH):
        texts = [
            tokenizer.apply_chat_template(call.messages, add_generation_prompt=True, tokenize=False)
            for call in asked[start : start + BATCH]
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
    asked = calls(int(sys.argv[1]) if len(sys.argv) > 1 else 128)
    student = read().student
    model = weights.load(student.model, student.revision, student.dtype)
    ours(*model, asked[:BATCH])
    in_order = sorted(asked, key=lambda call: len(call.messages[0]["content"]))
    rates = {}
    for name, loop, given in (
        ("generator", ours, asked),
        ("by hand, as given", by_hand, asked),
        ("by hand, by length", by_hand, in_order),
    ):
        started = time.perf_counter()
        rates[name] = loop(*model, given) / (time.perf_counter() - started)
        print(f"{name:20} {rates[name]:6.0f} tokens/s   generator / this: {rates['generator'] / rates[name]:.2f}")


if __name__ == "__main__":
    main()
