"""The calls that ask a trained student for its answers, and what of its weights and template is in their keys."""

import json
from typing import TYPE_CHECKING

import polars as pl

from curation.calls.call import Call
from curation.calls.extra import TEMPLATE_FIELDS, TEMPLATE_KWARGS
from curation.core.canonical import canonical
from curation.models import weights
from curation.models.rendering import as_told
from curation.models.student import Params as Student
from curation.traces.sampling import GenerationSampling, make_calls

if TYPE_CHECKING:
    from curation.training.evaluate import Params


def make_student_calls(settings: "Params", student: Student, revision: str, held_out: pl.DataFrame) -> list[Call]:
    """The calls to weights of the student, which `revision` stands for, in the order of `divide`: it is asked as it was
    trained, with the same system message, template settings and form of what was thought in earlier turns. Its template
    and date are in the key."""
    identity = weights.identity(revision, getattr(settings.engine, "dtype", None))
    if student.chat_template or student.template_date:
        identity += f"+{canonical([student.chat_template_revision, student.template_date])}"
    whole = [
        None if messages is None else json.dumps(as_told(json.loads(messages), student.reasoning), ensure_ascii=False)
        for messages in held_out["messages"]
    ]
    prompts = held_out.with_columns(pl.Series("messages", whole, dtype=pl.String))
    return [
        call
        for sampling, rows in divide(settings, prompts)
        for call in make_calls(rows, student.model, identity, student.system, told(sampling, student))
    ]


def divide(settings: "Params", held_out: pl.DataFrame) -> list[tuple[GenerationSampling, pl.DataFrame]]:
    """The prompts of benchmarks by how they are sampled, in their order: those that are sampled as all are, and then
    each benchmark that is not. No part is empty, but the only one."""
    own = sorted(settings.benchmarks or {})
    parts = [(settings.sampling, held_out.filter(~pl.col("source").is_in(own)))]
    parts += [(settings.sampling_of(name), held_out.filter(source=name)) for name in own]
    return [part for part in parts if not part[1].is_empty()] or parts[:1]


def told(sampling: GenerationSampling, student: Student) -> GenerationSampling:
    """The sampling with what the student's template is told."""
    if student.template_kwargs is None:
        return sampling
    # servers read the effort as a field of its own, too
    own = {name: value for name, value in student.template_kwargs.items() if name in TEMPLATE_FIELDS}
    extra = (sampling.extra or {}) | own | {TEMPLATE_KWARGS: student.template_kwargs}
    return sampling.model_copy(update={"extra": extra})


def revision_of(settings: "Params", student: Student, trained: str, adapter: bool) -> str:
    """What stands for trained weights, of which `trained` is the hash, in the keys of calls: whether they are an
    `adapter` that the engine does not merge, too, since such weights answer otherwise."""
    dtype = getattr(settings.engine, "dtype", None)  # a server's own affair, which has adapters apart
    apart = adapter and dtype is not None and not weights.merges(dtype)
    return f"{student.pinned}+{trained}{'+unmerged' if apart else ''}"
