"""Training in the memory that there is: a batch without room is taken in parts, and the step stays the same."""

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

from curation.models.faults import OutOfMemory


def micro_batches(batch_size: int) -> list[int]:
    """How many examples of a batch are taken at once: all of them, and where there is no room half as many, down to
    one."""
    sizes = [batch_size]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def halve_until_it_fits(batch_size: int, label: str, attempt: Callable[[int], dict[str, float]]) -> dict[str, float]:
    """What `attempt` returns with the first of `micro_batches` that the device has room for, and that number. Each
    begins anew, and says so on stderr. Raises OutOfMemory where one example has no room."""
    sizes = micro_batches(batch_size)
    for size, half in zip(sizes, [*sizes[1:], None], strict=True):
        try:
            return {**attempt(size), "micro_batch": size}
        except OutOfMemory as fault:
            if half is None:
                raise OutOfMemory(str(fault).replace("lower batch_size, or max_length", "lower max_length")) from fault
            print(
                f"run {label}: {size} at a time are too many for the device's memory; begins again with {half} at a "
                "time and as many more parts to a step, which changes the result by rounding alone",
                file=sys.stderr,
                flush=True,
            )
        _free_memory()  # after the handler, whose fault holds all that was computed
    raise AssertionError("one example is the last attempt")


def _free_memory() -> None:
    import torch

    gc.collect()  # a trainer is a cycle
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def take_in_parts(trainer: Any, micro_batch: int, sides: int, rank: int = 0, world: int = 1) -> None:
    """Have the trainer take each batch in parts of at most `micro_batch` examples, whose gradients add up to the
    batch's: each part counts by its share, so that it does not matter whether a batch or a part is full. A batch's
    tensors have a row for each example, or `sides` of them, one side after the other.

    Of `world` processes that all read the batch, and whose gradients are averaged, each takes the parts of its `rank`.
    """
    step, loss_of, share = trainer.training_step, trainer.compute_loss, 1.0

    def loss_by_share(*inputs: Any, **more: Any) -> Any:
        return loss_of(*inputs, **more) * share

    def step_in_parts(model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        nonlocal share
        examples, shares, losses = len(inputs["input_ids"]) // sides, list[float](), list[Any]()
        logged = {name: len(values) for name, values in trainer._metrics["train"].items()}
        state = trainer.accelerator.gradient_state
        is_last_batch, parts = state.sync_gradients, list(assign_parts(examples, micro_batch, rank, world))
        for number, (first, last, together) in enumerate(parts, start=1):
            part = _rows(inputs, first, last, examples, sides)
            shares.append(together / examples)
            # a loss that counts the tokens of the whole step is a sum already
            share = 1.0 if num_items_in_batch is not None else _weight(part) / _weight(inputs)
            share *= together / (last - first)
            state._set_sync_gradients(is_last_batch and number == len(parts))  # DeepSpeed steps where it is set
            losses.append(step(model, part, num_items_in_batch))
        _log_one(trainer._metrics["train"], logged, shares)
        return sum(losses)

    trainer.compute_loss, trainer.training_step = loss_by_share, step_in_parts


def assign_parts(examples: int, size: int, rank: int, world: int) -> Iterator[tuple[int, int, int]]:
    """The parts of a batch that the process `rank` of `world` takes, of at most `size` examples, each from the first to
    before the last, and how many examples all processes take then. All take as many at once; the rest, fewer than there
    are processes, is taken by each of them."""
    done = 0
    while done < examples:
        each = min(size, (examples - done) // world)
        if each:
            yield done + rank * each, done + (rank + 1) * each, each * world
            done += each * world
        else:
            rest = min(size, examples - done)
            yield done, done + rest, rest
            done += rest


def _rows(inputs: Any, first: int, last: int, examples: int, sides: int) -> dict[str, Any]:
    import torch

    rows = torch.arange(first, last)
    of_sides = torch.cat([rows + side * examples for side in range(sides)])
    return {name: tensor[rows if len(tensor) == examples else of_sides] for name, tensor in inputs.items()}


def _weight(inputs: Any) -> float:
    """What a mean loss is taken over: the tokens that are learnt where there are labels, else examples."""
    return float((inputs["labels"][:, 1:] != -100).sum()) if "labels" in inputs else len(inputs["input_ids"])


def _log_one(metrics: dict[str, list[float]], logged: dict[str, int], shares: list[float]) -> None:
    """A batch's parts are logged as one batch."""
    for name, values in metrics.items():
        of_parts = values[logged.get(name, 0) :]
        if len(of_parts) == len(shares):
            mean = sum(value * share for value, share in zip(of_parts, shares, strict=True))
            metrics[name] = [*values[: -len(shares)], mean]
