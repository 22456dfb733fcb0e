"""The lines of params.yaml that read the labels: as a truth, person by person, and their scores."""

import json
import re
from collections.abc import Sequence

from curation.core.study import Study
from curation.explore.labels.gold import GOLD, Gold
from curation.explore.labels.work import find_dimensions
from curation.tables.contracts import SIDES

TEXTS = "{{trace_id: {0}.trace_id, completion: {0}.completion, reasoning: {0}.reasoning}}"
AT_RANDOM = "sample.kind = 'random'"
ORDERS = ",\n            a_first: [chosen_first], b_first: [rejected_first]"


def write_snippet(gold: Gold, study: Study) -> str:
    """The entries, each under its section. A name is one that the study has for these labels or for nothing."""
    sections = (study.judges, study.pairwise_judges, study.delta.panels)
    taken = {name for section in sections for name, one in section.items() if getattr(one, "path", None) != str(GOLD)}
    people = _free("people", taken)
    lines = ["pairwise_judges:", *_verdicts(people, AT_RANDOM)]
    for labeller in sorted(gold.labels) if len(gold.labels) > 1 else ():
        name = _free("person_" + re.sub(r"[^a-z0-9]", "_", labeller.lower()), taken)
        lines += _verdicts(name, f"labeller = {_sql(labeller)} and {AT_RANDOM}", alone=True)
    if dimensions := find_dimensions(gold):
        lines += ["judges:", *_scores(_free("people_scores", taken), dimensions)]
    return "\n".join([*lines, f"reliability: {{truth: {people}}}", f"calibrate: {{truth: {people}}}", ""])


def _verdicts(name: str, where: str, alone: bool = False) -> list[str]:
    """A judge of verdicts: of all labellers without who was shown first, for they were shown it in different orders and
    would not be compared; of one of them with it."""
    return [
        f"  {name}:",
        *_file(where),
        *(f"    {side}: {TEXTS.format(of)}" for side, of in zip("ab", SIDES, strict=True)),
        "    verdict: verdict",
        f"    words: {{a: [chosen], b: [rejected], tie: [tie, both_bad]{ORDERS if alone else ''}}}",
        *(["    order: order"] if alone else []),
    ]


def _scores(name: str, dimensions: Sequence[str]) -> list[str]:
    """A judge of scores, of both sides of each row."""
    responses = []
    for side in SIDES:
        named = ", ".join(f"{name}: {side}.scores.{name}" for name in dimensions)
        responses.append(f"      - {{trace: {TEXTS.format(side)}, dimensions: {{{named}}}}}")
    return [f"  {name}:", *_file(AT_RANDOM), "    responses:", *responses]


def _file(where: str) -> list[str]:
    return [
        "    kind: imported",
        f"    path: {GOLD}",
        f"    where: {json.dumps(where, ensure_ascii=False)}",
        "    rater: labeller",
        "    latest: labelled",
        "    unmatched: drop",
    ]


def _free(name: str, taken: set[str]) -> str:
    """`name`, or with the first number that makes it one that is not taken; it is taken then."""
    names = [name, *(f"{name}_{number}" for number in range(2, len(taken) + 3))]
    found = next(one for one in names if one not in taken)
    taken.add(found)
    return found


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
