"""Log-probabilities of both sides of pairs under a network, as TRL's DPO computes them."""

import math
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.progress import progress

SIDES = ("chosen", "rejected")


class Encoded(NamedTuple):
    """Pairs as a network reads them, each trace once.

    `pairs`: pair_id, both trace ids, `start` (the place of the first token that counts), the tokens that count of
    either side, and whether a side was `truncated`. `traces`: trace_id, and in `ids` the tokens of prompt and
    completion.
    """

    pairs: pl.DataFrame
    traces: pl.DataFrame


def encode(tokenizer: Any, pairs: pl.DataFrame, texts: pl.DataFrame, max_length: int) -> Encoded:
    """The pairs whose prompt leaves room for an answer, in tokens of the tokenizer's chat template, cut at the end to
    `max_length`.

    What counts begins where the prompt, opened for an answer, first differs from itself followed by one of the two
    completions, and ends with the template's end of turn. `texts` has trace_id, prompt and completion as message lists.
    """
    from trl.data_utils import common_prefix_length

    def tokens(messages: list[dict[str, str]], answer: bool) -> list[int]:
        return list(
            tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, add_generation_prompt=answer)
        )

    rows = []
    for trace_id, prompt, completion in texts.select("trace_id", "prompt", "completion").iter_rows():
        whole = tokens([*prompt, *completion], answer=False)
        rows.append(
            (
                trace_id,
                whole[:max_length],
                len(whole) > max_length,
                common_prefix_length(tokens(prompt, answer=True), whole),
            )
        )
    traces = pl.DataFrame(
        rows, {"trace_id": pl.Int64, "ids": pl.List(pl.Int32), "truncated": pl.Boolean, "start": pl.Int32}, orient="row"
    )
    ends = traces.select("trace_id", "start", "truncated", pl.col("ids").list.len().cast(pl.Int32).alias("end"))
    for side in SIDES:
        pairs = pairs.join(ends.select(pl.all().name.prefix(f"{side}_")), on=f"{side}_trace_id", maintain_order="left")
    start = pl.min_horizontal("chosen_start", "rejected_start")
    counted = [(pl.col(f"{side}_end") - start).alias(f"{side}_tokens") for side in SIDES]
    cut = pl.col("chosen_truncated") | pl.col("rejected_truncated")
    kept = pairs.filter(start < max_length).select(
        "pair_id", "chosen_trace_id", "rejected_trace_id", start.alias("start"), *counted, cut.alias("truncated")
    )
    return Encoded(kept, traces.select("trace_id", "ids"))


def log_probs(network: Any, encoded: Encoded, batch_size: int, label: str) -> pl.DataFrame:
    """pair_id, chosen_logp and rejected_logp: the natural log-probability of all tokens that count, given those before
    them.

    A trace is read once however many pairs it is in, `batch_size` of like length together, padded behind so that none
    sees padding.
    """
    asked = pl.concat(
        [encoded.pairs.select(pl.col(f"{side}_trace_id").alias("trace_id"), "start") for side in SIDES]
    ).unique()
    asked = asked.join(encoded.traces, on="trace_id").sort(
        pl.col("ids").list.len(), "trace_id", "start", descending=True
    )
    known = asked.select(
        "trace_id", "start", pl.Series("logp", _sums(network, asked, batch_size, label), dtype=pl.Float64)
    )
    rows = encoded.pairs
    for side in SIDES:
        own = known.rename({"trace_id": f"{side}_trace_id", "logp": f"{side}_logp"})
        rows = rows.join(own, on=[f"{side}_trace_id", "start"], maintain_order="left")
    return rows.select("pair_id", "chosen_logp", "rejected_logp")


def _sums(network: Any, asked: pl.DataFrame, batch_size: int, label: str) -> list[float]:
    """For each row of `asked` the summed log-probability of its `ids` from `start`, by TRL's own head, which never
    holds the logits of a whole batch."""
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from trl.trainer.utils import add_fused_lm_head

    network.eval()
    add_fused_lm_head(
        network.get_base_model() if hasattr(network, "get_base_model") else network
    )  # beneath an adapter, if there is one
    found: list[float] = []
    with progress(label, asked.height, "traces") as shown, torch.inference_mode():
        for batch in asked.iter_slices(batch_size):
            ids = pad_sequence([torch.tensor(one) for one in batch["ids"].to_list()], batch_first=True)
            lengths, starts = (
                torch.tensor(column.to_list()).unsqueeze(1) for column in (batch["ids"].list.len(), batch["start"])
            )
            place = torch.arange(ids.shape[1])
            labels = ids.masked_fill((place < starts) | (place >= lengths), -100)  # -100 is what the head leaves out
            given = {"input_ids": ids, "attention_mask": (place < lengths).long(), "labels": labels}
            scored = network(**{name: tensor.to(network.device) for name, tensor in given.items()}, fused_lm_head=True)
            found += scored.log_probs.sum(dim=1).tolist()
            if not math.isfinite(sum(found[-batch.height :])):
                raise CurationError(
                    f"{label}: the log-probability of a trace is not finite; the model's weights are damaged, or its dtype does not hold them"
                )
            shown.advance(batch.height)
    return found
