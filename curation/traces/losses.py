"""What of each generator's traces the student would not learn from, and which setting mends it; said before a judge is
paid."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import polars as pl

from curation.core.errors import CurationError
from curation.core.study import Study
from curation.core.text import one_line
from curation.models import rendering
from curation.models.chat_template import RenderingFault
from curation.models.rendering import Renderer, Row, Way
from curation.models.targets import Facts, facts
from curation.tables.messages import full_messages
from curation.traces.delimiters import UNREAD, find_misread_opening, rule_for
from curation.traces.renderings import READ, READ_OF_PROMPTS, joined, render_traces, to_render, unrendered

WAYS: tuple[Way, ...] = tuple(way for way in get_args(Way) if way != "drop")  # in which reasoning reaches a student
NATIVE = ("reasoning_content", "thinking")  # keys of a message, which a template writes where it wants them
COUNTED = (
    "with_reasoning", "reasoning_lost", "answers_lost", "faults", "no_eos", "not_prefix", "empty_blocks",
    "prompt_left_out", "earlier_reasoning",
)  # fmt: skip
LOOKED_AT = 200  # traces of a generator, before all of them are rendered
EARLIER = "reasoning"  # in prompt_left_out: of earlier turns, which most templates leave out by intent
TRIED = 8  # traces that a setting is tried on
AS_TEXT = "student.reasoning: text leaves the prompt as it is"
JOINED = "a token joins the end of the prompt and the answer; let the template end in a line break or special token"
SHOWN = 150  # characters of what a template says


class Losses(NamedTuple):
    """`table`: a row a generator, counts of its traces with a completion. `warnings` are sentences; `stops` those of
    generators all of whose reasoning would be lost."""

    table: pl.DataFrame
    warnings: list[str]
    stops: list[str]

    def totals(self) -> dict[str, int]:
        """Each count over all generators."""
        return {name: int(self.table[name].sum()) for name in COUNTED}

    def report(self, stops: bool = False) -> str:
        """The table and the warnings, as lines, and with `stops` what would stop the study too; '' where there is
        neither."""
        if not self.warnings and not self.stops:
            return ""
        lines = [f"warning: {line}" for line in [*self.warnings, *(self.stops if stops else [])]]
        if self.table.is_empty():
            return "\n".join(lines) + "\n"
        with pl.Config(
            tbl_formatting="UTF8_FULL_CONDENSED", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True,
            tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200,
        ):  # fmt: skip
            return "\n".join([str(self.table.drop("fault", "left_out")), *lines]) + "\n"


def find_losses(renderer: Renderer, traces: pl.DataFrame, prompts: pl.DataFrame, rendered: pl.DataFrame) -> Losses:
    """What the rows of `renderings` say of each generator, in the order of its first trace. `traces` and `prompts` have
    the columns that `renderings` reads."""
    table, warnings, stops = count_losses(traces, rendered), list[str](), list[str]()
    for row in table.iter_rows(named=True):
        own = traces.filter(pl.col("generator") == row["generator"])
        if row["reasoning_lost"] and renderer.student.reasoning != "drop":
            lost = f"generator {row['generator']}: {_lost_reasoning(renderer, row, own, prompts)}"
            (stops if row["reasoning_lost"] == row["with_reasoning"] else warnings).append(lost)
        if said := row["answers_lost"] - row["faults"]:
            delimiter = next(iter(own.select(UNREAD).to_series().drop_nulls()), None)
            lost = f"generator {row['generator']}: {_lost_answers(row, said, delimiter)}"
            (stops if delimiter and said == row["traces"] else warnings).append(lost)
        warnings += [f"generator {row['generator']}: {line}" for line in _other_losses(renderer, row)]
    return Losses(table, warnings, stops)


def find_misread_answers(study: Study, renderer: Renderer, prompts: pl.DataFrame) -> list[str]:
    """What to say before the student is asked, of how its answers will be read: nothing, unless the prompts open a
    block of reasoning and `evaluate.reasoning` does not know it, or they do not and it says so. Looked at is the first
    of `prompts`, which have the columns READ_OF_PROMPTS, that can be rendered."""
    if not study.benchmarks:
        return []
    for prompt, messages, tools in prompts.head(TRIED).select(READ_OF_PROMPTS[1:]).iter_rows():
        try:
            asked, _ = renderer.texts(Row(full_messages(prompt, messages), tools, None, ""))
        except RenderingFault:
            continue
        line = find_misread_opening("evaluate.reasoning", study.evaluate.reasoning, asked)
        return [] if line is None else [f"the student: {line}"]
    return []


def look_at_traces(study: Study, traces: pl.DataFrame, prompts: pl.DataFrame) -> Losses:
    """What `find_losses` finds in the first LOOKED_AT traces of each generator, at once and whatever is asked next.
    Nothing where the study renders no traces or none of these reasons; where the tokenizer cannot be loaded, that."""
    answered = traces.select(READ).filter(pl.col("completion").is_not_null())
    few = answered.group_by("generator", maintain_order=True).head(LOOKED_AT).select(READ)
    nothing = Losses(count_losses(few.clear(), unrendered(few.clear())), [], [])
    reasons = (few["reasoning"].fill_null("").str.strip_chars() != "") | few.select(UNREAD).to_series().is_not_null()
    if not study.renderings.count or not reasons.any():
        return nothing
    try:
        renderer = rendering.load(study.student)
    except CurationError as error:
        return nothing._replace(warnings=[f"what the student would learn is not looked at: {error}"])
    asked = prompts.select(READ_OF_PROMPTS)
    return find_losses(renderer, few, asked, render_traces(renderer, few, asked))


def count_losses(traces: pl.DataFrame, rendered: pl.DataFrame) -> pl.DataFrame:
    """Counts by generator of the traces that have a completion: with_reasoning, and of those reasoning_lost;
    answers_lost; faults, the first of which is `fault`; no_eos of those that ended; not_prefix, and empty_blocks of
    those without reasoning. A trace that was not rendered lost both texts."""
    thought, said = ((pl.col(name).str.strip_chars() != "").fill_null(False) for name in ("reasoning", "completion"))
    rows = traces.filter(pl.col("completion").is_not_null()).join(rendered, on="trace_id", how="left")
    is_rendered = pl.col("fault").is_null()
    counts = {
        "with_reasoning": thought,
        "reasoning_lost": thought & ~pl.col("reasoning_kept").fill_null(False),
        "answers_lost": said & ~pl.col("completion_kept").fill_null(False),
        "faults": ~is_rendered,
        "no_eos": is_rendered & (pl.col("status") != "truncated") & ~pl.col("ends_in_eos"),
        "not_prefix": is_rendered & ~pl.col("prompt_is_prefix"),
        "empty_blocks": is_rendered & pl.col("empty_block"),
        "prompt_left_out": pl.col("prompt_left_out").fill_null(EARLIER) != EARLIER,
        "earlier_reasoning": pl.col("prompt_left_out").str.contains(EARLIER).fill_null(False),
    }
    sums = [rule.sum().alias(name) for name, rule in counts.items()]
    return rows.group_by("generator", maintain_order=True).agg(
        pl.len().alias("traces"),
        *sums,
        pl.col("fault").drop_nulls().first(),
        pl.col("prompt_left_out").drop_nulls().first().alias("left_out"),
    )


def _lost_reasoning(renderer: Renderer, row: dict[str, Any], own: pl.DataFrame, prompts: pl.DataFrame) -> str:
    lost, of, way = row["reasoning_lost"], row["with_reasoning"], renderer.student.reasoning
    if way is not None and row["faults"] >= lost:
        return f"{lost} of {of} traces with reasoning cannot be rendered: {one_line(row['fault'])[:SHOWN]}"
    keeping = find_keeping_ways(renderer, own, prompts)
    if keeping:
        out = f"under this chat template {' and '.join(keeping)} would keep it: set student.reasoning: {keeping[0]}"
    else:
        out = "no setting of student.reasoning keeps it under this chat template: name another, student.chat_template"
    said = f"{of} of {row['traces']} traces have reasoning" if way is None else f"{lost} of {of} traces lose reasoning"
    return f"{said} with student.reasoning: {way or 'null'}; {out}, or drop, to learn from the answers alone"


def find_keeping_ways(renderer: Renderer, traces: pl.DataFrame, prompts: pl.DataFrame) -> list[Way]:
    """The settings of `student.reasoning` under which the first traces with reasoning and an answer keep both, tried on
    them: those that the template itself provides for, else the others. A trace that cannot be rendered under any, as
    with tools that the template has no place for, speaks against none; those with tools are tried last."""
    both = pl.all_horizontal(pl.col(name).str.strip_chars() != "" for name in ("reasoning", "completion"))
    with_both = joined(traces.filter(both), prompts).sort(pl.col("tools").is_not_null(), maintain_order=True)
    rows = to_render(with_both.head(TRIED))
    kept = {way: list(_kept(renderer, way, rows)) for way in WAYS}
    rendered = [at for at in range(len(rows)) if any(kept[way][at] is not None for way in WAYS)]
    keeping = [way for way in WAYS if rendered and all(kept[way][at] for at in rendered)]
    return [way for way in keeping if way in NATIVE] or keeping


def _kept(renderer: Renderer, way: Way, rows: list[Row]) -> Iterator[bool | None]:
    """Whether each row keeps both texts; None where it cannot be rendered."""
    other = Renderer(renderer.tokenizer, renderer.student.model_copy(update={"reasoning": way}), renderer.ends)
    for row, whole in zip(rows, other.render_all(rows), strict=True):
        found: Facts | None = None if isinstance(whole, RenderingFault) else facts(other, row, whole)
        yield found and bool(found.reasoning_kept) and bool(found.completion_kept)


def _lost_answers(row: dict[str, Any], lost: int, delimiter: str | None) -> str:
    """Reasoning that no rule took out of the completion is lost with a part of it."""
    of_what = f"{lost} of {row['traces']} traces lose a part of their answer under this chat template"
    if delimiter is None:
        return f"{of_what}; name another, student.chat_template"
    return (
        f"{of_what}: reasoning that stands in it as text, after {delimiter!r} or the like; "
        f"set the generator's reasoning: {rule_for(delimiter)}"
    )


def _other_losses(renderer: Renderer, row: dict[str, Any]) -> Iterator[str]:
    of = f"of {row['traces']} traces"
    way, lost = renderer.student.reasoning, row["reasoning_lost"]
    if row["faults"] > lost or (row["faults"] and (way == "drop" or (way and row["faults"] < lost))):  # else said
        yield f"{row['faults']} {of} cannot be rendered: {one_line(row['fault'])[:SHOWN]}"
    if row["no_eos"]:
        yield (
            f"{row['no_eos']} {of} do not end in {renderer.tokenizer.eos_token!r}, so the student would not learn to "
            "end an answer; name a student.chat_template that ends in it, or set student.reasoning: text, which adds it"
        )
    if row["not_prefix"]:
        out = JOINED if renderer.student.reasoning == "text" else AS_TEXT
        yield (
            f"in {row['not_prefix']} {of} the prompt as the student is asked is no beginning of prompt and answer: it "
            f"would learn in another context than it answers in; {out}"
        )
    if row["prompt_left_out"]:
        yield (
            f"of the prompts of {row['prompt_left_out']} {of} the chat template leaves out what the generator was "
            f"told, as {row['left_out']}; name another, student.chat_template"
        )
    if row["earlier_reasoning"]:
        yield f"{row['earlier_reasoning']} {of} have reasoning in earlier turns, which the chat template leaves out"
    if row["empty_blocks"]:
        yield f"{row['empty_blocks']} {of} have no reasoning and get an empty block of it; nothing is lost"
