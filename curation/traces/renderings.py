"""Each trace as the student will learn from it: how many tokens that is, and what of it reaches the target."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from curation.core.params import Strict
from curation.core.progress import progress
from curation.models.chat_template import RenderingFault
from curation.models.left_out import find_left_out
from curation.models.rendering import Renderer, Row
from curation.models.targets import Facts, facts, ids_hash
from curation.tables.contracts import RENDERINGS, empty
from curation.tables.messages import full_messages

TRACES_PER_BATCH = 100
READ = ("trace_id", "prompt_id", "generator", "reasoning", "completion", "status")  # of traces
READ_OF_PROMPTS = ("prompt_id", "prompt", "messages", "tools")


class Params(Strict):
    """`renderings` in params.yaml: whether traces are rendered for the student, which budgets in tokens and expressions
    of `chosen.tokens` need."""

    count: bool


def unrendered(traces: pl.DataFrame) -> pl.DataFrame:
    """The rows of `renderings` where nothing is counted: all null but the ids."""
    return pl.concat([empty(RENDERINGS), traces.select("trace_id")], how="diagonal")


def render_traces(renderer: Renderer, traces: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """The rows of `renderings`, in the order of the traces. `traces` and `prompts` have the columns READ and
    READ_OF_PROMPTS. From a trace without a completion nobody learns, so that of it only the reasoning is counted."""
    rows: list[dict[str, Any]] = []
    with progress("renderings", traces.height, "traces") as shown:
        for batch in joined(traces, prompts).iter_slices(TRACES_PER_BATCH):
            rows += _rows(renderer, batch)
            shown.advance(batch.height)
    rendered = pl.DataFrame(rows, schema=empty(RENDERINGS).schema)
    return traces.select("trace_id").join(rendered, on="trace_id", how="left", maintain_order="left")


def joined(traces: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Traces with their prompts beside them, those of one prompt together, so that it is rendered once."""
    return traces.join(prompts, on="prompt_id", how="left", maintain_order="left").sort(
        "prompt_id", maintain_order=True
    )


def to_render(traces: pl.DataFrame) -> list[Row]:
    """The traces of `joined` as a renderer takes them."""
    return [
        Row(full_messages(row["prompt"], row["messages"]), row["tools"], row["reasoning"], row["completion"],
            row["status"] != "truncated")
        for row in traces.iter_rows(named=True)
    ]  # fmt: skip


def _rows(renderer: Renderer, batch: pl.DataFrame) -> Iterator[dict[str, Any]]:
    reasoning_tokens, completion_tokens = (_count(renderer, batch[name]) for name in ("reasoning", "completion"))
    answered = batch["completion"].is_not_null()
    whole = iter(_rendered(renderer, to_render(batch.filter(answered))))
    for trace_id, is_answered, thought, said in zip(
        batch["trace_id"], answered, reasoning_tokens, completion_tokens, strict=True
    ):
        counts = {"reasoning_tokens": thought, "completion_tokens": said}
        both = None if said is None else said + (thought or 0)
        yield {"trace_id": trace_id, **counts, "tokens": both, **(next(whole) if is_answered else {})}


def _rendered(renderer: Renderer, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    asked, left_out = None, None
    for row, whole in zip(rows, renderer.render_all(rows), strict=True):
        if isinstance(whole, RenderingFault):
            yield {"fault": str(whole)}
            continue
        if asked != row[:2]:
            asked, left_out = row[:2], _left_out(renderer, row)
        found: Facts = facts(renderer, row, whole)
        yield found._asdict() | {"rendered_id": ids_hash(whole.ids), "prompt_left_out": left_out}


def _left_out(renderer: Renderer, row: Row) -> str | None:
    """What the template leaves out of a prompt, by name; None where all is in. A single message without tools is in, or
    it was refused."""
    if len(row.messages) == 1 and row.tools is None:
        return None
    names = find_left_out(row.messages, row.tools, lambda said, tools: renderer.texts(Row(said, tools, None, ""))[0])
    return ", ".join(names) or None


def _count(renderer: Renderer, texts: pl.Series) -> list[int | None]:
    """The tokens of each text alone, without those that open or end one."""
    encoded = renderer.tokenizer([text or "" for text in texts], add_special_tokens=False)["input_ids"]
    return [None if text is None else len(ids) for text, ids in zip(texts, encoded, strict=True)]
