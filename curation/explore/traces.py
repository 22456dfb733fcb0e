"""What is known of a trace: its texts, who wrote it and how, what each judge says, how it is rendered, and which others
of its prompt say the same."""

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from curation.calls.dry import DryLedger
from curation.core.study import Study
from curation.explore.calls import calls_of_trace
from curation.explore.tables import Row, Tables
from curation.prompts.decontaminate import jaccard_similarities, shingles
from curation.prompts.questions import tokens

NEAR = 0.8  # the Jaccard similarity of two texts' shingles from which on they are called nearly the same
SHINGLE = 3  # tokens
MOST_SIBLINGS = 1000  # traces of a prompt that are compared
MOST_COMPARED = 500_000  # letters of all of them: of more, what each begins with
SIBLING, TEXTS = ("trace_id", "generator", "sample_index"), ("reasoning", "completion")


def describe_traces(tables: Tables, trace_ids: Sequence[int], ledger: DryLedger | None = None) -> list[Row]:
    """All that the tables hold of some traces, and with a ledger the calls behind them. One that is not there itself
    has its id and no text."""
    own = {row["trace_id"]: row for row in tables.find("traces", pl.col("trace_id").is_in(list(trace_ids)))}
    beside = find_beside(tables, {row["prompt_id"] for row in own.values()})
    return [_describe(tables, trace_id, own.get(trace_id), beside, ledger) for trace_id in trace_ids]


def _describe(tables: Tables, trace_id: int, row: Row | None, beside: list[Row], ledger: DryLedger | None) -> Row:
    own = pl.col("trace_id") == trace_id
    trace: Row = dict(row or {"trace_id": trace_id, "generator": None, "reasoning": None, "completion": None})
    trace["written_by"] = _writer(tables, trace["generator"])
    trace["rendering"] = _rendering(next(iter(tables.find("renderings", own)), {}))
    trace["response"] = next(iter(tables.find("responses", own, ["source", "external_id", "carried"])), None)
    trace["ratings"] = tables.find("ratings", own, ["dimension", "repeat", "score", "rationale"])
    calls = _calls(tables, trace, ledger) if row and ledger is not None else []
    trace["call"] = next((call for call in calls if call["stage"] == "generate"), None)
    trace["judges"] = _judges(tables, own, [call for call in calls if call["stage"] == "judge"])
    trace["siblings"] = find_siblings(trace, beside) if row else []
    return trace


def _rendering(row: Row) -> Row | None:
    """What was counted of a trace; None where `renderings` counts nothing, and all but the id is null."""
    return row if any(value is not None for name, value in row.items() if name != "trace_id") else None


def _writer(tables: Tables, name: str | None) -> Row | None:
    """The settings of the generator called so; None where params.yaml declares none."""
    settings: Any = tables.study.generators.get(name or "")
    return None if settings is None else {"generator": name, **settings.model_dump(mode="json", exclude={"endpoint"})}


def _calls(tables: Tables, trace: Row, ledger: DryLedger) -> list[Row]:
    prompt = tables.frame("prompts", pl.col("prompt_id") == trace["prompt_id"])
    whole = tables.frame("traces", pl.col("trace_id") == trace["trace_id"])
    return calls_of_trace(tables.study, ledger, whole, prompt) if prompt.height else []


def _judges(tables: Tables, own: pl.Expr, calls: list[Row]) -> list[Row]:
    """By judge what it says of a trace: of each dimension its scale and its repeats; and the calls that asked it."""
    judges = []
    for name, settings in tables.study.judges.items():
        scales, dimensions = getattr(settings, "scales", {}), dict[str, Row]()
        for row in tables.find("judgments", own, part=name):
            low, high = scales.get(row["dimension"], (None, None))
            rated = dimensions.setdefault(row["dimension"], {"low": low, "high": high, "repeats": []})
            rated["repeats"].append(
                {key: row[key] for key in ("repeat", "score", "expected_score", "status", "rationale")}
            )
        if dimensions:
            own_calls = [call for call in calls if call["name"] == name]
            judges.append({"judge": name, "kind": settings.kind, "dimensions": dimensions, "calls": own_calls})
    return judges


def find_beside(tables: Tables, prompt_ids: Collection[int]) -> list[Row]:
    """The traces of some prompts that have a text, MOST_SIBLINGS at most."""
    there = tables.find(
        "traces", pl.col("prompt_id").is_in(list(prompt_ids)), [*SIBLING, "prompt_id", "text_id", *TEXTS]
    )
    return [row for row in there if row["completion"] is not None][:MOST_SIBLINGS]  # a filter would read every text


def find_siblings(trace: Row, beside: list[Row]) -> list[Row]:
    """Those of `beside` of the same prompt that have the same text, or nearly: a Jaccard similarity of NEAR or more of
    their shingles of SHINGLE tokens. The most similar come first. `letters`: how many of each text were compared, None
    where it was all of them."""
    if trace["completion"] is None:
        return []
    others = [row for row in beside if row["prompt_id"] == trace["prompt_id"] and row["trace_id"] != trace["trace_id"]]
    if not others:
        return []
    said = [f"{row['reasoning'] or ''}\n{row['completion']}" for row in [trace, *others]]
    most = max(map(len, said)) if sum(map(len, said)) <= MOST_COMPARED else MOST_COMPARED // len(said)
    texts = pl.DataFrame({"said": [text[:most] for text in said]})
    own, *theirs = (shingles(text, SHINGLE) for text in texts.select(tokens(pl.col("said"))).to_series())
    found = []
    for row, text, similarity in zip(others, said[1:], jaccard_similarities(own, theirs).tolist(), strict=True):
        identical = row["text_id"] == trace["text_id"]
        if identical or similarity >= NEAR:
            letters = most if max(len(said[0]), len(text)) > most else None
            about = {"identical": identical, "similarity": round(similarity, 3), "letters": letters}
            found.append({key: row[key] for key in SIBLING} | about)
    return sorted(found, key=lambda row: (not row["identical"], -row["similarity"], row["trace_id"]))


def render_traces(study: Study, prompt: Row, traces: list[Row]) -> None:
    """Each trace has `rendered`: the prompt and the target as the student reads them, or the fault why it cannot.
    Raises CurationError where the student's tokenizer cannot be loaded."""
    from curation.models.chat_template import RenderingFault
    from curation.models.rendering import Row as Rendering
    from curation.models.rendering import load

    renderer = load(study.student)
    for trace in traces:
        if trace["completion"] is None:
            continue
        ended = trace["status"] != "truncated"
        row = Rendering(prompt["messages"], prompt["tools"], trace["reasoning"], trace["completion"], ended)
        try:
            asked, whole = renderer.texts(row)
            trace["rendered"] = {"prompt": asked, "target": whole.removeprefix(asked)}
        except RenderingFault as fault:
            trace["rendered"] = {"fault": str(fault)}
