"""The names that expressions may use for what is known of a candidate, or of a single trace, and their types."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import polars as pl

from curation.core.messages import did_you_mean
from curation.core.references import NAME_GENERATORS
from curation.core.study import Study
from curation.tables import contracts, measurements
from curation.tables.contracts import JUDGED, JUDGED_IN_ORDERS, SIDES
from curation.tables.expressions.evaluation import ResultType, fault
from curation.tables.expressions.syntax import ColumnName, parse

PAIR = ("pair_id", "prompt_id", "chosen_trace_id", "rejected_trace_id", "chosen_model", "rejected_model", "identical")
TRACE = (
    "generator", "sample_index", "family", "scale_b", "finish_reason", "status", "n_tokens",
    "characters", "reasoning_characters", "completion_characters",
)  # fmt: skip
TOKENS = ("tokens", "reasoning_tokens", "completion_tokens")  # of a trace, under the student's tokenizer
IDS = ("trace_id", "prompt_id")  # of a single trace
PROMPT = ("source", "task")
CARRIED = "carried"  # what the user's own rows of preference sets say, by the names of their columns
OF_PROMPT = ("prompt_mean", "prompt_sd")  # of the scores of a prompt's traces
OF_GENERATORS = "generator_delta"
SOFT = "p_chosen"  # the probability that chosen is right, as calibration has it
OF_REPEATS = ("sd_", "within_noise_")  # the columns that a judge without repeats has no values of


@lru_cache(maxsize=1)  # every expression of a params file asks
def schema(study: Study) -> dict[ColumnName, pl.DataType]:
    """Every name that an expression of a study can use, and its type."""
    types: dict[ColumnName, pl.DataType] = {
        (name,): kind for name, kind in contracts.empty(contracts.PAIRS).schema.items() if name in PAIR
    }
    traces, prompts = contracts.empty(contracts.TRACES).schema, contracts.empty(contracts.PROMPTS).schema
    types |= {(side, name): traces[name] for side in SIDES for name in TRACE}
    types |= {(side, name): pl.Int32() for side in SIDES for name in TOKENS if study.renderings.count}
    types |= {("prompt", name): prompts[name] for name in PROMPT} | _carried(study)
    scores = contracts.empty(measurements.PAIR_SCORES).schema
    for scorer, settings in study.scorers.items():
        types |= {(scorer, name): scores[name] for name in settings.columns}
    for judge, names in study.dimensions.items():
        wide = contracts.empty(contracts.judge_deltas(study, judge)).schema
        judged = JUDGED_IN_ORDERS if judge in study.pairwise_judges else JUDGED
        types |= {(judge, f"{kind}_{name}"): wide[f"{kind}_{name}"] for name in names for kind in judged}
        types |= {(judge, f"{kind}_{name}"): pl.Float64() for name in names for kind in (*OF_PROMPT, OF_GENERATORS)}
        if study.calibrate.truth not in (None, judge):
            types |= {(judge, f"{SOFT}_{name}"): pl.Float64() for name in names}
    return types


def _carried(study: Study) -> dict[ColumnName, pl.DataType]:
    """The columns that the sources carry: text, whatever a file has, since another row may have something else."""
    sources = study.sources.values()
    return {(CARRIED, name): pl.String() for source in sources for name in getattr(source, "carried_names", [])}


def mistake(expression: str, study: Study, result_type: ResultType) -> str | None:
    """What is wrong with an expression over a study's candidates, or None: what `fault` says, or a generator or source
    that the study does not have, or a status that no trace has."""
    if message := fault(expression, schema(study), result_type):
        return _not_calibrated(expression, study) or message + _cast_carried(expression, schema(study))
    return _unknown_text(expression, study) or _unknown_noise(expression, study)


def _not_calibrated(expression: str, study: Study) -> str | None:
    """The message about a probability that calibration does not give; None where there is none."""
    try:
        named = parse(expression).columns
    except (ValueError, RecursionError):
        return None
    truth = study.calibrate.truth
    for judge, column in (name for name in named if len(name) == 2):
        if column not in [f"{SOFT}_{dimension}" for dimension in study.dimensions.get(judge, [])]:
            continue
        if truth is None:
            return f"'{judge}.{column}' is unknown, since calibrate.truth is null; name there who says what is right"
        if truth == judge:
            return f"'{judge}.{column}' is unknown, since {judge} is calibrate.truth itself; name another judge's"
    return None


def _cast_carried(expression: str, types: Mapping[ColumnName, pl.DataType]) -> str:
    """What to add to a message about an expression that may take what is carried for a number; nothing if it has none
    of it."""
    try:
        named = parse(expression).columns
    except (ValueError, RecursionError):
        return ""
    carried = [name for name in named if name[0] == CARRIED and name in types]
    if not carried or any(name not in types for name in named):
        return ""
    column = carried[0][1]
    quoted = column if column.isidentifier() else f'"{column}"'
    return f"; what is carried is text: write {CARRIED}.{quoted}::double"


@lru_cache(maxsize=1)
def trace_schema(study: Study) -> dict[ColumnName, pl.DataType]:
    """Every name that an expression over single traces can use, and its type: what a side of a pair has, and the scores
    of judges, by their dimensions."""
    traces, prompts = contracts.empty(contracts.TRACES).schema, contracts.empty(contracts.PROMPTS).schema
    types: dict[ColumnName, pl.DataType] = {(name,): traces[name] for name in (*IDS, *TRACE)}
    types |= {(name,): pl.Int32() for name in TOKENS if study.renderings.count}
    types |= {("prompt", name): prompts[name] for name in PROMPT} | _carried(study)
    return types | {(judge, name): pl.Float64() for judge in study.judges for name in study.dimensions[judge]}


def trace_mistake(expression: str, study: Study, result_type: ResultType) -> str | None:
    """What is wrong with an expression over a study's single traces, or None, as `mistake` says it of pairs."""
    if message := fault(expression, trace_schema(study), result_type):
        return _compares_traces(expression, study) or message + _cast_carried(expression, trace_schema(study))
    return _unknown_text(expression, study)


def _compares_traces(expression: str, study: Study) -> str | None:
    """The message about a name of what compares traces, which says nothing of one alone; None where there is none."""
    try:
        columns = parse(expression).columns
    except (ValueError, RecursionError):
        return None
    for name in columns:
        if name[0] in study.pairwise_judges or name[0] in study.delta.panels or name[0] in study.scorers:
            return f"{'.'.join(name)!r} is of pairs, and a single trace is in none; name a judge of traces"
        if len(name) == 2 and name[0] in SIDES and (name[1],) in trace_schema(study):
            return f"{'.'.join(name)!r} is of a pair; of a single trace it is {name[1]!r}"
        if name[0] in study.judges and name not in trace_schema(study):
            rated = [f"{name[0]}.{dimension}" for dimension in study.dimensions[name[0]]]
            return f"{'.'.join(name)!r} is no score of a single trace{did_you_mean('.'.join(name), rated)}"
    return None


def _unknown_text(expression: str, study: Study) -> str | None:
    """The message about a text that a column never has: a generator, a source, or the status of a trace. Users' files
    name their own generators, so in a study with one, any generator may be there."""
    imports = any(generator.kind in NAME_GENERATORS for generator in study.generators.values())
    generators = [] if imports else list(study.generators)
    texts = dict.fromkeys(("chosen_model", "rejected_model", "generator"), generators)
    texts |= {"source": list(study.sources), "status": list(contracts.TRACE_STATUSES)}
    for column, text in parse(expression).compared_texts:
        possible = texts.get(column[-1], [])
        if possible and text not in possible:
            return f"{expression!r}: {'.'.join(column)} is never {text!r}{did_you_mean(text, possible)}"
    return None


def _unknown_noise(expression: str, study: Study) -> str | None:
    """The message about the noise of a judge that is asked once, which nothing tells; every pair would be dropped."""
    judges = dict[str, object](study.judges | study.pairwise_judges)
    for judge, column in (name for name in parse(expression).columns if len(name) == 2):
        if column.startswith(OF_REPEATS) and getattr(judges.get(judge), "repeats", None) == 1:
            orders = f"; what its two orders differ by is {judge}.bias_…" if judge in study.pairwise_judges else ""
            return f"{judge}.{column} is unknown, since {judge} is asked once: give it repeats: 2 or more{orders}"
    return None


def rated_dimension(value: str | None, dimensions: Mapping[str, Iterable[str]]) -> tuple[str, str] | None:
    """The judge and the dimension that `value` names a delta or one side's score of, if it is one column and no
    more."""
    names = parse(value).columns if value is not None else ()
    if len(names) != 1 or value not in (".".join(names[0]), f'"{names[0][0]}".{names[0][-1]}'):
        return None
    for judge, rated in dimensions.items():
        for name in rated:
            if names[0] in [(judge, f"{kind}_{name}") for kind in (*SIDES, "delta", OF_GENERATORS)]:
                return judge, name
    return None
