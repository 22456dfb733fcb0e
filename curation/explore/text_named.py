"""What is known of a call, a selection or an arm, as text for a terminal."""

import json
from collections.abc import Iterator

from curation.core.text import one_line, say_count
from curation.explore.lines import LINES, barred, flatten, say_facts, write_messages
from curation.explore.tables import Row

COUNTS = ("finish_reason", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "engine", "mode",
          "note", "usd", "bought", "batched")  # fmt: skip


def write_call(found: Row, full: bool) -> Iterator[str]:
    """The request, every attempt, and what was made of it."""
    request = found["request"]
    yield f"call {found['key']}"
    of_model = {name: request[name] for name in ("model", "revision")}
    yield f"  {found['stage']} {one_line(found['name'])}: {say_facts(of_model)}"
    yield f"  {say_facts({'sample': request['sample_index'], **flatten(request['sampling'])})}"
    yield "\nASKED"
    yield from write_messages(request["messages"], full)
    for name in ("schema", "tools"):
        if request.get(name):
            yield f"  {name}:"
            yield from barred(json.dumps(request[name], ensure_ascii=False, indent=1), full)
    for row in found["attempts"]:
        verdict = "a reply" if row["good"] else "failed" if row["error"] else "no reply that serves"
        yield f"\nATTEMPT {row['attempt']}, {row['created_at']}: {verdict}"
        yield from barred(row["error"], full)
        yield f"  {say_facts({name: row[name] for name in COUNTS})}"
        for name in ("reasoning", "text", "refusal", "tool_calls"):
            if row[name] is not None:
                yield f"  {name}:"
                yield from barred(row[name], full)
    yield "\nMADE" if found["made"] else "\nno row of the tables is of it now"
    yield from (f"  {row['kind']} {row['id']}: {one_line(row['of'])}" for row in found["made"])


def write_selection(found: Row, full: bool) -> Iterator[str]:
    """Its rule, the reasons of all candidates, and the first that it keeps."""
    of = say_count(sum(found["reasons"].values()), "candidate")
    way_out = f"is not made yet; `dvc repro select@{found['selection']}` makes it"
    kept = f"keeps {found['reasons'].get('kept', 0)} of {of}" if found["reasons"] else way_out
    yield f"selection {found['selection']}: {kept}"
    yield f"  {say_facts(flatten(found['settings']))}"
    if found["reasons"]:
        yield f"  {say_facts(found['reasons'])}"
        if _has_margins(found):
            yield f"  margins of what is kept: {say_facts(found['margins'])}"
    if found["first"]:
        yield "\nKEPT, by margin; the first:" if _has_margins(found) else "\nKEPT, by id; the first:"
        yield from (f"  pair {say_facts(row)}".replace("pair pair_id", "pair") for row in found["first"])
    if found["arms"]:
        yield "\nARMS"
        for arm in found["arms"]:
            yield f"  {arm['arm']}: {_say_runs(arm)}"


def write_arm(found: Row, full: bool) -> Iterator[str]:
    """What it is made of, its rows, and its runs."""
    named = ("selection", "generator_pairs", "budget", "control", "draw")
    yield f"arm {found['arm']}: {_say_runs(found)}"
    yield f"  {say_facts({name: found[name] for name in named})}"
    yield f"  control {found['control']}: {say_facts(flatten(found['settings']))}"
    for rows in found["rows"]:
        if rows["number"] is None:
            yield f"  {rows['table']}: not made yet; `dvc repro arms` makes it"
        elif rows["number"]:
            yield f"\n{rows['table'].upper()}, {say_count(rows['number'], 'row')}; the first:"
            yield from (f"  {say_facts(row)}" for row in (rows["first"] if full else rows["first"][:LINES]))


def _has_margins(selection: Row) -> bool:
    return selection["margins"]["least"] is not None


def _say_runs(arm: Row) -> str:
    return ", ".join(f"{run['run']} ({run['status'] or 'not trained yet'})" for run in arm["runs"]) or "no run"
