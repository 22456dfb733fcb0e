"""The config of accelerate that a run is trained by, which is the user's own file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.core.errors import CurationError

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method

ON_A_CPU = ("NO", "MULTI_CPU")  # accelerate's names; it shards no weights there, whatever a config says
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


def find_faults(config: Path, settings: "Method", device: str) -> Iterator[str]:
    """Why no run can be trained by the config and this method on `device`."""
    try:
        world, found = count_processes(config), read_config(config)
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
