"""The lines of params.yaml that read the labels: as a truth, person by person, and their scores."""

import json
import re
from collections.abc import Sequence

from curation.core.study import Study
from curation.explore.labels.gold import Gold
from curation.explore.labels.work import find_dimensions
from curation.tables.contracts import SIDES

TEXTS = "{{trace_id: {0}.trace_id, completion: {0}.completion, reasoning: {0}.reasoning}}"
AT_RANDOM = "sample.kind = 'random'"
ORDERS = ",\n            a_first: [chosen_first], b_first: [rejected_first]"


def write_snippet(gold: Gold, study: Study | None) -> str:
    """The entries, each under its section. A name is one that the study, if there is one, has for these labels or for
    nothing."""
    sections = (study.judges, study.pairwise_judges, study.delta.panels) if study else ()
    file = gold.path.as_posix()
    taken = {name for section in sections for name, one in section.items() if getattr(one, "path", None) != file}
    people = _free("people", taken)
    lines = ["pairwise_judges:", *_verdicts(people, file, AT_RANDOM)]
    for labeller in sorted(gold.labels) if len(gold.labels) > 1 else ():
        name = _free("person_" + re.sub(r"[^a-z0-9]", "_", labeller.lower()), taken)
        lines += _verdicts(name, file, f"labeller = {_sql(labeller)} and {AT_RANDOM}", alone=True)
    if dimensions := find_dimensions(gold):
        lines += ["judges:", *_scores(_free("people_scores", taken), file, dimensions)]
    return "\n".join([*lines, f"reliability: {{truth: {people}}}", f"calibrate: {{truth: {people}}}", ""])


def _verdicts(name: str, file: str, where: str, alone: bool = False) -> list[str]:
    """A judge of verdicts: of all labellers without who was shown first, for they were shown it in different orders and
    would not be compared; of one of them with it."""
    return [
        f"  {name}:",
        *_file(file, where),
        *(f"    {side}: {TEXTS.format(of)}" for side, of in zip("ab", SIDES, strict=True)),
        "    verdict: verdict",
        f"    words: {{a: [chosen], b: [rejected], tie: [tie, both_bad]{ORDERS if alone else ''}}}",
        *(["    order: order"] if alone else []),
    ]


def _scores(name: str, file: str, dimensions: Sequence[str]) -> list[str]:
    """A judge of scores, of both sides of each row."""
    responses = []
    for side in SIDES:
        named = ", ".join(f"{name}: {side}.scores.{name}" for name in dimensions)
        responses.append(f"      - {{trace: {TEXTS.format(side)}, dimensions: {{{named}}}}}")
    return [f"  {name}:", *_file(file, AT_RANDOM), "    responses:", *responses]


def _file(file: str, where: str) -> list[str]:
    return [
        "    kind: imported",
        f"    path: {_plain(file)}",
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


def _plain(text: str) -> str:
    return text if re.fullmatch(r"[\w./-]+", text, re.ASCII) else json.dumps(text, ensure_ascii=False)


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
