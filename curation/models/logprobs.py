"""Log-probabilities of both sides of pairs, as TRL's DPO computes them."""

import math
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.progress import progress
from curation.models.chat_template import RenderingFault
from curation.models.faults import one_sentence
from curation.models.rendering import Renderer, rows_of_side
from curation.tables.contracts import SIDES


class Encoded(NamedTuple):
    """Pairs as a network reads them, each trace once.

    `pairs`: pair_id, both trace ids, `start` (the index from 0 of the first token that counts), the number of tokens
    that count of either side, and whether a side was `truncated`. `traces`: trace_id, and in `ids` the tokens of prompt
    and completion.
    """

    pairs: pl.DataFrame
    traces: pl.DataFrame


def encode(renderer: Renderer, pairs: pl.DataFrame, texts: pl.DataFrame, max_length: int) -> Encoded:
    """The pairs whose prompt leaves room for an answer, in the tokens that the student would learn them in, each side
    truncated to its first `max_length`.

    The tokens that count begin where prompt and completion first differ from the prompt with what opens an answer, on
    the side where that is earlier. `texts` has trace_id and what `rows_of_side` reads of a completion. Raises
    CurationError if the template refuses one of them.
    """
    rows = []
    for trace_id, row in zip(texts["trace_id"], rows_of_side(texts, "completion"), strict=True):
        try:
            rendered = renderer.render(*row)
        except RenderingFault as fault:
            raise CurationError(f"trace_id {trace_id}: {fault}") from None
        rows.append((trace_id, rendered.ids[:max_length], len(rendered.ids) > max_length, rendered.start))
    columns: Any = {"trace_id": pl.Int64, "ids": pl.List(pl.Int32), "truncated": pl.Boolean, "start": pl.Int32}
    traces = pl.DataFrame(rows, schema=columns, orient="row")
    ends = traces.select("trace_id", "start", "truncated", pl.col("ids").list.len().cast(pl.Int32).alias("end"))
    for side in SIDES:
        pairs = pairs.join(ends.select(pl.all().name.prefix(f"{side}_")), on=f"{side}_trace_id", maintain_order="left")
    first = pl.min_horizontal("chosen_start", "rejected_start")
    lengths = [(pl.col(f"{side}_end") - first).alias(f"{side}_tokens") for side in SIDES]
    truncated = pl.col("chosen_truncated") | pl.col("rejected_truncated")
    with_room = pairs.filter(first < max_length).select(
        "pair_id", "chosen_trace_id", "rejected_trace_id", first.alias("start"), *lengths, truncated.alias("truncated")
    )
    return Encoded(with_room, traces.select("trace_id", "ids"))


def log_probs(network: Any, encoded: Encoded, batch_size: int, label: str) -> pl.DataFrame:
    """pair_id, chosen_logp and rejected_logp: the summed log-probability, in nats, of the tokens that count, given
    those before them.

    A trace is read once however many pairs it is in, `batch_size` of like length together, padded at the end so that no
    token sees padding. Raises CurationError if a sum is not finite.
    """
    starts = pl.concat(
        [encoded.pairs.select(pl.col(f"{side}_trace_id").alias("trace_id"), "start") for side in SIDES]
    ).unique()
    longest_first = starts.join(encoded.traces, on="trace_id").sort(
        pl.col("ids").list.len(), "trace_id", "start", descending=True
    )
    with one_sentence(label):
        sums = pl.Series("logp", _sums(network, longest_first, batch_size, label), dtype=pl.Float64)
    logps = longest_first.select("trace_id", "start", sums)
    rows = encoded.pairs
    for side in SIDES:
        own = logps.rename({"trace_id": f"{side}_trace_id", "logp": f"{side}_logp"})
        rows = rows.join(own, on=[f"{side}_trace_id", "start"], maintain_order="left")
    return rows.select("pair_id", "chosen_logp", "rejected_logp")


def _sums(network: Any, rows: pl.DataFrame, batch_size: int, label: str) -> list[float]:
    """For each of the rows the summed log-probability of its `ids` from `start`, by TRL's own head, which never holds
    the logits of a whole batch."""
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from trl.trainer.utils import add_fused_lm_head

    network.eval()
    beneath_adapter = network.get_base_model() if hasattr(network, "get_base_model") else network
    add_fused_lm_head(beneath_adapter)
    sums: list[float] = []
    with progress(label, rows.height, "traces") as shown, torch.inference_mode():
        for batch in rows.iter_slices(batch_size):
            ids = pad_sequence([torch.tensor(row) for row in batch["ids"].to_list()], batch_first=True)
            lengths, starts = (
                torch.tensor(column.to_list()).unsqueeze(1) for column in (batch["ids"].list.len(), batch["start"])
            )
            position = torch.arange(ids.shape[1])
            labels = ids.masked_fill((position < starts) | (position >= lengths), -100)  # the head leaves out -100
            inputs = {"input_ids": ids, "attention_mask": (position < lengths).long(), "labels": labels}
            output = network(**{name: tensor.to(network.device) for name, tensor in inputs.items()}, fused_lm_head=True)
            sums += output.log_probs.sum(dim=1).tolist()
            if not math.isfinite(sum(sums[-batch.height :])):
                raise CurationError(
                    f"{label}: the log-probability of a trace is not finite; the model's weights are damaged, or its "
                    "dtype does not hold them"
                )
            shown.advance(batch.height)
    return sums
