"""One run over two processes of this machine's CPU, by a real `accelerate launch` with a config as a user writes it:
the same result as of one process, up to rounding; what cannot be divided is refused before anything is started.

Kinds of fault: a last batch that is filled up, or that one process has no part of; gradients that are added where they
should be averaged; weights that each process writes; a process that outlives the one that wants it.
"""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_memory import apart, method
from test_train import PARAMS, paired, student  # noqa: F401 (fixtures)

from curation.calls.execution import Params as Execution
from curation.core.errors import CurationError
from curation.core.kinds import kind
from curation.models.student import Params as Student
from curation.tables import contracts, parquet
from curation.training.accelerate_config import find_faults, read_arithmetic
from curation.training.launched import train_over_processes
from curation.training.train import train
from curation.training.train_all import SECONDS, ToTrain, train_all
from curation.training.trainers._memory import assign_parts

CPU = "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_CPU\nuse_cpu: true\nnum_machines: 1\n"


def config(folder: Path, *lines: str) -> Path:
    file = folder / "accelerate.yaml"
    file.write_text("\n".join([CPU, *(lines or ["num_processes: 2"])]))
    return file


def own_rows(how: Any, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(kind("methods", how.kind).COLUMNS)


LORA = {"rank": 2, "alpha": 4, "dropout": 0.0, "modules": ["q_proj"], "layers": 1}
SOFT = {"kind": "soft_dpo", "loss": "conservative", "unusable": "refuse"}
CASES = {  # five rows: batches of four and one
    "dpo": method("dpo", lora=LORA),
    "sft": method("sft", accumulation=2),
    "soft_dpo": kind("methods", "soft_dpo").Params.model_validate(method("dpo", lora=LORA).model_dump() | SOFT),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dpo", *(pytest.param(name, marks=pytest.mark.long) for name in ("sft", "soft_dpo"))])
def test_two_processes_train_what_one_does(
    name: str,
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    how, rows, file = CASES[name], paired.head(5), tmp_path / "rows.parquet"
    parquet.write(contracts.SUBSETS, rows, file)
    one = train("one", how, 0, student, rows, tmp_path / "one")
    runs = {"engine": "accelerate", "parallel": 1, "max_failed": 0, "threads": 1, "config": str(config(tmp_path))}
    execution = Execution.model_validate({**PARAMS["execution"], "runs": runs})
    ((run, two, error),) = train_all([ToTrain("two", how, 0, student, file, tmp_path / "two")], execution, student)
    assert (run, error) == ("two", None) and two.pop(SECONDS) > 0
    assert {**two, "micro_batch": 4} == pytest.approx(one, rel=1e-3, abs=1e-5) and two["micro_batch"] == 2
    assert apart(Path(student.model), tmp_path / "one", tmp_path / "two") < 1e-4
    files = [sorted(file.name for file in (tmp_path / run).iterdir()) for run in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.long
@pytest.mark.slow
def test_what_fails_in_a_process_is_one_sentence_and_leaves_nothing(
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    how, file = method("dpo", max_length=5), config(tmp_path)
    with pytest.raises(CurationError, match=r"^max_length 5: no prompt leaves room for an answer") as caught:
        train_over_processes("x", how, 0, student, own_rows(how, paired), tmp_path / "x", file, threads=1)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [file]


KILLED = """
import sys
from pathlib import Path
import polars as pl
from curation.models.student import Params as Student
from curation.training.launched import train_over_processes
from curation.training.trainers.dpo import Params
student, how, rows, config, out = sys.argv[1:]
train_over_processes("x", Params.model_validate_json(how), 0, Student.model_validate_json(student),
    pl.read_parquet(rows), Path(out), Path(config), 1)
"""


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_no_process_outlives_the_one_that_wants_it(
    student: Student,  # noqa: F811
    paired: pl.DataFrame,  # noqa: F811
    tmp_path: Path,
) -> None:
    """That one is killed in the midst of training, which would have gone on for an hour."""
    how = method("dpo", max_steps=1_000_000, epochs=1)
    own_rows(how, paired).write_parquet(tmp_path / "rows.parquet")
    arguments = (
        student.model_dump_json(), how.model_dump_json(), tmp_path / "rows.parquet", config(tmp_path), tmp_path / "x"
    )  # fmt: skip
    owner = subprocess.Popen([sys.executable, "-c", KILLED, *map(str, arguments)], stderr=subprocess.PIPE)
    assert owner.stderr is not None and b"train x: " in owner.stderr.readline()
    ours = [pid for pid in Path("/proc").glob("[0-9]*") if _is_rank(pid)]
    assert len(ours) >= 2
    owner.kill()
    owner.communicate()
    until = time.monotonic() + 60
    while (left := [pid for pid in ours if _is_rank(pid)]) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def _is_rank(process: Path) -> bool:
    """Whether it is a process of the training above."""
    try:
        said = (process / "cmdline").read_bytes().split(b"\0")
        return b"curation.training.launched" in said and b"--config_file" not in said
    except OSError:
        return False


REFUSED = {
    "no number": (["num_processes: many"], "dpo", r"num_processes: many: is no number of processes; write how many"),
    "none": (["machine_rank: 0"], "dpo", r"num_processes: None: is no number of processes"),
    "machines": (["num_processes: 2", "num_machines: 2"], "dpo", r"num_machines: 2: the processes of one machine"),
    "not divided": (["num_processes: 3"], "dpo", r"^batch_size: 4: is a step's, and does not divide among the 3"),
    "kto": (["num_processes: 2"], "kto", r"^kind: KTO takes its KL term from a whole batch, which 2 processes would"),
    "precision": (["num_processes: 2", "mixed_precision: bf16"], "sft", r"^bf16: false: .* says mixed_precision: bf16"),
    "fp16": (["num_processes: 2", "mixed_precision: fp16"], "dpo", r"^bf16: false: .* says mixed_precision: fp16"),
    "FSDP": (["num_processes: 2", "distributed_type: FSDP"], "dpo", r"FSDP: is not for a CPU, .*; write MULTI_CPU"),
    "not started": (["num_processes: 2", "distributed_type: 'NO'"], "dpo", r"NO: starts one process, and num_proc"),
    "no YAML": (["num_processes: ["], "dpo", r"accelerate.yaml: is no YAML: "),
    "a list": (["- 1"], "dpo", r"accelerate.yaml: is no config of accelerate; `accelerate config"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_config_that_no_run_can_be_trained_by_is_refused_before_anything_starts(case: str, tmp_path: Path) -> None:
    lines, name, said = REFUSED[case]
    file = tmp_path / "accelerate.yaml"
    keys = {line.partition(":")[0] for line in lines}
    plain = [line for line in CPU.splitlines() if line.partition(":")[0] not in keys and case != "a list"]
    file.write_text("\n".join([*plain, *lines]))
    (found,) = find_faults(file, method(name), "cpu")
    assert re.search(said, found)
    assert list(find_faults(config(tmp_path), method("dpo"), "cpu")) == []
    assert "cannot be read: No such file" in next(find_faults(tmp_path / "none.yaml", method("dpo"), "cpu"))


SHARDED = ["num_processes: 2", "distributed_type: FSDP", "fsdp_config: {fsdp_version: 2}"]
DEEPSPEED = ["num_processes: 2", "distributed_type: DEEPSPEED", "deepspeed_config: {deepspeed_config_file: FILE}"]


def arithmetic(folder: Path, *lines: str) -> dict[str, Any] | None:
    named = {line.partition(":")[0] for line in lines}
    plain = [line for line in CPU.splitlines() if line.partition(":")[0] not in named]
    file = folder / "accelerate.yaml"
    file.write_text("\n".join([*plain, *lines]).replace("FILE", str(folder / "own.json")))
    return read_arithmetic(file)


def test_what_a_config_says_of_the_arithmetic_is_told_from_how_it_starts_processes(tmp_path: Path) -> None:
    """Wherever DeepSpeed's own file lies; one that is not there is told before anything starts."""
    on_gpus = (
        "num_processes: 4",
        "distributed_type: MULTI_GPU",
        "gpu_ids: all",
        "mixed_precision: bf16",
        "debug: true",
    )
    for plain in (("num_processes: 2",), on_gpus, ("num_processes: 2", "fsdp_config: {}", "downcast_bf16: 'no'")):
        assert arithmetic(tmp_path, *plain) is None
    assert arithmetic(tmp_path, *SHARDED) == {"distributed_type": "FSDP", "fsdp_config": {"fsdp_version": 2}}
    compiled = arithmetic(tmp_path, "num_processes: 2", "dynamo_config: {dynamo_backend: INDUCTOR}")
    assert compiled == {"dynamo_config": {"dynamo_backend": "INDUCTOR"}}
    for stage in (2, 3):
        (tmp_path / "own.json").write_text(f'{{"zero_optimization": {{"stage": {stage}}}}}')
        said = arithmetic(tmp_path, *DEEPSPEED)
        own = {"deepspeed_config_file": {"zero_optimization": {"stage": stage}}}
        assert said == {"distributed_type": "DEEPSPEED", "deepspeed_config": own}
    (tmp_path / "own.json").unlink()
    (fault,) = find_faults(tmp_path / "accelerate.yaml", method("dpo"), "cuda")
    assert "deepspeed_config_file: " in fault and "own.json: cannot be read: No such file or directory; put it" in fault


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("examples", [1, 2, 3, 5, 8, 31])
def test_every_example_is_taken_once_and_all_take_as_many(examples: int, world: int, size: int) -> None:
    of_each = [list(assign_parts(examples, size, rank, world)) for rank in range(world)]
    rows = []
    for together in zip(*of_each, strict=True):
        assert len({(last - first, whole) for first, last, whole in together}) == 1
        assert all(0 < last - first <= size for first, last, _ in together)
        rows += sorted({row for first, last, _ in together for row in range(first, last)})
        assert rows[-1] - rows[-together[0][2]] == together[0][2] - 1
    assert rows == list(range(examples))
