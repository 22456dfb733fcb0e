"""What a chat template does to rows that are exported: found by rendering them, as the student's own training does."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl

from curation.exchange.exported import SIDES, Source
from curation.models.chat_template import RenderingFault, render
from curation.models.rendering import OPEN, Rendered, Renderer, Row, rows_of_side
from curation.models.targets import Facts, facts, why_dropped


class Found(NamedTuple):
    """A trap by its name: what happens to such rows, and the way out."""

    happens: str
    way_out: str


TRAPS = {
    "refused": Found(
        "the chat template refuses the row, and the trainer stops at it",
        "name another template (student.chat_template), or leave such prompts out",
    ),
    "reasoning_deleted": Found(
        "the chat template deletes the reasoning, and a pair teaches that none is better",
        "--reasoning reasoning_content if the template reads that key, or a template that keeps it",
    ),
    "answer_not_found": Found(
        "the rendered text does not have the answer as it is; a trainer that looks for it takes something else",
        "name another template",
    ),
    "opens_reasoning": Found(
        "the template's prompt ends in <think>, and the answer that follows has no reasoning",
        "template_kwargs: {enable_thinking: false}, or pairs whose sides both think",
    ),
    "empty_block": Found(
        "the template writes an empty block of reasoning, and the student learns to write one",
        "template_kwargs: {enable_thinking: false}, if the student is asked that way",
    ),
    "prompt_changed": Found(
        "the prompt as the student is asked is not what prompt and answer begin with: a part of it is learnt, or lost",
        "name another template",
    ),
    "default_system": Found(
        "the template puts in a system message of its own, which some trainers leave out",
        "student.system, so that all say the same",
    ),
    "no_room": Found(
        "the prompt fills max_length; the trainer drops the row, or learns nothing", "a larger max_length"
    ),
    "identical": Found(
        "both sides are the same once rendered, and nothing is learnt",
        "leave such pairs out of the selection, or keep the reasoning",
    ),
    "identical_once_cut": Found(
        "both sides are the same once they are cut at max_length, and nothing is learnt",
        "a larger max_length, or shorter pairs",
    ),
    "cut": Found("an answer is cut at max_length, and its end is not learnt", "a larger max_length, or shorter pairs"),
}


class Template(NamedTuple):
    """Renders as the student does, and the length that its method cuts at, if there is one."""

    renderer: Renderer
    max_length: int | None

    def traps(self, source: Source, rows: pl.DataFrame) -> Iterator[list[str]]:
        """The names of the traps of each of the rows, those of TRAPS."""
        sides = [rows_of_side(rows, side) for side in SIDES[source.method]]
        default = default_system(self.renderer)
        rendered = [self.renderer.render_all(of_side) for of_side in sides]
        for told, made in zip(zip(*sides, strict=True), zip(*rendered, strict=True), strict=True):
            if any(isinstance(one, RenderingFault) for one in made):
                yield ["refused"]
                continue
            names = list(self._of_row(told, made))
            asked = told[0].messages
            if default and not self.renderer.student.system and all(one["role"] != "system" for one in asked):
                names.append("default_system")
            yield names

    def _of_row(self, told: Sequence[Row], made: Sequence[Rendered]) -> Iterator[str]:
        found = [facts(self.renderer, row, whole) for row, whole in zip(told, made, strict=True)]
        yield from _of_facts(found, self.renderer.student.reasoning == "drop")
        opened = made[0].prompt.rstrip().endswith(OPEN)
        if opened and any(row.reasoning is None for row in told):
            yield "opens_reasoning"
        if self.max_length is None:
            longest = max(len(whole.ids) for whole in made)
            if why := why_dropped(made, longest + 1):
                yield why
        elif why := why_dropped(made, self.max_length):
            yield why
        elif any(len(whole.ids) > self.max_length for whole in made):
            yield "cut"


def _of_facts(found: Iterable[Facts], dropped: bool) -> Iterator[str]:
    found = list(found)
    if not dropped and any(one.reasoning_kept is False for one in found):
        yield "reasoning_deleted"
    if any(one.completion_kept is False for one in found):
        yield "answer_not_found"
    if any(one.empty_block for one in found):
        yield "empty_block"
    if not all(one.prompt_is_prefix for one in found):
        yield "prompt_changed"


def default_system(renderer: Renderer) -> str | None:
    """The system message that the template writes where there is none; None where it writes none."""

    def before(*messages: dict[str, Any]) -> str:
        asked = [*messages, {"role": "user", "content": "[[asked]]"}]
        return render(renderer.tokenizer, asked, None, **renderer.settings).partition("[[asked]]")[0]

    try:
        own, told = before(), before({"role": "system", "content": "[[told]]"})
    except RenderingFault:
        return None
    opening, found, closing = told.partition("[[told]]")
    if not found or not (own.startswith(opening) and own.endswith(closing)):
        return None
    return own[len(opening) : len(own) - len(closing)].strip() or None
