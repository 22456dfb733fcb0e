"""How large a model is, by its config.json and the headers of its files: no weight is read."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from curation.core.errors import CurationError
from curation.models import weights
from curation.models.gguf import VOCABULARY, read_numbers
from curation.models.local import cached_config, read_header, read_json

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2}


class Size(NamedTuple):
    """A decoder's parameters, and what its activations are made of: the widths of its layers, of their queries, keys
    and feed-forward part, its vocabulary and its heads."""

    parameters: int
    layers: int
    hidden: int
    queries: int
    keys: int
    inner: int
    vocabulary: int
    heads: int

    def adapter(self, rank: int, modules: Sequence[str], layers: int | None) -> int:
        """The parameters of a LoRA adapter on these modules of the last `layers` layers; None is all."""
        ends = {
            "q_proj": (self.hidden, self.queries), "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys), "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.inner), "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }  # fmt: skip
        named = ends if "all-linear" in modules else {name: ends[name] for name in modules if name in ends}
        return rank * sum(map(sum, named.values())) * min(layers or self.layers, self.layers)

    @property
    def kept_a_token(self) -> int:
        """The numbers that a layer keeps of a token for its backward pass: what each of its products read, the
        normalised and rotated ones included."""
        return 6 * self.hidden + 3 * self.queries + 4 * self.keys + 4 * self.inner


def read_size(model: str, revision: str) -> Size | None:
    """The size of a local model, or of one of the hub's whose config.json is in the cache; None where it is neither, or
    no decoder of the usual build."""
    try:
        file = weights.locate(model)
        if file is None:
            return _of_config(cached_config(model, revision), None)
        if file.suffix == ".gguf":
            return _of_gguf(read_numbers(file))
    except CurationError:
        return None
    tensors = [tensor for part in sorted(file.glob("*.safetensors")) for tensor in read_header(part).values()]
    parameters = sum(math.prod(tensor["shape"]) for tensor in tensors if "shape" in tensor)
    return _of_config(read_json(file / "config.json"), parameters)


def _of_gguf(numbers: dict[str, int]) -> Size | None:
    """By the header of a GGUF file, whose names begin with the architecture's."""
    names = {
        "block_count": "num_hidden_layers", "embedding_length": "hidden_size", "vocab_size": "vocab_size",
        "feed_forward_length": "intermediate_size", "attention.head_count": "num_attention_heads",
        "attention.head_count_kv": "num_key_value_heads", "attention.key_length": "head_dim",
    }  # fmt: skip
    said = {name.partition(".")[2]: number for name, number in numbers.items()}
    config: dict[str, Any] = {names[name]: number for name, number in said.items() if name in names}
    config.setdefault("vocab_size", numbers.get(VOCABULARY))
    return _of_config(config | {"tie_word_embeddings": True}, None)


def _of_config(config: dict[str, Any], parameters: int | None) -> Size | None:
    part = config.get("text_config")  # where a model reads images too, of its text
    said: dict[str, Any] = part if isinstance(part, dict) else config
    wanted = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "num_attention_heads")
    numbers = [said.get(name) for name in wanted] if said else []
    if not numbers or not all(isinstance(number, int) and number > 0 for number in numbers):
        return None
    layers, hidden, inner, vocabulary, heads = (int(number) for number in numbers if number)
    head = said.get("head_dim") or hidden // heads
    queries, keys = heads * head, (said.get("num_key_value_heads") or heads) * head
    if not parameters:
        embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
        parameters = embeddings + layers * (2 * hidden * (queries + keys) + 3 * hidden * _all_experts(said, inner))
    return Size(parameters, layers, hidden, queries, keys, inner, vocabulary, heads)


def _all_experts(config: dict[str, Any], inner: int) -> int:
    """The width of the feed-forward parts of a layer, all experts together: each has weights that are held, though few
    of them work on a token."""
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    experts = next((config[name] for name in names if isinstance(config.get(name), int)), 0)
    if experts < 2:
        return inner
    of_one = config.get("moe_intermediate_size") or inner
    shared = (config.get("n_shared_experts") or 0) * of_one + (config.get("shared_expert_intermediate_size") or 0)
    return int(experts * of_one + shared)
