"""What is in a release: its configurations, the meaning of their columns, and one row."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curation.core.text import say_count
from curation.exchange.card.facts import Config, Facts
from curation.exchange.card.markdown import code, details, fence, listed, section, table, tag
from curation.tables.contracts import SUBSETS, UNPAIRED

MOST_SHOWN = 800  # letters of a text of the row that is shown
MESSAGES = "a list of messages, each with a role and its content"
COLUMNS = {
    "pair_id": "the pair",
    "trace_id": "the answer",
    "prompt_id": "the prompt; rows with the same one ask the same",
    "chosen_trace_id": "the chosen answer",
    "rejected_trace_id": "the rejected answer",
    "prompt": MESSAGES,
    "chosen": "the better answer, one message of the assistant's",
    "rejected": "the other answer, one message of the assistant's",
    "completion": "the answer, one message of the assistant's",
    "chosen_reasoning": "what the model thought before the chosen answer; null where it gave no reasoning",
    "rejected_reasoning": "the same of the rejected answer",
    "reasoning": "what the model thought before the answer; null where it gave no reasoning",
    "chosen_truncated": "whether the chosen answer was cut off in generation",
    "rejected_truncated": "whether the rejected answer was",
    "truncated": "whether the answer was cut off in generation",
    "prompt_messages": "JSON of the prompt's whole messages, where they have more than role and text",
    "tools": "JSON of the tools that the model was given",
    "label": "whether the answer is desirable",
    "margin": "what the selection ranks the pair by",
    "chosen_rating": "what the selection's judge rates the chosen answer",
    "rejected_rating": "what it rates the rejected answer",
    "p_chosen": "how probable it is that the chosen answer is the better one, for training with soft labels",
    "curriculum_position": "the place in the order in which trainers are to see the rows; null where there is none",
    "external_id": "the id of the row of the preference set that the pair is from",
    "carried": "JSON of further columns of that row",
    "chosen_external_id": "the id that the chosen answer had before",
    "rejected_external_id": "the id that the rejected answer had before",
    "prompt_external_id": "the id that the prompt had before",
}
SCORED = "select count(distinct judge) as n from {} where status = 'scored'"
ROWS = {"subsets": "a pair (DPO)", "unpaired": "an answer and its label (KTO)"}


def contents(facts: Facts) -> Iterator[str]:
    """What it is in a sentence, how it is loaded, and the sections on what is in it."""
    yield from (summary(facts), "")
    yield from _loading(facts.configs[0])
    yield from section("What is in it", _configurations(facts), _columns(facts), _example(facts))


def summary(facts: Facts) -> str:
    """The first sentence of the card. What several configurations hold counts once."""
    pairs, answers = _ids(facts, "subsets", "pair_id"), _ids(facts, "unpaired", "trace_id")
    held = [
        say_count(len(ids), noun) for ids, noun in ((pairs, "preference pair"), (answers, "labelled answer")) if ids
    ]
    written = answers | _ids(facts, "subsets", "chosen_trace_id", "rejected_trace_id")
    writers = "select count(distinct generator) as n from traces where trace_id in (select unnest($ids::bigint[]))"
    done = [
        *_count(facts, "written by", "generator", "traces", writers, ids=sorted(written)),
        *_count(facts, "rated by", "judge", "judgments", SCORED.format("judgments")),
        *_count(facts, "compared by", "pairwise judge", "preferences", SCORED.format("preferences")),
        f"selected as {listed([code(name) for name in facts.selections])}",
    ]
    return f"{listed(held or ['No row'])}, {listed(done)}."


def _count(facts: Facts, verb: str, noun: str, view: str, question: str, **params: Any) -> list[str]:
    """`written by 3 generators`; nothing where none did."""
    return [f"{verb} {say_count(row['n'], noun)}" for row in facts.ask(view, question, **params) if row["n"]]


def _loading(first: Config) -> list[str]:
    call = f'load_dataset("path/to/this/folder", "{first.name}", split="train")'
    return fence(f"from datasets import load_dataset\n\nrows = {call}", "python")


def _configurations(facts: Facts) -> list[str]:
    rows = [(code(config.name), f"{_rows(facts, config):,}", ROWS[config.table]) for config in facts.configs]
    return table(("configuration", "rows", "a row is"), rows, ["rows"])


def _columns(facts: Facts) -> Iterator[str]:
    for known in (SUBSETS, UNPAIRED):
        if any(config.table == known.name for config in facts.configs):
            rows = [(f"`{field.name}`", _kind(field.type), COLUMNS[field.name]) for field in known.schema]
            yield from details(f"Columns of {ROWS[known.name]}", table(("column", "type", "is"), rows))


def _kind(kind: pa.DataType) -> str:
    if kind.equals(SUBSETS.schema.field("prompt").type):
        return "messages"
    return {"double": "float64", "uint64": "id (uint64)"}.get(str(kind), str(kind))


def _example(facts: Facts) -> list[str]:
    for config in facts.configs:
        row = pl.scan_parquet(facts.folder / config.file).head(1).collect()
        if row.height:
            return details(f"The first row of {tag(config.name)}", list(_shown(row.to_dicts()[0])))
    return []


def _shown(row: dict[str, Any]) -> Iterator[str]:
    for message in row["prompt"]:
        yield from (f"**{message['role']}**", "", *fence(message["content"], most=MOST_SHOWN))
    if row["tools"]:
        yield from ("**tools**", "", *fence(json.dumps(json.loads(row["tools"]), indent=1), "json", MOST_SHOWN))
    for side in [name for name in ("chosen", "rejected", "completion") if name in row]:
        thought = row["reasoning" if side == "completion" else f"{side}_reasoning"]
        if thought is not None:
            yield from (f"**{side}**, reasoning", "", *fence(thought, most=MOST_SHOWN))
        yield from (f"**{side}**", "", *fence(row[side][0]["content"], most=MOST_SHOWN))
    told = [f"{name}: {row[name]}" for name in ("margin", "label") if row.get(name) is not None]
    yield from ([f"{', '.join(told)}", ""] if told else [])


def _ids(facts: Facts, name: str, *columns: str) -> set[int]:
    """What stands in these columns of the rows of all configurations of a table."""
    files = [facts.folder / config.file for config in facts.configs if config.table == name]
    return {id_ for file in files for column in columns for id_ in pl.read_parquet(file, columns=[column])[column]}


def _rows(facts: Facts, config: Config) -> int:
    return int(pq.read_metadata(facts.folder / config.file).num_rows)
