"""A real, very small Llama with a byte-level tokenizer and a chat template, made on the spot."""

from pathlib import Path
from typing import Any

import polars as pl

from curation.selection.subset import unpair

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_tokenizer() -> Any:
    """A tokenizer of bytes, with `<s>` and `</s>`, and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate(["<s>", "</s>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>", chat_template=TEMPLATE
    )


def save_tiny_tokenizer(folder: Path) -> Path:
    """`folder` holds that tokenizer, and no weights."""
    byte_tokenizer().save_pretrained(folder)
    return folder


def save_tiny_llama(folder: Path) -> Path:
    """`folder` holds a two-layer Llama with random, seeded weights as safetensors, and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return save_tiny_tokenizer(folder)


def save_reciter(folder: Path, question: str, reply: str, special: tuple[str, ...]) -> Path:
    """`folder` holds a two-layer Llama that has learnt one reply to one question by heart, so that its best token is
    always the reply's next; each of `special` is one special token of its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    save_tiny_llama(folder)
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    network.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    asked, ids = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, f"{prompt}{reply}</s>"))
    row = torch.tensor([ids])
    said = row[0, len(asked) :]
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    for _ in range(1000):
        logits = network(input_ids=row).logits[0, len(asked) - 1 : -1]
        loss = torch.nn.functional.cross_entropy(logits, said)
        if loss < 0.05 and bool((logits.argmax(dim=1) == said).all()):
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_reward_model(folder: Path, labels: int = 1, steps: bool = False, pad_token: str | None = None) -> Path:
    """`folder` holds a two-layer Llama with random, seeded weights and a head that gives `labels` numbers to a text, or
    to each token where it scores `steps`, which end in the token <step>. Neither it nor its tokenizer knows a padding
    token, as reward models made of Llama do not, but where one is named."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification, LlamaForTokenClassification

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.pad_token = pad_token
    tokenizer.add_special_tokens({"additional_special_tokens": ["<step>"]})
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=1024, bos_token_id=0, eos_token_id=1, num_labels=labels,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    network = (LlamaForTokenClassification if steps else LlamaForSequenceClassification)(config)
    torch.nn.init.normal_(network.score.weight)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read_by(how: Any, pairs: pl.DataFrame) -> pl.DataFrame:
    """What a method reads of these rows of `subsets`: themselves, or their traces."""
    return unpair(pairs) if how.kind == "kto" else pairs
