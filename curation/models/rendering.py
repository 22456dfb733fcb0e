"""What the student learns from: a prompt and one side of a pair as the student's chat template writes them, and the
very token ids that TRL makes of them.

TRL is handed texts, each as one message under the template VERBATIM: the student's template has been applied here, with
tools, settings and date, so that no key but role and content enters a dataset (Arrow would put every key of one message
on all of them, as null) and what is trained is what the table `renderings` counts.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.models import weights
from curation.models.chat_template import RenderingFault, clock, encode, find_unread, render
from curation.models.local import end_ids
from curation.models.student import Params as Student
from curation.tables.messages import for_model, full_messages, with_system

Way = Literal["reasoning_content", "thinking", "inline", "text", "drop"]
Messages = list[dict[str, Any]]

OPEN, CLOSE = "<think>", "</think>"
VERBATIM = "{{ messages[-1].content }}"


class Row(NamedTuple):
    """What is to be rendered: the prompt's whole messages and its tools (JSON text), and a trace for it. `ended` is
    false where the trace was cut at a limit."""

    messages: Messages
    tools: str | None
    reasoning: str | None
    completion: str | None
    ended: bool = True


def rows_of_side(rows: pl.DataFrame, side: str) -> list[Row]:
    """What is to be rendered of one side of rows of `subsets` or `unpaired`: `chosen`, `rejected` or `completion`."""
    prefix = "" if side == "completion" else f"{side}_"
    columns = ("prompt", "prompt_messages", "tools", side, f"{prefix}reasoning", f"{prefix}truncated")
    return [
        Row(full_messages(prompt, messages), tools, reasoning, said[0]["content"], not truncated)
        for prompt, messages, tools, said, reasoning, truncated in rows.select(columns).iter_rows()
    ]


class Rendered(NamedTuple):
    """The prompt with what opens an answer, and the whole of prompt and trace: as texts and as token ids."""

    prompt: str
    whole: str
    prompt_ids: list[int]
    ids: list[int]

    @property
    def start(self) -> int:
        """Where TRL begins the target: at the first token in which the whole differs from the prompt."""
        pairs = zip(self.prompt_ids, self.ids, strict=False)
        shared = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
        return min(len(self.prompt_ids), len(self.ids)) if shared is None else shared

    @property
    def prompt_is_prefix(self) -> bool:
        """Whether the target begins where the prompt ends."""
        return self.start == len(self.prompt_ids)


class Renderer:
    """Renders under the tokenizer and the settings of a student. `ends` are the ids that end an answer, beside the
    tokenizer's own."""

    def __init__(self, tokenizer: Any, student: Student, ends: frozenset[int] = frozenset()) -> None:
        self.tokenizer, self.student, self.ends = tokenizer, student, ends | {tokenizer.eos_token_id}
        text, day = student.template
        self.template, told = text or tokenizer.chat_template, student.template_kwargs or {}
        for name in find_unread(self.template, told):
            raise CurationError(
                f"student.template_kwargs.{name}: the chat template reads no such setting; leave it out"
            )
        self.settings = {**told, **({"chat_template": text} if text else {}), "strftime_now": clock(day)}

    def render(
        self, messages: Messages, tools: str | None, reasoning: str | None, completion: str | None, ended: bool = True
    ) -> Rendered:
        """One row, rendered. Raises RenderingFault where the template refuses it, or where `student.reasoning` is null
        and there is reasoning."""
        prompt, whole = self.texts(Row(messages, tools, reasoning, completion, ended))
        return Rendered(prompt, whole, *encode(self.tokenizer, [prompt, whole]))

    def render_all(self, rows: Sequence[Row]) -> list[Rendered | RenderingFault]:
        """Each row as `render` gives it, or the fault; a prompt that several rows share is tokenised once."""
        texts: list[tuple[str, str] | RenderingFault] = []
        for row in rows:
            try:
                texts.append(self.texts(row))
            except RenderingFault as fault:
                texts.append(fault)
        distinct = list(dict.fromkeys(text for both in texts if not isinstance(both, RenderingFault) for text in both))
        ids = dict(zip(distinct, encode(self.tokenizer, distinct), strict=True))
        return [
            both if isinstance(both, RenderingFault) else Rendered(*both, ids[both[0]], ids[both[1]]) for both in texts
        ]

    def texts(self, row: Row) -> tuple[str, str]:
        """The prompt with what opens an answer, and the whole. Raises as `render` does."""
        opening = as_told(with_system(for_model(row.messages), self.student.system), self.student.reasoning)
        tools = json.loads(row.tools) if row.tools else None
        prompt = render(self.tokenizer, opening, tools, **self.settings)
        self._require_whole(opening, tools, prompt)
        if self.student.reasoning == "text":
            return prompt, prompt + self._appended(prompt, row)
        said = [*opening, answer_message(self.student.reasoning, row.reasoning, row.completion)]
        return prompt, render(self.tokenizer, said, tools, generation_prompt=False, **self.settings)

    def _require_whole(self, messages: Messages, tools: Any, prompt: str) -> None:
        """Raises RenderingFault if something that a user or the system says is not in the prompt: a template for images
        may read no text, another no system message, or no tools."""
        for said in messages:
            if said["role"] in ("system", "user") and said["content"].strip() not in prompt:
                raise RenderingFault(f"the chat template leaves out what the {said['role']} says; name another one")
        if tools and [*find_unread(self.template, ["tools"])]:
            raise RenderingFault("the chat template leaves out the prompt's tools; name another one")

    def _appended(self, prompt: str, row: Row) -> str:
        """What follows the prompt where a trace is appended as text: reasoning between its delimiters, as far as the
        prompt has not opened them, the answer, and the end unless the trace was cut."""
        end = self.tokenizer.eos_token if row.ended else ""
        if end is None:
            raise RenderingFault("the tokenizer has no eos_token, which student.reasoning: text ends an answer with")
        tail = prompt.rstrip()
        if tail.endswith(CLOSE) and row.reasoning:
            raise RenderingFault(
                f"the chat template closes the reasoning ({CLOSE}) before the answer; let it think (template_kwargs)"
            )
        if tail.endswith(OPEN):
            return block(row.reasoning or "", row.completion).removeprefix(f"{OPEN}\n") + end
        if row.reasoning is None or tail.endswith(CLOSE):
            return (row.completion or "") + end
        return block(row.reasoning, row.completion) + end


def load(student: Student) -> Renderer:
    """The student's renderer; no weights are loaded. Raises as `weights.tokenizer` does."""
    return Renderer(weights.tokenizer(student.model, student.pinned), student, end_ids(student.model, student.pinned))


def as_told(messages: Messages, way: Way | None) -> Messages:
    """The messages as a template is handed them: what was thought in earlier turns goes the same `way` as in the
    last."""
    if way not in ("thinking", "inline", "drop"):
        return messages
    told = []
    for message in messages:
        thought = message.get("reasoning_content")
        rest = {name: value for name, value in message.items() if name != "reasoning_content"}
        told.append(rest if thought is None else rest | answer_message(way, thought, message["content"]))
    return told


def answer_message(way: Way | None, reasoning: str | None, completion: str | None) -> dict[str, Any]:
    """A trace as the message of an assistant, without a null key. Raises RenderingFault where there is reasoning and
    no `way` for it."""
    content = completion or ""
    if way is None and reasoning and reasoning.strip():
        raise RenderingFault(
            "there is reasoning, and student.reasoning is null; say how the student gets it: reasoning_content, "
            "thinking, inline, text or drop"
        )
    if reasoning is None or way in (None, "drop"):
        return {"role": "assistant", "content": content}
    if way == "inline":
        return {"role": "assistant", "content": block(reasoning, completion)}
    return {"role": "assistant", str(way): reasoning, "content": content}


def block(reasoning: str, completion: str | None) -> str:
    """Reasoning between its delimiters, then the answer; without one the block stays open."""
    return f"{OPEN}\n{reasoning}" + ("" if completion is None else f"\n{CLOSE}\n\n{completion}")


def trainer_messages(prompt: str, *wholes: str) -> tuple[Messages, ...]:
    """Rendered texts as TRL is to be handed them under VERBATIM: the prompt, and each side."""
    return [{"role": "user", "content": prompt}], *([{"role": "assistant", "content": whole}] for whole in wholes)


@contextmanager
def verbatim(renderer: Renderer) -> Iterator[None]:
    """Inside the block the tokenizer's template is VERBATIM; after it, the student's, so that this is what is saved."""
    renderer.tokenizer.chat_template = VERBATIM
    try:
        yield
    finally:
        renderer.tokenizer.chat_template = renderer.template
