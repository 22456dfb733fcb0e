"""`curation plan`: what a study would ask and cost, what its contrasts can see, how long it takes and how much memory,
before anything is asked or trained."""

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from typing import Any

import polars as pl

from curation.calls.budget import Params as Budget
from curation.calls.budget import Spending
from curation.calls.ledger import Ledger
from curation.commands.duration import print_durations
from curation.commands.forecast import SUMMED, Stage, forecast, has_tokenizer
from curation.commands.outstanding import StageCalls, known_calls
from curation.commands.plan_labels import tell_labels
from curation.commands.plan_memory import needs, print_needs
from curation.commands.plan_power import power_json, power_of, print_power
from curation.commands.plan_time import print_times, times
from curation.commands.rows import print_rows
from curation.commands.terminal import Parser
from curation.core.errors import Errors
from curation.core.messages import did_you_mean
from curation.core.params import read
from curation.core.study import Study
from curation.experiment.registration import find_absent
from curation.tables.other_study import WAYS_OUT, find_undeclared
from curation.traces.generators._rows import look_at_prompt
from curation.traces.losses import look_at_traces

SECTIONS = ("calls", "power", "time", "memory")


def main(arguments: list[str]) -> None:
    """Print the sections that are named, or all; and what the student would not learn from the traces that there are,
    raising Errors where that stops the study before a judge is asked."""
    parser = Parser(prog="curation plan", description=f"{__doc__} Asks nothing.")
    parser.add_argument("section", nargs="*", help=f"of {', '.join(SECTIONS)}; all where none is named")
    parser.add_argument("--json", action="store_true", help="print JSON")
    runs = "instead, how long training and evaluating take here, by timing the student"
    parser.add_argument("--runs", action="store_true", help=runs)
    labels = "instead, how many labelled pairs tell how far each judge can be believed, to within HALF_WIDTH (0.05)"
    parser.add_argument("--labels", nargs="?", type=_read_part, const=0.05, metavar="HALF_WIDTH", help=labels)
    share = "with --labels: the share to assume of a judge that nothing is known of"
    parser.add_argument("--share", type=_read_part, help=share)
    probe = "time the student, some 20 seconds, where nothing was trained or answered here yet"
    parser.add_argument("--probe", action="store_true", help=probe)
    given = parser.parse_args(arguments)
    if odd := [name for name in given.section if name not in SECTIONS]:
        parser.error(f"{odd[0]}: no such section{did_you_mean(odd[0], SECTIONS)}")
    if given.runs:
        return print_durations(read(), given.json)
    if given.labels is not None:
        return tell_labels(read(), given.labels, given.share, given.json)
    study, wanted = read(), given.section or SECTIONS
    known = known_calls(study)
    said = dict[str, Any]()
    losses = look_at_traces(study, known.traces, known.prompts)
    left = [f"{line}; {WAYS_OUT}" for line in find_undeclared(study)]
    left += [*find_absent(study), *known.unread]
    if "calls" in wanted:  # to load a tokenizer takes longer than all else
        left += _find_misread(study, known.stages)
    losses = losses._replace(warnings=[*left, *losses.warnings])
    if "calls" in wanted:
        said |= _tell_calls(study, known.stages, given.json)
    if "power" in wanted:
        power = power_of(study, known.prompts)
        said |= {"power": power_json(study, power)}
        if not given.json:
            print_power(study, power)
    if "time" in wanted:
        took = times(study, known, given.probe)
        said |= {"time": [row._asdict() for row in took]}
        if not given.json:
            print_times(took)
    if "memory" in wanted:
        found = needs(study, known.prompts)
        said |= {"memory": [need._asdict() for need in found]}
        if not given.json:
            print_needs(found)
    if given.json:
        print(json.dumps(said | {"warnings": losses.warnings, "stops": losses.stops}, indent=1))
    print(losses.report(), end="", file=sys.stderr)
    if losses.stops:
        raise Errors([f"{study.path}: {line}" for line in losses.stops])


def _read_part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = 0.0
    if not 0 < part < 1:
        raise ArgumentTypeError(f"{text!r} is no number between 0 and 1")
    return part


def _tell_calls(study: Study, stages: list[StageCalls], as_json: bool) -> dict[str, Any]:
    """The calls as plain data, printed unless `as_json`."""
    planned = forecast(study, stages)
    total = {name: sum(getattr(stage, name) for stage in planned) for name in SUMMED}
    with Ledger(study.ledger, study.budget) as ledger:
        spent = ledger.spending()
    if not as_json:
        print_calls(planned, total, study.budget, spent)
    caps = {"max_calls": study.budget.max_calls, "max_usd": study.budget.max_usd}
    budget = {"calls_made": spent.calls, "usd_spent": spent.usd, **caps}
    return {"stages": [stage._asdict() for stage in planned], "total": total, "budget": budget}


def _find_misread(study: Study, stages: list[StageCalls]) -> Iterator[str]:
    """What is said of generators that are to be asked here, whose prompts open a block that their rule does not know,
    or do not open one that it does."""
    for stage, name, settings, _, missing, _ in stages:
        if stage == "generate" and missing and has_tokenizer(settings):
            rule = study.generators[name].reasoning
            yield from look_at_prompt(name, rule, settings.model, settings.revision, missing[0])


def print_calls(planned: list[Stage], total: dict[str, Any], budget: Budget, spent: Spending) -> None:
    if planned:
        at_most = pl.when("at_most").then(pl.lit("at most")).otherwise(pl.lit("")).alias("at_most")
        rows = pl.DataFrame(planned, orient="row", schema_overrides={"usd_batched": pl.Float64}).with_columns(at_most)
        idle = [name for name in ("cached_tokens", "usd_batched") if not any(rows[name])]
        print_rows(rows.drop("model", *idle))
    dollars = f"${total['usd']:.2f} (${total['usd_low']:.2f} to ${total['usd_high']:.2f})"
    print(f"{total['to_make']} calls to make of {total['calls']}, {dollars}")
    caps = {"max_calls": budget.max_calls, "max_usd": budget.max_usd}
    named = ", ".join(f"budget.{name}: {cap:g}" for name, cap in caps.items() if cap is not None) or "no budget"
    print(f"attempts bought here so far: {spent.calls}, ${spent.usd:.2f}; {named}")
    if cheaper := [stage for stage in planned if stage.usd_batched is not None and stage.to_make]:
        saved = sum(stage.usd - (stage.usd_batched or 0.0) for stage in cheaper)
        names = ", ".join(f"{stage.stage} {stage.name}" for stage in cheaper)
        print(f"`curation batch write` would save ${saved:.2f} of it: {names}")
    if unpriced := sorted({stage.model for stage in planned if stage.to_make} - budget.prices.keys()):
        print(f"no price in budget.prices, so counted as $0: {', '.join(unpriced)}")
    too_many = budget.max_calls is not None and spent.calls + total["to_make"] > budget.max_calls
    too_dear = budget.max_usd is not None and spent.usd + total["usd"] > budget.max_usd
    if too_many or too_dear:
        print("the budget will stop this run")
