"""What each method makes of an arm's rows: how long each side is, what `max_length` leaves of it, and which rows teach
nothing; as training finds it, without training."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import polars as pl

from curation.core.progress import progress
from curation.core.study import Study
from curation.models.chat_template import RenderingFault
from curation.models.local import context_length
from curation.models.rendering import Renderer
from curation.models.student import Params as Student
from curation.models.targets import facts, ids_hash
from curation.selection.subset import Texts
from curation.tables import parquet
from curation.tables.contracts import EXAMPLES, SIDES, SUBSETS, UNPAIRED, arm_path, empty
from curation.tables.update_rows import UPDATE_ROWS, update_rows_path
from curation.traces.renderings import READ, READ_OF_PROMPTS, TRACES_PER_BATCH, joined, render_traces, to_render
from curation.training.soft_labels import Loss, why_unusable

PAIR = ("pair_id", "chosen_trace_id", "rejected_trace_id", "p_chosen")  # what of a pair decides what is read
ROW, CUT = ("arm", "method", "row_id"), ("trace_id", "max_length")


class ArmRows(NamedTuple):
    """The rows that an arm's runs learn from: of `subsets` and of `unpaired`, or as many of their columns as name
    traces and labels."""

    paired: pl.DataFrame
    unpaired: pl.DataFrame


class Method(NamedTuple):
    """What of a method decides what it reads."""

    kind: str
    max_length: int
    soft: Loss | None = None  # the loss of one that learns from soft labels


class Rendered(NamedTuple):
    """What is known of traces and how to know more: rows of `renderings`, which may be null or lack some; where texts
    come from; and who renders them, asked only where something is to be rendered."""

    rows: pl.DataFrame
    texts: Texts
    renderer: Callable[[], Renderer]


def methods_of(study: Study) -> dict[str, dict[str, Method]]:
    """By arm of the grid, the methods that it is trained by."""
    methods: dict[str, dict[str, Method]] = {}
    for name, arm in dict.fromkeys((run.method, run.arm) for run in study.runs.values()):
        settings = study.methods[name]
        soft = getattr(settings, "loss", None) if settings.kind == "soft_dpo" else None
        methods.setdefault(arm.name, {})[name] = Method(settings.kind, settings.max_length, soft)
    return methods


def read_arms(arms: Iterable[str]) -> dict[str, ArmRows]:
    """The rows of each arm, as `examples` takes them, from the tables on disk."""
    return {
        name: ArmRows(
            parquet.read(SUBSETS, arm_path("subsets", name), PAIR),
            parquet.read(UNPAIRED, arm_path("unpaired", name), ("trace_id", "label")),
        )
        for name in arms
    }


def read_update_rows() -> dict[str, ArmRows]:
    """By arm, the rows by whose number it takes its updates, of those that take another's."""
    rows = parquet.read(UPDATE_ROWS, update_rows_path())
    paired, unpaired = pl.col("reads") == "subsets", pl.col("reads") == "unpaired"
    label = pl.col("chosen_trace_id").is_not_null()
    return {
        arm: ArmRows(
            of_arm.filter(paired).select(pl.col("row_id").alias("pair_id"), *PAIR[1:]),
            of_arm.filter(unpaired).select(pl.col("row_id").alias("trace_id"), label.alias("label")),
        )
        for (arm,), of_arm in rows.group_by("arm")
    }  # fmt: skip


def examples(
    arms: Mapping[str, ArmRows],
    methods: Mapping[str, Mapping[str, Method]],
    rendered: Rendered,
    student: Student,
) -> pl.DataFrame:
    """The rows of `examples`, by arm, method and row, of those of `methods` that are among `arms`. A trace
    is rendered once, and only where `renderings` does not say all: what a cut leaves, and whether two sides are the
    same once cut, takes the tokens themselves."""
    read = [*ROW, "side", *CUT, "unusable"]
    sides = pl.concat([
        empty(EXAMPLES).rename({"dropped": "unusable"}).select(read),
        *(
            _sides(arms[arm], method).with_columns(arm=pl.lit(arm), method=pl.lit(name)).select(read)
            for arm, used in methods.items() if arm in arms for name, method in used.items()
        ),
    ])  # fmt: skip
    known = _known(rendered, sides["trace_id"].unique().sort())
    sides = sides.join(known, on="trace_id", how="left", maintain_order="left")
    reaching = sides.filter(pl.col("whole") >= pl.col("max_length")).select(CUT).unique()
    sides = sides.join(_cuts(rendered, reaching), on=CUT, how="left", maintain_order="left")
    context = context_length(student.model, student.revision)
    return _judge(sides, student.reasoning == "drop").with_columns(
        context=pl.lit(context, pl.Int32)
    ).select(EXAMPLES.schema.names).sort(*ROW, "side")  # fmt: skip


def _sides(rows: ArmRows, method: Method) -> pl.DataFrame:
    """row_id, side and trace_id of what a method learns from, its max_length, and why it has no use for a soft label:
    KTO takes single traces by their label, SFT each chosen trace once."""
    unusable = pl.lit(None, pl.String) if method.soft is None else why_unusable(method.soft)
    chosen, rejected = (
        rows.paired.select(row_id="pair_id", side=pl.lit(side), trace_id=f"{side}_trace_id", unusable=unusable)
        for side in SIDES
    )
    if method.kind == "kto":
        side = pl.when("label").then(pl.lit("chosen")).otherwise(pl.lit("rejected"))
        sides = rows.unpaired.select(row_id="trace_id", side=side, trace_id="trace_id", unusable=unusable)
    elif method.kind == "sft":
        sides = chosen.unique("trace_id", keep="first", maintain_order=True).with_columns(row_id="trace_id")
    else:
        sides = pl.concat([chosen, rejected])
    return sides.with_columns(max_length=pl.lit(method.max_length, pl.Int32))


def _known(rendered: Rendered, ids: pl.Series) -> pl.DataFrame:
    """The rows of `renderings` of these traces with `whole`, the tokens of prompt and target, and whether the trace was
    truncated; rendered now where the table says nothing of them."""
    rows = rendered.rows.filter(pl.col("trace_id").is_in(ids.implode()))
    rows = rows.filter(pl.col("target_tokens").is_not_null() | pl.col("fault").is_not_null())
    unknown = ids.filter(~ids.is_in(rows["trace_id"].implode()))
    if not unknown.is_empty():
        traces, prompts = _texts(rendered, unknown)
        rows = pl.concat([rows, render_traces(rendered.renderer(), traces, prompts)])
    ended = rendered.texts.traces(ids, ["trace_id", "status"])
    return rows.join(ended, on="trace_id", how="left").with_columns(
        whole=pl.col("prompt_tokens") + pl.col("target_tokens"), truncated=pl.col("status") == "truncated"
    )


def _texts(rendered: Rendered, ids: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    traces = rendered.texts.traces(ids, list(READ)).filter(pl.col("trace_id").is_in(ids.implode()))
    return traces, rendered.texts.prompts(traces["prompt_id"].unique(), list(READ_OF_PROMPTS))


def _cuts(rendered: Rendered, reaching: pl.DataFrame) -> pl.DataFrame:
    """Of each trace that reaches a max_length, what is left of it: both texts or not, and an id that is equal where the
    tokens that are left are."""
    schema = {
        "trace_id": pl.Int64, "max_length": pl.Int32, "reasoning_left": pl.Boolean, "completion_left": pl.Boolean,
        "left_id": pl.Int64,
    }  # fmt: skip
    rows: list[tuple[object, ...]] = []
    if not reaching.is_empty():
        lengths = dict(reaching.group_by("trace_id").agg("max_length").iter_rows())
        traces, prompts = _texts(rendered, reaching["trace_id"].unique().sort())
        renderer = rendered.renderer()
        with progress("cuts", traces.height, "traces") as shown:
            for batch in joined(traces, prompts).iter_slices(TRACES_PER_BATCH):
                rows += _cuts_of(renderer, batch, lengths)
                shown.advance(batch.height)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _cuts_of(
    renderer: Renderer, batch: pl.DataFrame, lengths: Mapping[int, Iterable[int]]
) -> Iterable[tuple[object, ...]]:
    texts = to_render(batch)
    for trace_id, row, whole in zip(batch["trace_id"], texts, renderer.render_all(texts), strict=True):
        assert not isinstance(whole, RenderingFault), "it was rendered before"
        for length in lengths[trace_id]:
            left = facts(renderer, row, whole, length)
            yield trace_id, length, left.reasoning_kept, left.completion_kept, ids_hash(whole.ids[:length])


def _judge(sides: pl.DataFrame, is_dropped: bool) -> pl.DataFrame:
    """The sides with what is left of each, and why a row teaches nothing, as `targets.why_dropped` says it."""
    cut = pl.col("whole") > pl.col("max_length")
    lost = pl.lit("dropped" if is_dropped else "lost")
    states = {
        name: pl.when(pl.col(f"{name}_kept").is_null()).then(None)
        .when(~pl.col(f"{name}_kept")).then(lost if name == "reasoning" else pl.lit("lost"))
        .when(cut & ~pl.col(f"{name}_left")).then(pl.lit("cut"))
        .otherwise(pl.lit("kept"))
        for name in ("reasoning", "completion")
    }  # fmt: skip
    first = pl.col("prompt_tokens").min().over(ROW)
    left_id = pl.coalesce("left_id", "rendered_id")
    dropped = (
        pl.when(pl.col("fault").is_not_null().any().over(ROW)).then(pl.lit("fault"))
        .when(pl.col("unusable").is_not_null()).then("unusable")
        .when(first >= pl.col("max_length")).then(pl.lit("no_room"))
        .when(pl.col("rendered_id").n_unique().over(ROW) < pl.len().over(ROW)).then(pl.lit("identical"))
        .when(left_id.n_unique().over(ROW) < pl.len().over(ROW)).then(pl.lit("identical_once_cut"))
    )  # fmt: skip
    return sides.with_columns(
        **states, dropped=dropped, cut=cut, prompt_tokens=first, target_tokens=pl.col("whole") - first,
        ends_in_eos=pl.col("ends_in_eos") & ~cut,
    )  # fmt: skip
