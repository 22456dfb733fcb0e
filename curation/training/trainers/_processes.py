"""One training over several processes: all read the same batches, each takes its part, and their gradients are one."""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple


class Processes(NamedTuple):
    """This process among those of a training: its number, how many they are, a folder that all of them see, and how
    many examples each takes at once."""

    rank: int
    world: int
    shared: Path
    micro_batch: int


ALONE = (0, 1)


def share_dataset(dataset: Any, processes: Processes) -> Any:
    """The dataset, from files that all processes see: what TRL works out of it once is kept beside them."""
    import datasets

    folder = processes.shared / "dataset"
    if processes.rank == 0:
        dataset.save_to_disk(str(folder.with_suffix(".partial")))
        folder.with_suffix(".partial").rename(folder)
    while not folder.exists():  # accelerate, which could wait, is set up by TRL's configuration later
        time.sleep(0.05)
    return datasets.load_from_disk(str(folder))


def read_whole_batches(trainer: Any) -> None:
    """Have every process read every batch whole, in the same order, where accelerate would give each batches of its
    own, and fill up the last by examples from the first."""
    from accelerate.data_loader import prepare_data_loader

    def prepare(loader: Any, *_: Any, **__: Any) -> Any:
        return whole(loader)

    own = trainer.accelerator
    whole = partial(
        prepare_data_loader, device=own.device, num_processes=1, process_index=0, put_on_device=True,
        rng_types=own.rng_types, use_seedable_sampler=own.use_seedable_sampler,
    )  # fmt: skip
    own.prepare_data_loader = prepare


def gather_weights(trainer: Any) -> tuple[Any, dict[str, Any]]:
    """The network, and its weights, whole wherever they lie in parts. Every process calls this."""
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return trainer.accelerator.unwrap_model(trainer.model_wrapped), weights
