"""The rows of a preference set as frames, block by block."""

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.text import one_line, say_count
from curation.prompts.layouts._kind import LeftOut
from curation.prompts.preferences.findings import Findings
from curation.prompts.preferences.row import Faults, Row, read_row

if TYPE_CHECKING:
    from curation.prompts.sources.pairs import Params
    from curation.tables.user_blocks import Block
    from curation.tables.user_table import UserTable

SILENT = ("response that says nothing", "responses that say nothing")
OF_SILENT = ("comparison with a response that says nothing", "comparisons with a response that says nothing")
ROWS = {
    "row": pl.Int64, "said": pl.String, "turns": pl.String, "tools": pl.String, "answer": pl.List(pl.String),
    "task": pl.String, "external_id": pl.String, "row_id": pl.String, "carried": pl.String,
}  # fmt: skip
RESPONSES = {
    "row": pl.Int64, "slot": pl.Int32, "generator": pl.String, "reasoning": pl.String, "completion": pl.String,
    "finish_reason": pl.String, "left_out_characters": pl.Int32,
}  # fmt: skip
RATINGS = {"row": pl.Int64, "slot": pl.Int32, "dimension": pl.String, "score": pl.Float64, "rationale": pl.String}
COMPARISONS = {"row": pl.Int64, "better": pl.Int32, "worse": pl.Int32, "verdict": pl.String, "first": pl.Int32}
SCHEMAS: tuple[Mapping[str, Any], ...] = (ROWS, RESPONSES, RATINGS, COMPARISONS)


class Frames(NamedTuple):
    """What a file holds. `rows`: number, identity and messages of the prompt, what else is told of it, and the row's
    own id and columns. `responses` have a `slot` within their row, by which ratings and comparisons name them."""

    rows: pl.DataFrame
    responses: pl.DataFrame
    ratings: pl.DataFrame
    comparisons: pl.DataFrame


def read_frames(settings: "Params", table: "UserTable", say: bool = True) -> Frames:
    """What the table holds. What is left out is said on stderr, if it is to be.

    Raises Errors naming each place whose values are not what they should be, and CurationError where no row is left.
    """
    findings = Findings(settings, table)
    with _without_collector():
        blocks = [_read_block(settings, block, findings) for block in table.blocks(settings.places)]
    findings.refuse_faults()
    for line in findings.describe() if say else ():
        print(one_line(f"{table.name}: {line}"), file=sys.stderr)
    if not any(block.rows.height for block in blocks):
        reasons = ", ".join(say_count(count, *reason) for reason, (count, _) in findings.left_out.items())
        raise CurationError(f"{table.name}: no row is left: {reasons or 'it has none'}; look at layout and columns")
    return Frames(*(pl.concat(frames) for frames in zip(*blocks, strict=True)))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Within, Python does not look for cycles: rows have none, and to look through millions of them takes a tenth of
    the time of reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _read_block(settings: "Params", block: "Block", findings: Findings) -> Frames:
    values = {place: block.values(place) for place in settings.places}
    findings.look_for_fields(values.get("layout.each", ()))
    parts: tuple[list[Any], ...] = ([], [], [], [])
    for at, number in enumerate(map(int, block.rows)):
        try:
            row = read_row(settings, {place: listed[at] for place, listed in values.items()})
        except LeftOut as reason:
            findings.leave_out(number, (f"row: {reason}", f"rows: {reason}"))
        except Faults as error:
            findings.fault(number, error.faults)
        else:
            _add(number, row, parts, findings)
    return Frames(
        *(pl.DataFrame(rows, schema=schema, orient="row") for rows, schema in zip(parts, SCHEMAS, strict=True))
    )


def _add(number: int, row: Row, parts: tuple[list[Any], ...], findings: Findings) -> None:
    rows, responses, ratings, comparisons = parts
    speaking = {slot for slot, response in enumerate(row.responses) if response.texts is not None}
    compared = [one for one in row.comparisons if {one.better, one.worse} <= speaking]
    findings.leave_out(number, SILENT, len(row.responses) - len(speaking))
    findings.leave_out(number, OF_SILENT, len(row.comparisons) - len(compared))
    if not speaking:
        return
    told, prompt = row.told, row.prompt
    rows.append((number, prompt.said, prompt.turns, prompt.tools, told["answer"], told["task"], told["prompt_id"],
                 told["row_id"], row.carried))  # fmt: skip
    comparisons += [(number, *one) for one in compared]
    for slot, response in enumerate(row.responses):
        if response.texts is None:
            continue
        texts = response.texts
        responses.append((number, slot, response.generator, texts.reasoning, texts.completion, texts.finish_reason,
                          texts.left_out))  # fmt: skip
        for name, rating in response.ratings.items():
            ratings.append((number, slot, name, rating.score, rating.rationale))
            if rating.given is not None:
                findings.no_number(number, name, rating.given)
