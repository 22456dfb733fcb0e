"""A GGUF file is unpacked in seconds, and what comes of it is what transformers alone makes of it.

Kind of fault: a library that reads a file again for each thing it takes from it, where a vocabulary is 100,000 strings.
"""

from pathlib import Path
from typing import Any

import pytest
from tiny import byte_tokenizer

from curation.models import weights

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A llama of one layer with seeded weights, quantised, and a tokenizer of bytes."""
    import gguf
    import numpy as np

    draw = np.random.default_rng(0)
    single = byte_tokenizer().get_vocab()
    tokens = [*sorted(single, key=single.__getitem__), "ab"]
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "llama")
    for add, value in (
        (writer.add_name, "tiny"), (writer.add_context_length, 64), (writer.add_embedding_length, 32),
        (writer.add_block_count, 1), (writer.add_feed_forward_length, 64), (writer.add_head_count, 2),
        (writer.add_head_count_kv, 2), (writer.add_layer_norm_rms_eps, 1e-5), (writer.add_rope_dimension_count, 16),
        (writer.add_tokenizer_model, "gpt2"), (writer.add_token_list, tokens),
        (writer.add_token_merges, ["a b"]), (writer.add_bos_token_id, 0), (writer.add_eos_token_id, 1),
    ):  # fmt: skip
        add(value)  # type: ignore[operator]
    shapes = {
        "token_embd": (len(tokens), 32), "blk.0.attn_q": (32, 32), "blk.0.attn_k": (32, 32),
        "blk.0.attn_v": (32, 32), "blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (64, 32),
        "blk.0.ffn_up": (64, 32), "blk.0.ffn_down": (32, 64), "output": (len(tokens), 32),
    }  # fmt: skip
    for name, shape in shapes.items():
        blocks = gguf.quantize(draw.normal(size=shape).astype(np.float32), gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(f"{name}.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "tiny.gguf"


def test_it_is_read_once_and_unpacked_as_transformers_does(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    import gguf
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    plain = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    whole, read = gguf.GGUFReader.__init__, list[str]()

    def counted(self: Any, path: str, *more: Any) -> None:
        read.append(path)
        whole(self, path, *more)

    monkeypatch.setattr(gguf.GGUFReader, "__init__", counted)
    before = gguf.GGUFReader, gguf.get_tensor_name_map
    network, tokenizer = weights.load(str(file), weights.fingerprint(file), "bfloat16")
    assert len(read) == 1
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == before
    assert plain.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(one, network.state_dict()[name]) for name, one in plain.state_dict().items())
    own = AutoTokenizer.from_pretrained(tmp_path, gguf_file=file.name)
    assert own.get_vocab() == tokenizer.get_vocab()
    weights.load(str(file), weights.fingerprint(file), "bfloat16")
    assert len(read) == 2, "the second is of the tokenizer above, none of the unpacked folder"
