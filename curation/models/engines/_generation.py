"""The tokens that a batch of calls is answered with, in transformers, each call's drawn by its own seed."""

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

from curation.calls.call import Call
from curation.core.errors import CurationError

DRAWN_AT_ONCE = 2048  # random numbers of a row
STEPS_TOLD = 16  # are told of at once: to look at the device waits for it


def generate(
    network: Any,
    encoded: Any,
    calls: list[Call],
    eos: int,
    stopped: Event,
    tell: Callable[[int, int], None],
    repeat_shapes: bool = False,
) -> Iterator[tuple[int, list[int]]]:
    """Each row's number and new tokens, as rows end. Ended rows leave the batch once they are half of it, because they
    cost as much as running ones. `tell` hears how many tokens were decoded since it last did, and how many rows have
    ended. Raises CurationError where the logits of a row are not finite.

    With `repeat_shapes` a batch shrinks to halves of its size alone, filled up with ended rows: a GPU works out anew
    how to do what it has not met in this shape.
    """
    import torch

    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    cache = _prefill(network, ids, mask)
    start, limit, rows = ids.shape[1], ids.shape[1] + calls[0].sampling["max_tokens"], torch.arange(len(calls))
    draw = Draw(calls) if calls[0].sampling["temperature"] > 0 else None
    running, steps = torch.ones(len(calls), dtype=torch.bool, device=ids.device), 0

    def half_ended(ids: Any, scores: Any) -> Any:
        nonlocal steps
        ended, steps = (ids[:, start:] == eos).any(dim=1), steps + 1
        if steps % STEPS_TOLD == 0:
            left = int((running & ~ended).sum())
            tell(STEPS_TOLD * left, len(calls) - left)
        return (ended.float().mean() >= 0.5).expand(len(ids)) | stopped.is_set()

    while running.any() and not stopped.is_set():
        output = network.generate(
            input_ids=ids, attention_mask=mask, past_key_values=cache, max_length=limit, stopping_criteria=[half_ended],
            logits_processor=[_require_finite, *([draw] if draw else [])], do_sample=False, temperature=None,
            top_p=None, top_k=None, pad_token_id=eos, eos_token_id=eos, return_dict_in_generate=True,
        )  # fmt: skip
        ids, cache = output.sequences, output.past_key_values
        ended = (ids[:, start:] == eos).any(dim=1) | (ids.shape[1] >= limit)
        new = (running & ended).nonzero().flatten().tolist()
        yield from ((int(rows[row]), ids[row, start:].tolist()) for row in new)
        running &= ~ended
        staying = _staying(running, len(calls) if repeat_shapes else 0)
        mask = torch.nn.functional.pad(mask, (0, ids.shape[1] - mask.shape[1]), value=1)[staying]
        ids, rows, running = ids[staying], rows[staying.cpu()], running[staying]
        cache.batch_select_indices(staying)
        if draw:
            draw.keep(staying.tolist())


def _staying(running: Any, size: int) -> Any:
    """The numbers of the running rows; of ended ones as many beside them as make a half of `size`, or a half of that,
    and so on, where a size is given."""
    if not size or not running.any():
        return running.nonzero().flatten()
    count = int(running.sum())
    while (half := -(-size // 2)) >= count and half < size:
        size = half
    first = running.int().argsort(descending=True, stable=True)[:size]  # running ones, then ended ones
    return first.sort().values


def _prefill(network: Any, ids: Any, mask: Any) -> Any:
    """The keys and values of all prompt tokens but the last, each prompt read once, where samples of one prompt share
    the batch. None where they do not: nothing is saved."""
    import torch

    prompts, of_row = ids.unique(dim=0, return_inverse=True)
    if len(prompts) == len(ids) or ids.shape[1] == 1:
        return None
    seen = torch.zeros_like(prompts).index_copy_(0, of_row, mask)[:, :-1]
    positions = (seen.cumsum(dim=1) - 1).clamp(min=0)
    cache = network(
        input_ids=prompts[:, :-1], attention_mask=seen, position_ids=positions, use_cache=True, logits_to_keep=1
    ).past_key_values
    cache.batch_select_indices(of_row)
    return cache


def _require_finite(input_ids: Any, scores: Any) -> Any:
    """The scores as they are. Raises CurationError where the best of a row is not finite: any token could follow, such
    as the first of the vocabulary."""
    if not scores.amax(dim=1).isfinite().all():
        raise CurationError(
            "the model's logits are not finite, so it answers nothing; its weights are damaged, or its dtype does not "
            "hold their values"
        )
    return scores


class Draw:
    """A logits processor that leaves each row one token, drawn from the row's distribution by the seed of its own call.

    The Gumbel-max trick over the `top_k` best tokens: argmax(logit / temperature + Gumbel noise) is a sample of the
    softmax. Greedy search then takes it. `generate`'s own sampling draws from one stream for the whole batch, and over
    the whole vocabulary, which costs more time.
    """

    def __init__(self, calls: list[Call]) -> None:
        import torch

        self.settings = calls[0].sampling
        self.sources = [torch.Generator().manual_seed(call.sampling["seed"]) for call in calls]
        self.ahead: Any = None  # uniform numbers of the next steps: rows x steps x tokens

    def keep(self, rows: list[int]) -> None:
        """Of the rows these stay, in this order."""
        self.sources = [self.sources[row] for row in rows]
        self.ahead = None if self.ahead is None else self.ahead[rows]

    def uniform(self, tokens: int) -> Any:
        """A number between 0 and 1 for each row and token, of which each row's come one after the other from its own
        source. They are drawn for many steps at once: a row's turn costs more than its numbers."""
        import torch

        if self.ahead is None or not self.ahead.shape[1]:
            steps = max(DRAWN_AT_ONCE // tokens, 1)
            rows = [torch.rand(steps * tokens, generator=source) for source in self.sources]
            self.ahead = torch.stack(rows).reshape(len(rows), steps, tokens)
        now, self.ahead = self.ahead[:, 0], self.ahead[:, 1:]
        return now

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        best = scores.topk(min(self.settings["top_k"] or scores.shape[1], scores.shape[1]))
        logits = best.values / self.settings["temperature"]
        shares = logits.softmax(dim=1)
        logits[shares.cumsum(dim=1) - shares >= self.settings["top_p"]] = -torch.inf
        uniform = self.uniform(logits.shape[1]).to(scores.device)
        drawn = best.indices.gather(1, (logits - (-uniform.log()).log()).argmax(dim=1, keepdim=True))
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn, 0.0)
