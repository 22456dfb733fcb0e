"""The traces of one generator."""

from typing import TYPE_CHECKING

import polars as pl

from curation.calls.ledger import Ledger
from curation.core.kinds import kind
from curation.core.metrics import mean
from curation.tables.contracts import RESPONSES, TRACES, empty
from curation.tables.ids import content_ids
from curation.tables.texts import trace_text_ids
from curation.traces.delimiters import count_unread

if TYPE_CHECKING:
    from curation.traces.generators._kind import Generator


# the status of a trace, by why its reply ended
STATUS = (
    pl.when(pl.col("finish_reason") == "error").then(pl.lit("failed"))
    .when(pl.col("finish_reason") == "length").then(pl.lit("truncated"))
    .when(pl.col("finish_reason") == "unfinished").then(pl.lit("unfinished"))
    .when(pl.col("finish_reason").is_in(["refusal", "content_filter"])).then(pl.lit("refused"))
    .when(pl.col("completion").is_null()).then(pl.lit("no_text"))
    .otherwise(pl.lit("complete"))
)  # fmt: skip


def generate(
    name: str, settings: "Generator", prompts: pl.DataFrame, ledger: Ledger, responses: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The rows of `traces` that generator `name` wrote for the train prompts; `responses`, if the study has preference
    sets, are theirs."""
    train = prompts.filter(pl.col("split") == "train")
    listed = empty(RESPONSES) if responses is None else responses
    rows = kind("generators", settings.kind).traces(settings, name, train, listed, ledger)
    if "trace_id" not in rows.columns:
        rows = rows.with_columns(content_ids(rows.select("prompt_id", "generator", "sample_index")).alias("trace_id"))
    return add_text_columns(rows)


def add_text_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `traces`, from all columns but these: status, how the reply ended in our words; text_id, equal for traces
    whose reasoning and completion are the same but for Unicode's normal form, line ends and the blanks around them; the
    characters of either text and of both. Without reasoning no row has one, without left_out_characters nothing was
    left out, and without external_id no row has an id of the user's own.

    With them, later stages compare and measure texts without reading them.
    """
    optional = {"reasoning": pl.String, "left_out_characters": pl.Int32, "external_id": pl.String}
    rows = rows.with_columns(pl.lit(None, kind).alias(n) for n, kind in optional.items() if n not in rows.columns)
    reasoning, completion = (pl.col(name).str.len_chars() for name in ("reasoning", "completion"))
    return rows.with_columns(
        STATUS.alias("status"),
        trace_text_ids(rows["reasoning"], rows["completion"]).alias("text_id"),
        (reasoning.fill_null(0) + completion).cast(pl.Int32).alias("characters"),
        reasoning.cast(pl.Int32).alias("reasoning_characters"),
        completion.cast(pl.Int32).alias("completion_characters"),
    ).select(TRACES.schema.names)


def metrics(traces: pl.DataFrame) -> dict[str, float]:
    """The number of one generator's traces, of their prompts, of those truncated, failed, and without a completion for
    another reason, of those with reasoning and with a delimiter in their completion, and the mean length of a
    completion in characters."""
    failed = int((traces["finish_reason"] == "error").sum())
    return {
        "traces": traces.height,
        "prompts": traces["prompt_id"].n_unique(),
        "truncated": int((traces["finish_reason"] == "length").sum()),
        "failed": failed,
        "unanswered": int(traces["completion"].null_count()) - failed,
        "with_reasoning": int(traces["reasoning"].count()),
        "unread_delimiters": count_unread(traces),
        "mean_chars": mean(traces["completion"].str.len_chars()) or 0.0,
    }
