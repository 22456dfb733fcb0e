"""What is known of a pair, a trace, a prompt or a run, as lines of text. Every text of a model stands behind a bar, so
that none passes for a line of ours."""

from collections.abc import Iterable, Iterator, Mapping

from curation.core.text import clip, one_line, say_count
from curation.explore import lines as say
from curation.explore.lines import LINES, barred, because, flatten, say_facts, say_number, say_score, write_messages
from curation.explore.tables import Row
from curation.explore.text_named import write_arm, write_call, write_selection
from curation.tables.contracts import SIDES

SHORT = 12  # characters of a key, which tell it apart
STALE = "these numbers give another verdict: its table was made by other settings; run `dvc repro`"
NOT_SAMPLED = ("generator", "kind", "family", "scale_b", "model", "revision", "reasoning")  # said, or nothing of it


def write_text(found: Row, full: bool = False) -> Iterator[str]:
    """The lines; of each text the first LINES, or all of it if `full`."""
    write = {"pair": _pair, "trace": _trace, "prompt": _prompt, "run": _run, "call": write_call}
    write |= {"selection": write_selection, "arm": write_arm}
    yield from write[found["kind"]](found, full)
    yield from _origin(found["origin"])


def _pair(found: Row, full: bool) -> Iterator[str]:
    yield f"pair {found['pair_id']}: {found['chosen_model']} over {found['rejected_model']}"
    if found["identical"]:
        yield "  both sides are the same text"
    for other in found["others"]:
        yield f"  {other['why']}: pair {other['pair_id']}"
    for row in found["listed"]:
        turned = "" if row["chosen_trace_id"] == found["chosen_trace_id"] else ", the other way round"
        named = {
            "verdict": row["verdict"],
            "order": row["order"],
            "your id": row["external_id"],
            "carried": row["carried"],
        }
        yield f"  listed by {row['source']}{turned}: {say_facts(named)}"
    yield from _asked(found["prompt"], full)
    for side in SIDES:
        yield from _said(found[side], side.upper(), full)
    for judge in found["pairwise"]:
        yield f"\nJUDGE OF PAIRS {judge['judge']} ({judge['kind']})"
        for row in judge["verdicts"]:
            likely = say_facts({"strength": row["strength"], "p_tie": row["p_tie"]})
            said = (row["verdict"] or row["status"]) + (f" ({likely})" if likely else "")
            yield f"  {row['dimension']}, {row['order']}, repeat {row['repeat']}: {said}"
            yield from because(row["rationale"])
        yield from _calls(judge["calls"], full)
    yield from _deltas(found["deltas"])
    for name, row in found["pair_scores"].items():
        yield f"\nSCORER {name}: {say_facts({key: value for key, value in row.items() if key != 'pair_id'})}"
    yield from _selections(found["selections"], found["origin"]["params"])
    yield from _arms(found["arms"], found)


def _trace(found: Row, full: bool) -> Iterator[str]:
    yield from _said(found, "TRACE", full, first=True)
    yield from _asked(found["prompt"], full)
    yield from _list_pairs(found["pairs"])
    yield from _selections(found["selections"], found["origin"]["params"])
    yield from _arms(found["arms"], found)


def _prompt(found: Row, full: bool) -> Iterator[str]:
    yield from _asked(found["prompt"], full, first=True)
    for row in found["traces"]:
        yield f"\ntrace {row['trace_id']}: {row['generator']}, sample {row['sample_index']}, {row['status']}"
        if row["reasoning"] is not None:
            yield "  reasoning:"
            yield from barred(row["reasoning"], full)
            yield "  answer:" if row["completion"] is not None else "  no answer"
        yield from barred(row["completion"], full)
        if row["scores"]:
            yield f"  {say_facts(row['scores'])}"
    yield from _list_pairs(found["pairs"])
    for row in found["results"]:
        yield f"\n{row['run']} on {row['benchmark']}, sample {row['sample_index']}: {say_score(row)}"
        yield from barred(row["completion"], full)


def _run(found: Row, full: bool) -> Iterator[str]:
    yield f"run {found['run']}: {found['status'] or found['untrained']}"
    if found.get("error"):
        yield from barred(found["error"], full)
    if found["declared"]:
        yield f"  {say_facts(found['declared'])}"
        yield f"  {say_facts(flatten(found['method']))}"
    if found.get("key"):
        yield f"  {say_facts({'key': found['key'], 'weights': found.get('weights')})}"
    if found["figures"]:
        yield f"  {say_facts(flatten(found['figures']))}"
    if (rows := found["rows"]) and rows["number"] is not None:
        yield f"\nLEARNS FROM {say_count(rows['number'], 'row')} of {rows['table']}; the first:"
        yield from (f"  {say_facts(row)}" for row in (rows["first"] if full else rows["first"][:LINES]))
    for row in found["examples"]:
        yield f"  {say_facts({key: row[key] for key in ('examples', 'counted', 'updates')})}"
    for row in found["results"]:
        scored = f"{row['scored']} scored of {row['answers']} answers"
        yield f"\n{row['benchmark']}: mean {say_number(row['mean'])} of {scored}"
    for row in found["gains"]:
        if row["against"]:
            named = {key: row[key] for key in ("gain", "ci_low", "ci_high", "p_holm", "refused")}
            yield f"  {row['measure']} of {row['benchmark']} against {row['against']}: {say_facts(named)}"


def _asked(prompt: Row, full: bool, first: bool = False) -> Iterator[str]:
    named = {key: prompt.get(key) for key in ("source", "task", "split", "answer", "verifier", "external_id")}
    yield f"{'' if first else chr(10)}PROMPT {prompt['prompt_id']}: {say_facts(named)}"
    verdict = prompt["decontamination"]
    if verdict and not verdict["kept"]:
        yield f"  dropped before any model was asked: {say_facts(verdict)}"
    yield from write_messages(prompt["messages"], full)
    if prompt["tools"]:
        yield "  tools:"
        yield from barred(prompt["tools"], full)


def _said(trace: Row, heading: str, full: bool, first: bool = False) -> Iterator[str]:
    if trace["generator"] is None:
        yield f"\n{heading} {trace['trace_id']}: is not in the table of traces"
        return
    named = {key: trace[key] for key in ("status", "finish_reason", "n_tokens", "characters", "external_id")}
    start, sample = "" if first else "\n", f"sample {trace['sample_index']}"
    yield f"{start}{heading} {trace['trace_id']}: {trace['generator']}, {sample}, {say_facts(named)}"
    if writer := trace["written_by"]:
        flat = {key: value for key, value in flatten(writer).items() if key not in NOT_SAMPLED}
        model = f"{writer['model']} at {clip(str(writer['revision']), 20)}: " if "model" in writer else ""
        yield f"  {writer['kind']}: {model}{say_facts(flat)}"
    if trace["reasoning"] is not None:
        yield "  reasoning:"
        yield from barred(trace["reasoning"], full)
    yield "  answer:" if trace["completion"] is not None else "  no answer"
    yield from barred(trace["completion"], full)
    if rendering := trace["rendering"]:
        yield f"  rendering: {say_facts({key: value for key, value in rendering.items() if not key.endswith('_id')})}"
    for part, text in (trace.get("rendered") or {}).items():
        yield f"  rendered {part}:"
        yield from barred(text, full)
    for row in trace["siblings"]:
        part = f" of its first {row['letters']:,} letters" if row["letters"] else ""
        how = "the same text" if row["identical"] else f"nearly the same text ({row['similarity']:g}{part})"
        yield f"  {how}: trace {row['trace_id']} ({row['generator']}, sample {row['sample_index']})"
    for row in trace["ratings"]:
        yield f"  your rating: {say_facts(row)}"
    if trace["call"]:
        yield from _calls([trace["call"]], full, own_text=True)
    for judge in trace["judges"]:
        yield from _judge(judge, full)


def _judge(judge: Row, full: bool) -> Iterator[str]:
    yield f"  judge {judge['judge']} ({judge['kind']})"
    for name, rated in judge["dimensions"].items():
        scale = "" if rated["low"] is None else f" of {rated['low']:g} to {rated['high']:g}"
        yield f"    {name}: {'; '.join(map(say_score, rated['repeats']))}{scale}"
        for rationale in dict.fromkeys(repeat["rationale"] for repeat in rated["repeats"]):
            yield from because(rationale)
    yield from _calls(judge["calls"], full)


def _calls(calls: Iterable[Row], full: bool, own_text: bool = False) -> Iterator[str]:
    """Each call by its key, and what was replied, but for a trace's own text, which is shown already."""
    for call in calls:
        if "fault" in call:
            yield f"    calls of {call['name']}: cannot be told: {one_line(call['fault'])}"
            continue
        named = ", ".join([f"repeat {call['repeat']}", *filter(None, [call.get("order")])])
        reply = call["reply"]
        if reply is None:
            yield f"    call {call['key'][:SHORT]} ({named}): no reply in the ledger"
            continue
        counts = {key: reply[key] for key in ("finish_reason", "prompt_tokens", "completion_tokens", "engine", "note")}
        yield f"    call {call['key'][:SHORT]} ({named}): {say_facts(counts)}"
        if not own_text:
            yield from barred(reply["reasoning"], full)
            yield from barred(reply["text"], full)
        for name, weights in reply["weights"].items():
            yield f"      {name}: {', '.join(f'{score} at {weight:.3f}' for score, weight in weights.items())}"


def _deltas(deltas: list[Row]) -> Iterator[str]:
    if deltas:
        yield "\nDELTAS"
    for row in deltas:
        named = {key: row[key] for key in ("noise", "n", "bias", "generators_mean", "probability")}
        within = {None: "", True: "; within the judge's noise", False: "; beyond the judge's noise"}[
            row["within_noise"]
        ]
        sides = f"{say_number(row['chosen'])} - {say_number(row['rejected'])} = {say_number(row['delta'])}"
        yield f"  {row['judge']}.{row['dimension']}: {sides} ({say_facts(named)}){within}"


def _selections(selections: list[Row], lines: Mapping[str, str]) -> Iterator[str]:
    if selections:
        yield "\nSELECTIONS"
    for row in selections:
        cut = f" ({row['generator_pairs']}, budget {row['budget']})" if "budget" in row else ""
        place = lines.get(f"selections.{row['selection']}")
        verdict = say.say_verdict(row.get("reason"))
        yield f"  {row['selection']}{cut}: {verdict}{f'  [{place}]' if place and not cut else ''}"
        yield f"    {one_line(row.get('words') or row['fault'])}"
        if row.get("stale"):
            yield f"    {STALE}"
        for control in row["controls"]:
            draw = "" if control["draw"] is None else f", draw {control['draw']}"
            yield f"    control {control['control']}{draw}: {control.get('reason', 'unknown')}"
            yield f"      {one_line(control.get('words') or control['fault'])}"
            if control.get("stale"):
                yield f"      {STALE}"


def _arms(arms: list[Row], found: Row) -> Iterator[str]:
    if arms:
        yield "\nARMS"
    for row in arms:
        turned = row.get("chosen_trace_id", found.get("chosen_trace_id")) != found.get("chosen_trace_id")
        runs = ", ".join(f"{run['run']} ({run['status'] or 'not trained yet'})" for run in row["runs"])
        label = "" if "label" not in row else f" as {'desirable' if row['label'] else 'undesirable'}"
        yield f"  {row['arm']}{label}{', labels swapped' if turned else ''}: {runs or 'no run'}"
        for read in row["read"]:
            yield f"    {say_facts(read)}"


def _list_pairs(pairs: list[Row]) -> Iterator[str]:
    if pairs:
        yield f"\nPAIRS, {len(pairs)}"
    for row in pairs:
        yield f"  {row['pair_id']}: {row['chosen_model']} over {row['rejected_model']}: {say_facts(row['selections'])}"


def _origin(origin: Row) -> Iterator[str]:
    yield "\nFROM"
    yield from (f"  {line}  {place}" for place, line in origin["params"].items())
    if revision := origin["revision"]:
        edited = f", and since then edited: {', '.join(revision['edited'])}" if revision["edited"] else ""
        yield f"  git {revision['commit'][:SHORT]}{edited}"
    for row in origin["lock"]:
        yield f"  dvc.lock: {row['stage']} wrote {row['file']}" + (f", md5 {row['md5']}" if row["md5"] else "")
        if row["changed"]:
            yield f"    by other settings than params.yaml has now: {', '.join(row['changed'])}; run `dvc repro`"
    if origin["absent"]:
        yield f"  not there yet: {', '.join(origin['absent'])}"
    yield from (f"  {one_line(note)}" for note in origin["notes"])
