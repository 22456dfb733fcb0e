"""What only a GPU shows: the device is accepted, a step of training and a reply on it are the same twice, and a device
without room says so in one sentence. Skipped where torch finds no CUDA.

    python -m pytest -n0 -q tests/test_cuda.py
"""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_train import settings
from tiny import read_by, save_tiny_llama

from curation.calls.call import Call, Reply
from curation.core.devices import find_device_fault
from curation.core.errors import CurationError
from curation.models import weights
from curation.models.engines import transformers
from curation.models.faults import one_sentence
from curation.models.student import Params as Student
from curation.tables import contracts
from curation.training.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def torch() -> Any:
    """torch, on a machine with CUDA; not loaded to collect the tests."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("wants CUDA")
    return torch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def paired() -> pl.DataFrame:
    """Six pairs: 'i + i' answered rightly and wrongly."""
    texts = [(number, f"{number} + {number}?", f"It is {2 * number}.", f"{number}") for number in range(6)]
    rows = [
        {
            "pair_id": number, "prompt_id": number, "chosen_trace_id": 100 + number, "rejected_trace_id": 200 + number,
            "prompt": [{"role": "user", "content": prompt}], "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
            "chosen_truncated": False, "rejected_truncated": False,
        }
        for number, prompt, chosen, rejected in texts
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=contracts.empty(contracts.SUBSETS).schema)


def student(model: Path, dtype: str) -> Student:
    return Student(model=str(model), revision=weights.fingerprint(model), dtype=dtype, device="cuda")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_check_accepts_the_gpu_and_refuses_one_that_is_not_there(dtype: str, torch: Any) -> None:
    assert find_device_fault("cuda", dtype) is None
    assert find_device_fault("cuda:0", dtype) is None
    last = torch.cuda.device_count()
    assert f"finds no more than cuda:{last - 1}" in str(find_device_fault(f"cuda:{last}", dtype))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_step_is_the_same_twice(method: str, dtype: str, model: Path, paired: pl.DataFrame, tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        how = settings(method, max_steps=1, bf16=dtype == "bfloat16")
        metrics = train(name, how, 0, student(model, dtype), read_by(how, paired), tmp_path / name)
        assert metrics["arithmetic_bits"] == (32 if dtype == "float32" else 16)
        files.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_replies_are_the_same_twice(dtype: str, model: Path) -> None:
    how: dict[str, Any] = {"kind": "transformers", "dtype": dtype, "device": "cuda", "batch_size": 3}
    sampling = {"temperature": 1.0, "top_p": 0.9, "top_k": 0, "max_tokens": 12}
    calls = [
        Call("m", "r", [{"role": "user", "content": f"{number} + 1?"}], sampling | {"seed": number}, 0)
        for number in range(7)
    ]
    texts = []
    for _ in range(2):
        replies: dict[str, Reply] = {}
        engine = transformers.Params.model_validate(how).engine(weights.Weights(str(model), weights.fingerprint(model)))
        engine(iter(calls), lambda call, reply: replies.update({call.key: reply}))  # noqa: B023 (called at once)
        texts.append({key: reply.text for key, reply in replies.items()})
    assert len(texts[0]) == 7 and texts[0] == texts[1]


def test_no_room_is_one_sentence(torch: Any) -> None:
    """As training, scoring and sampling all meet it: a real allocation that no GPU has room for."""
    said = r"^run dpo-x: the device has too little memory: .*; lower batch_size"
    with pytest.raises(CurationError, match=said), one_sentence("run dpo-x"):
        torch.empty(2**44, device="cuda")


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_run_without_room_is_taken_in_parts_or_is_one_sentence(
    method: str, model: Path, paired: pl.DataFrame, tmp_path: Path, torch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The memory is taken before the run, all but 512 MiB, of which a batch of 4,096 would want many times as much."""
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(free - 2**29, dtype=torch.uint8, device="cuda")
    answer = pl.lit([{"role": "assistant", "content": "x" * 400}], dtype=paired.schema["chosen"])
    many = pl.concat(
        [paired.with_columns(answer.alias("chosen"), pl.col("pair_id") + 10 * number) for number in range(700)]
    )
    wide = settings(method, max_steps=1, batch_size=4096, max_length=512, precompute=False)
    try:
        if method == "kto":
            with pytest.raises(CurationError) as caught:
                train("x", wide, 0, student(model, "float32"), read_by(wide, many), tmp_path / "x")
            assert "\n" not in str(caught.value) and "memory" in str(caught.value)
            assert list(tmp_path.iterdir()) == []
        else:
            metrics = train("x", wide, 0, student(model, "float32"), read_by(wide, many), tmp_path / "x")
            assert metrics["micro_batch"] < 4096
            assert "run x: 4096 at a time are too many for the device's memory" in capsys.readouterr().err
    finally:
        del taken
        torch.cuda.empty_cache()
