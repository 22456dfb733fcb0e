"""What an id, a name or a piece of text names: a pair, a trace, a prompt, a run, a selection, an arm or a call."""

import difflib
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import polars as pl

from curation.core.errors import CurationError
from curation.core.params import BASELINE
from curation.core.progress import progress
from curation.core.text import clip, show_around
from curation.explore.ledger_call import KEY, find_keys, opened_ledger
from curation.explore.tables import Tables
from curation.tables.ids import content_id

LEAST = 8  # characters of an id's beginning
LONGEST = 19  # digits of an id
MOST = 20  # hits that are listed
OF_KEY = rf"[0-9a-f]{{{LEAST},{KEY}}}"  # a call's key, or its beginning
IDS = (  # table, column, and what a row with that id is shown as
    ("pairs", "pair_id", "pair"), ("traces", "trace_id", "trace"), ("prompts", "prompt_id", "prompt"),
    ("decontamination", "prompt_id", "prompt"), ("listed_pairs", "listed_id", "listed"), ("traces", "text_id", "trace"),
    ("renderings", "rendered_id", "trace"), ("results", "prompt_id", "prompt"),
    ("imported_results", "prompt_id", "prompt"),
)  # fmt: skip
OWN_IDS = (("prompts", "prompt"), ("traces", "trace"), ("listed_pairs", "listed"))  # of external_id
TEXTS = (("prompts", "messages"), ("traces", "completion"), ("traces", "reasoning"))
NAMES = (  # table, column, and what a name in it is that params.yaml need not have
    ("traces", "generator", "generator"), ("traces", "family", "family"), ("prompts", "task", "task"),
)  # fmt: skip
KEYS = {"pair": "pair_id", "trace": "trace_id", "prompt": "prompt_id"}


class NotFound(CurationError):
    """Nothing is called so."""


class Hit(NamedTuple):
    """One that was found: its kind, its id or a run's name, and where what was asked for stands."""

    kind: str
    id: int | str
    where: str


def find(tables: Tables, asked: str, texts: bool = True) -> list[Hit]:
    """All that `asked` names, each once: a run by its name or the key of its weights, a row by an id or the only one
    that begins so, by the user's own id, or, with `texts`, by a text that it holds. Raises NotFound if nothing does,
    and CurationError if a table cannot be read."""
    if not asked.strip():
        raise NotFound("why: names nothing; give an id, or a piece of a text")
    if any("\ud800" <= letter <= "\udfff" for letter in asked):  # as bytes of an argument come that are no UTF-8
        raise NotFound(f"why: {clip(asked)!r} is not UTF-8 text")
    ids = (_runs(tables, asked), _names(tables, asked), _whole(tables, asked), _own(tables, asked))
    for hits in (*ids, _begins(tables, asked), _calls(tables, asked)):
        if found := _distinct(hits):
            return found
    if texts and (found := _distinct(_holds(tables, asked))):
        return found
    raise NotFound(f"why: {clip(asked)!r} {_say_unknown(tables, asked, texts)}")


def _say_unknown(tables: Tables, asked: str, texts: bool) -> str:
    """Of a name of params.yaml where it stands; else that nothing is called so, and the nearest name."""
    study = tables.study
    sections: dict[str, Iterable[str]] = {
        "judge": study.judges, "pairwise judge": study.pairwise_judges, "generator": study.generators,
        "source": study.sources, "control": study.controls, "method": study.methods, "scorer": study.scorers,
        "contrast": study.contrasts,
    }  # fmt: skip
    takes = "why takes the id of a row that it has part in, see `curation sql`"
    for what, names in sections.items():
        if asked in list(names):
            return f"is a {what} of params.yaml; {takes}"
    for table, column, what in NAMES:
        if tables.find(table, pl.col(column).cast(pl.String) == asked, [column], most=1):
            return f"is the {what} of rows of {table}; {takes}"
    known = [*study.runs, *study.selections, *study.arms, *(name for names in sections.values() for name in names)]
    near = difflib.get_close_matches(asked, map(str, known), n=1)
    said = f"is no id of a table{', and no text has it' if texts else ''}"
    absent = f"; not there yet: {', '.join(tables.absent)}" if tables.absent else ""
    return said + (f"; did you mean {near[0]!r}?" if near else "") + absent + _say_closed(tables, asked)


def _say_closed(tables: Tables, asked: str) -> str:
    """Of what may be a call's key, why the ledger cannot be asked."""
    if not re.fullmatch(OF_KEY, asked):
        return ""
    with opened_ledger(tables.study) as (_, notes):
        return "".join(f"; {note}" for note in notes)


def _distinct(hits: Iterable[Hit]) -> list[Hit]:
    found: dict[tuple[str, int | str], Hit] = {}
    for hit in hits:
        found.setdefault(hit[:2], hit)
        if len(found) > MOST:
            break
    return list(found.values())


def _runs(tables: Tables, asked: str) -> Iterator[Hit]:
    names = [BASELINE, *tables.study.runs, *tables.study.models.names]
    if asked in names:
        yield Hit("run", asked, "params.yaml")
    elif tables.find("runs", pl.col("run") == asked, ["run"]):
        yield Hit("run", asked, "runs.run")
    elif re.fullmatch(rf"[0-9a-f]{{{LEAST},}}", asked):
        where = pl.col("key").str.starts_with(asked)
        yield from (Hit("run", row["run"], "runs.key") for row in tables.find("runs", where, ["run"]))


def _names(tables: Tables, asked: str) -> Iterator[Hit]:
    """What params.yaml calls so and that has a page of its own."""
    for kind, names in (("selection", tables.study.selections), ("arm", tables.study.arms)):
        if asked in names:
            yield Hit(kind, asked, "params.yaml")


def _calls(tables: Tables, asked: str) -> Iterator[Hit]:
    """The calls whose key in the ledger begins so."""
    if re.fullmatch(OF_KEY, asked):
        with opened_ledger(tables.study) as (ledger, _):
            keys = [] if ledger is None else find_keys(ledger, asked, MOST + 1)
        yield from (Hit("call", key, "ledger") for key in keys)


def _whole(tables: Tables, asked: str) -> Iterator[Hit]:
    if re.fullmatch(rf"\d{{1,{LONGEST}}}", asked) and int(asked) < 2**63:
        found = _by_id(tables, lambda column: pl.col(column) == int(asked))
        for _, hits in itertools.groupby(found, lambda hit: hit.where):
            yield from hits
            return  # ids are hashes: no other table has it for something else


def _begins(tables: Tables, asked: str) -> Iterator[Hit]:
    """Those whose id begins so. A comparison with whole numbers, unlike one with their texts, reads no more row groups
    than it needs."""
    if re.fullmatch(rf"[1-9]\d{{{LEAST - 1},{LONGEST - 1}}}", asked):
        low = [int(asked) * 10**more for more in range(LONGEST - len(asked) + 1)]
        ends = [(start, min(start + 10**more, 2**63) - 1) for more, start in enumerate(low) if start < 2**63]
        yield from _by_id(
            tables, lambda column: pl.any_horizontal(pl.lit(False), *(pl.col(column).is_between(*end) for end in ends))
        )


def _by_id(tables: Tables, where: Callable[[str], pl.Expr]) -> Iterator[Hit]:
    for table, column, kind in IDS:
        columns = [column, *_columns_of(kind)]
        for row in tables.find(table, where(column), list(dict.fromkeys(columns)), most=MOST + 1):
            yield from _hits(tables, kind, row, f"{table}.{column}")


def _own(tables: Tables, asked: str) -> Iterator[Hit]:
    """Those that the user calls so."""
    for table, kind in OWN_IDS:
        for row in tables.find(table, pl.col("external_id").is_in(_ways(asked)), _columns_of(kind), most=MOST + 1):
            yield from _hits(tables, kind, row, f"{table}.external_id")


def _columns_of(kind: str) -> list[str]:
    return [KEYS[kind]] if kind in KEYS else ["chosen_trace_id", "rejected_trace_id"]


def _hits(tables: Tables, kind: str, row: dict[str, int], where: str) -> Iterator[Hit]:
    """The row itself; of one of a preference set its pair, whichever way round that stands."""
    if kind in KEYS:
        yield Hit(kind, row[KEYS[kind]], where)
        return
    sides = row["chosen_trace_id"], row["rejected_trace_id"]
    ids = [content_id(*sides), content_id(*sides[::-1])]
    for pair in tables.find("pairs", pl.col("pair_id").is_in(ids), ["pair_id"]):
        yield Hit("pair", pair["pair_id"], where)


def _holds(tables: Tables, asked: str) -> Iterator[Hit]:
    """Those whose text holds it, which reads every text until so many are found."""
    ways, files = _ways(asked), [(table, column, file) for table, column in TEXTS for file in tables.files(table)]
    with progress("why: search", len(files), "files") as shown:
        for table, column, file in files:
            kind = "prompt" if table == "prompts" else "trace"
            text = pl.col(column) if kind == "trace" else pl.coalesce(
                "messages", pl.col("prompt").list.eval(pl.element().struct["content"]).list.join("\n")
            )  # fmt: skip
            columns: list[str | pl.Expr] = [KEYS[kind], text.alias("text")]
            holds = pl.any_horizontal(text.str.contains(way, literal=True) for way in ways)
            for _, row in tables.find_in(table, [file], holds, columns, MOST + 1):
                said = next(way for way in ways if way in row["text"])
                yield Hit(kind, row[KEYS[kind]], f"{table}.{column}: {show_around(row['text'], said)}")
            shown.advance()


def _ways(asked: str) -> list[str]:
    """The ways in which a text may be written that differ in Unicode's normal form and in line ends alone."""
    forms = [asked, *(unicodedata.normalize(form, asked) for form in ("NFC", "NFD"))]
    ends = [form.replace("\r\n", "\n").replace("\n", end) for form in forms for end in ("\n", "\r\n")]
    return list(dict.fromkeys([*forms, *ends]))
