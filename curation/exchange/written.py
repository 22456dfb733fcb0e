"""One arm or selection in a format: its rows, and what of them its trainer would drop or mangle."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from curation.core.errors import CurationError, refused_writes
from curation.core.messages import first_names
from curation.core.text import say_count
from curation.exchange.exported import Source, batches, examples
from curation.exchange.formats._kind import Config, Example, Format, Row
from curation.exchange.parquet_rows import ParquetRows
from curation.exchange.templates import TRAPS, Found, Template
from curation.models.chat_template import RenderingFault
from curation.models.rendering import Way
from curation.models.student import Params as Student

MOST_NAMED = 3  # rows in a message
CHAT_TEMPLATE = "chat_template.jinja"  # the file, where params.yaml names one
JSON = json.JSONEncoder(ensure_ascii=False).encode


class Order(NamedTuple):
    """What is exported, and as what. `way` is that of reasoning. `template` renders the rows to find what a chat
    template does to them; null where nobody named a tokenizer."""

    sources: Sequence[Source]
    name: str
    format: Format
    way: Way | None
    student: Student
    max_length: int | None
    template: Template | None


@dataclass
class Made:
    """One source as it was written: counts, the ids of rows left out and of those that fell into traps, by the trap's
    name, and the names of its files."""

    source: Source
    rows_in: int = 0
    rows_out: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    found: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    labels: set[bool | None] = field(default_factory=set)
    thinks: bool = False
    has_tools: bool = False
    p_chosen: list[float] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it is called in a message."""
        return f"{self.source.name} ({self.source.method})"

    def take(self, example: Example, order: Order, names: list[str]) -> Row | None:
        """The row as the trainer reads it, null where it is left out; counted, with its traps and those of `names`."""
        traps = [trap for trap in order.format.traps if trap.finds(example)]
        out = next((trap.name for trap in traps if trap.left_out), None)
        row_id = example.beside[self.source.key]
        self.rows_in += 1
        if out is not None:
            self.left_out.setdefault(out, []).append(row_id)
            return None
        for name in dict.fromkeys([*(trap.name for trap in traps), *names]):
            self.found.setdefault(name, []).append(row_id)
        self.rows_out += 1
        self.labels.add(example.label)
        if (p := example.beside.get("p_chosen")) is not None:
            self.p_chosen.append(p)
        self.has_tools |= example.tools is not None
        self.thinks |= example.thinks
        return _as_row(example, order, self.source)

    @property
    def flip_rate(self) -> float | None:
        """Of a method of soft labels, how often the rows' labels are probably wrong, with three decimals; null from
        0.5, where no trainer takes it, and where no row has a p_chosen."""
        if self.source.settings.get("kind") != "soft_dpo" or not self.p_chosen:
            return None
        rate = round(1 - sum(self.p_chosen) / len(self.p_chosen), 3)
        return rate if rate < 0.5 else None

    def say(self, order: Order) -> Iterator[str]:
        """A line for each trap that rows fell into, and for what a whole file is."""
        known = TRAPS | {trap.name: Found(trap.happens, trap.way_out) for trap in order.format.traps}
        for rows, verdict in ((self.left_out, "left out, "), (self.found, "")):
            for name, ids in rows.items():
                of = f"{say_count(len(ids), 'row')} ({self.source.key} {first_names(ids, MOST_NAMED)})"
                yield f"{self.title}: {verdict}{of}: {name}: {known[name].happens}; {known[name].way_out}"
        if self.source.method == "kto" and len(self.labels) == 1:
            label = str(next(iter(self.labels))).lower()
            yield f"{self.title}: every label is {label}, and KTO learns from the difference; label some the other way"
        if order.student.template_kwargs and not order.format.tells_template:
            told = ", ".join(order.student.template_kwargs)
            yield (
                f"{self.title}: {order.format.trainer} tells the chat template nothing of {told}; "
                "write it into the template, or export to trl"
            )

    def read_back(self, order: Order) -> dict[str, Any]:
        """The settings of a source of kind pairs that reads the rows back."""
        settings: dict[str, Any] = {"kind": "pairs", "split": "train", "path": self.files[0]}
        settings |= order.format.sources[self.source.method]
        columns = settings["columns"].items()
        settings["columns"] = {ours: theirs for ours, theirs in columns if ours != "tools" or self.has_tools}
        return settings | ({"reasoning": {"kind": "think"}} if order.way == "inline" and self.thinks else {})


def write(order: Order, source: Source, folder: Path, advance: Callable[[int], None]) -> Made:
    """The files of one source are in the folder. Raises CurationError where a row has reasoning and no way for it."""
    made, name = Made(source), f"{source.name}.{source.method}"
    rows_file = folder / f"{name}.jsonl"
    with (
        refused_writes(rows_file),
        rows_file.open("wb") as lines,
        ParquetRows(folder / f"{name}.parquet", order.format.parquet) as table,
    ):
        for batch in batches(source):
            try:
                rows = list(_shaped(made, order, batch))
            except RenderingFault as fault:
                raise CurationError(f"{source.file}: {fault}") from None
            lines.write("".join(f"{JSON(row)}\n" for row in rows).encode())
            table.write(rows)
            advance(batch.height)
    made.files = [rows_file.name, *table.written()]
    for file, text in order.format.config(_config(order, made)).items():
        add_text(folder / file, text)
        made.files.append(file)
    return made


def add_text(file: Path, text: str) -> None:
    """`file` holds the text; one of JSON that another source wrote has the entries of both."""
    if file.exists():
        text = json.dumps(json.loads(file.read_text()) | json.loads(text), indent=2) + "\n"
    with refused_writes(file):
        file.write_text(text)


def _shaped(made: Made, order: Order, batch: pl.DataFrame) -> Iterator[Row]:
    """The rows of a batch as the trainer reads them."""
    source, student = made.source, order.student
    traps = order.template.traps(source, batch) if order.template else ([] for _ in range(batch.height))
    for example, names in zip(examples(batch, source, order.way, student.system), traps, strict=True):
        row = made.take(example, order, names)
        if row is not None:
            yield row


def _as_row(example: Example, order: Order, source: Source) -> Row:
    row = order.format.rows[source.method](example)
    if order.format.tells_template and order.student.template_kwargs:
        row["chat_template_kwargs"] = order.student.template_kwargs
    return row | (example.beside if order.format.keeps_beside else {})


def _config(order: Order, made: Made) -> Config:
    source, student = made.source, order.student
    return Config(
        source.name,
        source.method,
        made.files[0],
        _model(student.model),
        order.way if made.thinks else None,
        None if student.chat_template is None else CHAT_TEMPLATE,
        order.max_length or source.settings.get("max_length"),
        dict(student.template_kwargs or {}),
        source.settings,
        made.flip_rate,
    )


def _model(model: str) -> str:
    """The student as a trainer loads it: a folder or a hub id; a word to replace where it is one of our own forms."""
    return "MODEL" if model.startswith("package:") or model.endswith(".gguf") else model
