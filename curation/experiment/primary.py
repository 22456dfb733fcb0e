"""What decides the primary contrast: the question, and the settings that its names stand for."""

from typing import Any

from curation.core.study import Study
from curation.experiment.contrast_rows import AnyRow, DeltaRow, Fixed, Joint, Row, expand_all
from curation.experiment.terms import ARM, arm_name


def declare(name: str, study: Study) -> dict[str, Any]:
    """The contrast as plain data: its terms with their weights, benchmarks, measure and margin; the seeds and draws of
    its arms; and what params.yaml says of their methods, selections, controls and generator pairs, of the student and
    of how answers are sampled. An edit of any of these is another declaration. Where it runs, what it costs and which
    rows the sources have are not in it."""
    row = next(row for row in expand_all(study) if row.name == name)
    arms = {arm for one in _rows(row) for term in one.terms for arm in term}
    used = {axis: sorted({arm[ARM.index(axis)] for arm in arms} - {""}) for axis in ARM}
    runs = [
        [run.method, *run.arm[:-1], run.arm.draw, run.seed]
        for run in study.runs.values()
        if (run.method, *run.arm[:-1]) in arms
    ]
    return {
        "contrast": _question(row),
        "runs": sorted(runs, key=str),
        "methods": _settings(study.methods, used["method"]),
        "selections": _settings(study.selections, used["selection"]),
        "generator_pairs": _settings(study.generator_pairs, used["generator_pairs"]),
        "controls": _settings(study.controls, used["control"]),
        "student": study.student.model_dump(mode="json", exclude_none=True, exclude={"device"}),
        "evaluate": study.evaluate.model_dump(mode="json", exclude_none=True, exclude={"engine"}),
    }


def _rows(row: AnyRow) -> tuple[Row, ...]:
    return row.members if isinstance(row, Joint) else (row,) if isinstance(row, Row) else ()


def _question(row: AnyRow) -> dict[str, Any]:
    """What is asked; numbers as they are declared, expressions in the place of those that the pairs decide."""
    match row:
        case Joint():
            members = [_question(member) for member in row.members]
            return {"asks": row.asks, "equivalence": row.equivalence, "members": members}
        case DeltaRow():
            asked: dict[str, Any] = {"value": row.value, "where": row.where, "by": row.by}
        case Row():
            if isinstance(row.weighing, Fixed):
                weights: dict[str, Any] = {"weights": list(row.weighing.weights)}
            else:
                on = [one if isinstance(one, str) else list(one) for one in row.weighing.on]
                weights = {"coefficient": row.weighing.number, "on": on}
            terms = [sorted(map(arm_name, term)) for term in row.terms]
            asked = {"terms": terms, **weights, "benchmarks": dict(row.benchmarks), "measure": row.measure}
    margin = None if row.margin is None else row.margin.model_dump(exclude_none=True)
    return {**asked, "margin": margin}


def _settings(section: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Of the names that are in the section, which those of weights trained elsewhere are not."""
    return {name: section[name].model_dump(mode="json", exclude_none=True) for name in names if name in section}
