"""The config of accelerate that a run is trained by, which is the user's own file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.core.errors import CurationError

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method

ON_A_CPU = ("NO", "MULTI_CPU")  # accelerate's names; it shards no weights there, whatever a config says
PLAIN = (*ON_A_CPU, "MULTI_GPU")  # every process has all weights
OWN_FILE = "deepspeed_config_file"
NOTHING: tuple[Any, ...] = (None, False, "", "no", "NO", [], {})
# what starts the processes, and what is asked for elsewhere: their number and the method's bf16 are in a run's key
STARTS = frozenset({
    "compute_environment", "debug", "enable_cpu_affinity", "gpu_ids", "machine_rank", "main_process_ip",
    "main_process_port", "main_training_function", "mixed_precision", "mpirun_config", "num_machines", "num_processes",
    "rdzv_backend", "same_network", "use_cpu",
})  # fmt: skip
WRITES = "`accelerate config --config_file` writes one"


def read_config(config: Path) -> dict[str, Any]:
    """What the config says. Raises CurationError where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(config.read_text("utf-8"))
    except OSError as error:
        raise CurationError(f"{config}: cannot be read: {error.strerror}; {WRITES}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise CurationError(f"{config}: is no YAML: {' '.join(str(error).split())[:200]}; {WRITES}") from None
    if not isinstance(found, dict):
        raise CurationError(f"{config}: is no config of accelerate; {WRITES}")
    return found


def count_processes(config: Path) -> int:
    """How many processes train a run together. Raises CurationError where the config does not say."""
    world = read_config(config).get("num_processes")
    if not isinstance(world, int) or world < 1:
        raise CurationError(f"{config}: num_processes: {world}: is no number of processes; write how many train a run")
    return world


def read_arithmetic(config: Path) -> dict[str, Any] | None:
    """What of the config decides the arithmetic beside the number of processes, as how weights are sharded; DeepSpeed's
    own file by what it says. None where every process has all weights, and computes as torch does. Raises CurationError
    where one of the files cannot be read."""
    found = {name: value for name, value in read_config(config).items() if name not in STARTS and value not in NOTHING}
    if found.get("distributed_type") in PLAIN:
        del found["distributed_type"]
    deepspeed = found.get("deepspeed_config")
    if isinstance(deepspeed, dict) and (file := deepspeed.get(OWN_FILE)):
        found["deepspeed_config"] = deepspeed | {OWN_FILE: _read_json(Path(str(file)), config)}
    return found or None


def _read_json(file: Path, config: Path) -> Any:
    place = f"{config}: {OWN_FILE}: {file}"
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise CurationError(f"{place}: cannot be read: {error.strerror}; put it there, or correct the path") from None
    except ValueError as error:
        raise CurationError(f"{place}: is no JSON: {error}") from None


def find_faults(config: Path, settings: "Method", device: str) -> Iterator[str]:
    """Why no run can be trained by the config and this method on `device`."""
    try:
        world, found, _ = count_processes(config), read_config(config), read_arithmetic(config)
    except CurationError as error:
        yield f"kind: {error}"
        return
    machines, how = found.get("num_machines") or 1, found.get("distributed_type")
    if machines != 1:
        yield f"kind: {config}: num_machines: {machines}: the processes of one machine train a run; write 1"
    if device == "cpu" and how not in (*ON_A_CPU, None):
        yield (
            f"kind: {config}: distributed_type: {how}: is not for a CPU, where student.device is; write MULTI_CPU, or "
            "set student.device: cuda"
        )
    if world > 1 and how == "NO":
        yield (
            f"kind: {config}: distributed_type: NO: starts one process, and num_processes: {world}; write "
            f"{'MULTI_CPU' if device == 'cpu' else 'MULTI_GPU'}"
        )
    if settings.kind == "kto" and world > 1:
        yield (
            f"kind: KTO takes its KL term from a whole batch, which {world} processes would divide; train it with "
            "execution.runs.engine: local"
        )
    elif settings.batch_size % world:
        yield (
            f"batch_size: {settings.batch_size}: is a step's, and does not divide among the {world} processes of "
            f"{config}; write a multiple of {world}"
        )
    if (precision := found.get("mixed_precision") or "no") not in ("no", "bf16" if settings.bf16 else "no"):
        yield (
            f"bf16: {str(settings.bf16).lower()}: decides the arithmetic, but {config} says mixed_precision: "
            f"{precision}; write mixed_precision: 'no' there"
        )
