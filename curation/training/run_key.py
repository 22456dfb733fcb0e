"""What a run is made of, and the key that stands for it: two trainings of one key give the same weights, as far as
their machine lets them."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from curation.core.canonical import canonical
from curation.core.kinds import kind
from curation.models.student import Params as Student
from curation.training.run_record import key_of

if TYPE_CHECKING:
    from curation.training.trainers._kind import Method

PACKAGES = ("torch", "transformers", "trl", "peft")


class Machine(NamedTuple):
    """What of the machine decides the weights to the last bit: the kind of device (cpu, cuda, …), the threads
    of a CPU (null elsewhere), the examples read at once, the processes that train one run, and what their config says
    of the arithmetic (null: nothing)."""

    device: str
    threads: int | None
    micro_batch: int
    world: int = 1
    config: dict[str, Any] | None = None


def run_key(rows: str, settings: "Method", seed: int, student: Student, machine: Machine) -> tuple[str, dict[str, Any]]:
    """The key of a run, and what it is made of, which can be read: `rows` is their digest, and `settings` are the
    method's with `max_steps` as it will be."""
    on = machine._asdict()
    if on["config"] is None:  # which runs that were trained before it was there do not name
        del on["config"]
    made_of = {
        "rows": rows,
        "method": settings.model_dump(mode="json"),
        "version": kind("methods", settings.kind).VERSION,
        "seed": seed,
        "student": student_identity(student),
        "machine": on,
        "packages": {name: _version(name) for name in PACKAGES},
    }
    return key_of(made_of), made_of


def digest_rows(rows: pl.DataFrame) -> str:
    """`sha256:…` of the rows as they are, in their order, with the names of their columns: a method is handed the
    columns that it reads, and no others."""
    digest = hashlib.sha256(canonical(rows.columns).encode())
    for row in rows.iter_rows():
        digest.update(f"\n{canonical(row)}".encode())
    return f"sha256:{digest.hexdigest()}"


def student_identity(student: Student) -> dict[str, Any]:
    """What of the student decides what is learnt. Local weights are their hash, wherever they lie."""
    local = student.pinned.startswith("sha256:")
    return {
        "model": None if local else student.model,
        "revision": student.pinned,
        "dtype": student.dtype,
        "reasoning": student.reasoning,
        "chat_template": student.chat_template_revision,
        "system": student.system,
        "template_kwargs": student.template_kwargs,
        "template_date": student.template_date,
    }


@cache  # it is read from a file
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # what trains all weights does without peft
        return None
