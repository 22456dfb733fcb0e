"""The wide pair view: whatever is known of a candidate pair, under the names that expressions use, read a column at
a time as it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import duckdb
import numpy as np
import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import did_you_mean
from curation.core.study import Study
from curation.selection.expressions import Name, evaluate, fault, parse
from curation.tables import contracts, parquet

Read: TypeAlias = Callable[[Sequence[str]], pl.DataFrame]  # some columns of a table
PAIR = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "chosen_model", "rejected_model", "identical")
TRACE = ("generator", "sample_index", "family", "scale_b", "finish_reason", "n_tokens", "characters")
PROMPT = ("source", "task")
JUDGED = ("chosen", "rejected", "delta", "n", "sd", "within_noise")
OF_PROMPT = ("prompt_mean", "prompt_sd")  # of the scores of a prompt's traces
OF_GENERATORS = "generator_delta"


class Reads(NamedTuple):
    """Where the view's columns come from; `deltas` by judge."""

    pairs: Read
    deltas: Mapping[str, Read]
    generator_deltas: Read
    traces: Read
    tokens: Read
    prompts: Read
    scores: Mapping[str, Read]


@lru_cache(maxsize=1)  # every expression of a params file asks
def schema(study: Study) -> dict[Name, pl.DataType]:
    """Every name there is in a study, and its type."""
    found: dict[Name, pl.DataType] = {
        (name,): kind for name, kind in contracts.empty(contracts.PAIRS).schema.items() if name in PAIR
    }
    traces, prompts = contracts.empty(contracts.TRACES).schema, contracts.empty(contracts.PROMPTS).schema
    found |= {(side, name): traces[name] for side in ("chosen", "rejected") for name in TRACE}
    found |= {(side, "tokens"): pl.Int32() for side in ("chosen", "rejected") if study.tokens.count}
    found |= {("prompt", name): prompts[name] for name in PROMPT}
    scores = contracts.empty(contracts.PAIR_SCORES).schema
    for scorer, settings in study.scorers.items():
        found |= {(scorer, name): scores[name] for name in settings.columns}
    for judge, names in study.dimensions.items():
        wide = contracts.empty(contracts.deltas(names)).schema
        found |= {(judge, f"{kind}_{name}"): wide[f"{kind}_{name}"] for name in names for kind in JUDGED}
        found |= {(judge, f"{kind}_{name}"): pl.Float64() for name in names for kind in (*OF_PROMPT, OF_GENERATORS)}
    return found


def mistake(expression: str, study: Study, wanted: str) -> str | None:
    """What is wrong with an expression over a study's candidates, or None: as `fault` says, or it asks for a
    generator or a source that there is not."""
    return fault(expression, schema(study), wanted) or _unheard(expression, study)


def _unheard(expression: str, study: Study) -> str | None:
    """An imported file's rows name generators of their own, so none of those is unknown."""
    written = [] if any(one.kind == "imported" for one in study.generators.values()) else list(study.generators)
    names = {"chosen_model": written, "rejected_model": written, "generator": written, "source": list(study.sources)}
    for column, text in parse(expression).compared:
        known = names.get(column[-1], [])
        if known and text not in known:
            return f"{expression!r}: {'.'.join(column)} is never {text!r}{did_you_mean(text, known)}"
    return None


def rating(value: str | None, dimensions: Mapping[str, Iterable[str]]) -> tuple[str, str] | None:
    """The judge and dimension of which `value` is a delta or one side's score, and nothing else."""
    names = parse(value).columns if value is not None else ()
    if len(names) != 1 or value not in (".".join(names[0]), f'"{names[0][0]}".{names[0][-1]}'):
        return None
    for judge, rated in dimensions.items():
        for name in rated:
            if names[0] in [(judge, f"{kind}_{name}") for kind in ("chosen", "rejected", "delta", OF_GENERATORS)]:
                return judge, name
    return None


class Candidates:
    """The rows of `pairs`, by pair_id, and every column of `schema` beside them."""

    def __init__(self, reads: Reads, both_ways: bool = True) -> None:
        """`both_ways`: whether a pair and its reverse may both be there."""
        self.reads, self.both_ways = reads, both_ways
        self.known: dict[str, pl.Series] = {}
        self.valued: dict[str, pl.Series] = {}  # by expression
        self.sound: set[str] = set()  # what was seen to be of these pairs

    def column(self, name: str) -> pl.Series:
        """One column of `pairs`."""
        if name not in self.known:
            self.known[name] = self.reads.pairs([name]).to_series()
        return self.known[name]

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The chosen and the rejected trace ids."""
        return self.column("chosen_trace_id").to_numpy(), self.column("rejected_trace_id").to_numpy()

    def values(self, expressions: Mapping[str, str], place: str = "") -> pl.DataFrame:
        """The values of the named expressions, a row for each pair. Raises CurationError naming the one that fails
        on a value, after its `place` in params.yaml."""
        unknown = dict.fromkeys(text for text in expressions.values() if text not in self.valued)
        self.valued |= {text: self._named(parse(text).columns[0]) for text in unknown if parse(text).plain}
        if new := [text for text in unknown if text not in self.valued]:
            names = dict.fromkeys(name for expression in new for name in parse(expression).columns)
            height = {"pair_id": self.column("pair_id")}  # so that an expression of constants has rows too
            rows = pl.DataFrame(height | {".".join(name): self._named(name) for name in names})
            try:
                found = evaluate({str(number): text for number, text in enumerate(new)}, rows)
            except duckdb.Error:
                mine = {name: text for name, text in expressions.items() if text in new}
                raise CurationError(f"params.yaml: {place}{_failing(mine, rows)}") from None
            self.valued |= dict(zip(new, found.get_columns(), strict=True))
        return pl.DataFrame([self.valued[text].alias(name) for name, text in expressions.items()])

    def _named(self, name: Name) -> pl.Series:
        if len(name) == 1:
            return self.column(name[0])
        head, column = name
        if head in ("chosen", "rejected"):
            read = self.reads.tokens if column == "tokens" else self.reads.traces
            return self._joined(read, f"{head}_trace_id", "trace_id", column)
        if head == "prompt":
            return self._joined(self.reads.prompts, "prompt_id", "prompt_id", column)
        if head in self.reads.scores:
            return self._beside(self.reads.scores[head], f"the scores of {head}", [column]).to_series()
        for kind in OF_PROMPT:
            if column.startswith(f"{kind}_"):
                return self._of_prompt(head, column.removeprefix(f"{kind}_"), kind)
        if column.startswith(f"{OF_GENERATORS}_"):
            return self._of_generators(head, column.removeprefix(f"{OF_GENERATORS}_"))
        return self.rated(head, [column]).to_series()

    def rated(self, judge: str, columns: Sequence[str]) -> pl.DataFrame:
        """Columns of one judge's deltas. Raises CurationError if they are not of these pairs."""
        return self._beside(self.reads.deltas[judge], f"the deltas of {judge}", columns)

    def _beside(self, read: Read, what: str, columns: Sequence[str]) -> pl.DataFrame:
        if what in self.sound:
            return read(columns)
        rows = read(["pair_id", *columns])
        if not rows["pair_id"].equals(self.column("pair_id")):
            raise CurationError(f"{what} are not of the pairs there are; `dvc repro` brings them up to date")
        self.sound.add(what)
        return rows.select(columns)

    def _joined(self, read: Read, ours: str, theirs: str, column: str) -> pl.Series:
        known = read([theirs, column])
        rows = pl.DataFrame({ours: self.column(ours)}).join(
            known, left_on=ours, right_on=theirs, how="left", maintain_order="left"
        )
        return rows[column]

    def _of_prompt(self, judge: str, dimension: str, kind: str) -> pl.Series:
        """The mean or the standard deviation of a prompt's scores, each of its traces that is in a pair counted
        once."""
        prompt = self.column("prompt_id")
        sides = self.rated(judge, [f"chosen_{dimension}", f"rejected_{dimension}"])
        each = pl.concat([
            pl.DataFrame({"prompt": prompt, "trace": self.column(f"{side}_trace_id"), "score": sides[f"{side}_{dimension}"]}) for side in ("chosen", "rejected")
        ]).drop_nulls("score").unique("trace", keep="first").sort("prompt", "trace")  # fmt: skip
        score = pl.col("score").mean() if kind == "prompt_mean" else pl.col("score").std()
        found = each.group_by("prompt", maintain_order=True).agg(score.round(contracts.DECIMALS))
        return pl.DataFrame({"prompt": prompt}).join(found, on="prompt", how="left", maintain_order="left")["score"]

    def _of_generators(self, judge: str, dimension: str) -> pl.Series:
        means = self.reads.generator_deltas(["chosen_model", "rejected_model", "judge", "dimension", "mean"]).filter(
            judge=judge, dimension=dimension
        )
        both = ["chosen_model", "rejected_model"]
        return pl.DataFrame([self.column(name) for name in both]).join(
            means, on=both, how="left", maintain_order="left"
        )["mean"]


def _failing(expressions: Mapping[str, str], rows: pl.DataFrame) -> str:
    """The first of the expressions that fails on a value, and what DuckDB says of it."""
    for name, text in expressions.items():
        try:
            evaluate({name: text}, rows)
        except duckdb.Error as error:
            return f"{name}: {text!r}: {str(error).splitlines()[0]}"
    return ", ".join(expressions.values())


def from_files(study: Study) -> Candidates:
    """The candidates of the tables on disk."""

    def beside(table: contracts.Table, name: str) -> Read:
        return lambda columns: parquet.read(table, contracts.path(table.name, name), columns).select(columns)

    return Candidates(Reads(
        lambda columns: parquet.read(contracts.PAIRS, contracts.path("pairs"), columns),
        {judge: beside(contracts.deltas(names), judge) for judge, names in study.dimensions.items()},
        lambda columns: parquet.read(contracts.GENERATOR_DELTAS, contracts.path("generator_deltas"), columns),
        lambda columns: parquet.read_parts(contracts.TRACES, study.generators, columns),
        lambda columns: parquet.read(contracts.TOKENS, contracts.path("tokens"), columns),
        lambda columns: parquet.read(contracts.PROMPTS, contracts.path("prompts"), columns),
        {scorer: beside(contracts.PAIR_SCORES, scorer) for scorer in study.scorers},
    ), study.pair.order == "both" or study.pair.within_generator)  # fmt: skip


def from_frames(
    pairs: pl.DataFrame,
    deltas: Mapping[str, pl.DataFrame],
    generator_deltas: pl.DataFrame,
    traces: pl.DataFrame,
    tokens: pl.DataFrame,
    prompts: pl.DataFrame,
    scores: Mapping[str, pl.DataFrame],
) -> Candidates:
    """The candidates of tables in memory, in any order of rows."""

    def read(frame: pl.DataFrame) -> Read:
        return lambda columns: frame.select(columns)

    beside, scored = (
        {name: read(rows.sort("pair_id")) for name, rows in tables_.items()} for tables_ in (deltas, scores)
    )
    return Candidates(
        Reads(
            read(pairs.sort("pair_id")),
            beside,
            read(generator_deltas),
            read(traces),
            read(tokens),
            read(prompts),
            scored,
        )
    )
