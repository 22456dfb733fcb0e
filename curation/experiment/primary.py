"""What decides the primary contrast: the question, and the settings that its names stand for."""

from collections.abc import Iterator, Mapping
from typing import Any

from curation.core.canonical import list_texts
from curation.core.study import Study
from curation.experiment.contrast_rows import AnyRow, DeltaRow, Fixed, Joint, Row, expand_all
from curation.experiment.terms import ARM, arm_name

# of a model's settings, where it runs
MACHINE = dict.fromkeys(("endpoint", "device", "batch_size"), True)
ELSEWHERE = {**MACHINE, "engine": MACHINE}


def declare(name: str, study: Study) -> dict[str, Any]:
    """The contrast as plain data: its terms with their weights, benchmarks, measure and margin; the seeds and draws of
    its arms; and what params.yaml says of their methods, selections, controls and generator pairs, of the prompts,
    generators and pairs that they are made of, of the judges that rank and grade, of the student and of how answers are
    sampled. An edit of any of these is another declaration. Where it runs, what it costs and what files hold are not in
    it."""
    row = next(row for row in expand_all(study) if row.name == name)
    arms = {arm for one in _rows(row) for term in one.terms for arm in term}
    used = {axis: sorted({arm[ARM.index(axis)] for arm in arms} - {""}) for axis in ARM}
    runs = [
        [run.method, *run.arm[:-1], run.arm.draw, run.seed]
        for run in study.runs.values()
        if (run.method, *run.arm[:-1]) in arms
    ]
    evaluate = study.evaluate.model_dump(mode="json", exclude_none=True, exclude={"engine"})
    if (dtype := getattr(study.evaluate.engine, "dtype", None)) is not None:  # in which the weights answer
        evaluate |= {"dtype": dtype}
    declaration = {
        "contrast": _question(row),
        "runs": sorted(runs, key=str),
        "methods": _settings(study.methods, used["method"]),
        "selections": _settings(study.selections, used["selection"]),
        "generator_pairs": _settings(study.generator_pairs, used["generator_pairs"]),
        "controls": _settings(study.controls, used["control"]),
        "sources": _settings(study.sources, _sources(row, study)),
        "decontaminate": study.decontaminate.model_dump(mode="json"),
        "generators": _settings(study.generators, _generators(study)),
        "pair": study.pair.model_dump(mode="json", exclude_none=True),
        "delta": study.delta.model_dump(mode="json", exclude={"panels"}),
        "student": study.student.model_dump(mode="json", exclude_none=True, exclude={"device"}),
        "evaluate": evaluate if arms else {},
    }
    if measured := _settings(study.results, sorted({name for one in _rows(row) for name in one.benchmarks})):
        declaration["results"] = {name: _without_places(settings) for name, settings in measured.items()}
    return declaration | {"judges": _settings(_raters(study), _find_judges(declaration, study))}


def _sources(row: AnyRow, study: Study) -> list[str]:
    """Those to train on, and the benchmarks that the contrast is of."""
    asked = {name for one in _rows(row) for name in one.benchmarks}
    return [name for name, source in study.sources.items() if name in asked or source.split == "train"]


def _without_places(measured: dict[str, Any]) -> dict[str, Any]:
    """What is said of a benchmark of another harness, but for where logs lie."""
    return {name: value for name, value in measured.items() if name != "runs"}


def _generators(study: Study) -> list[str]:
    """Those whose traces may be in pairs."""
    pair = study.pair
    named = {*(pair.ladder if pair.order == "ladder" else ()), *(pair.chosen or ()), *(pair.rejected or ())}
    return [name for name in study.generators if not named or name in named]


def _raters(study: Study) -> dict[str, Any]:
    """Whatever expressions name a column of."""
    return {**study.judges, **study.pairwise_judges, **study.delta.panels, **study.scorers}


def _find_judges(declaration: Mapping[str, Any], study: Study) -> list[str]:
    """The one that grades, those that expressions name, and of panels their members."""
    raters = _raters(study)
    found = {name for text in list_texts(declaration) for name in _named(text) if name in raters}
    found |= {judge for judge in [declaration["evaluate"].get("judge")] if judge}
    members = {member.judge for name in found if name in study.delta.panels for member in raters[name].members}
    return sorted(found | members)


def _named(text: str) -> Iterator[str]:
    """What stands before the dots in an expression; nothing where the text is none."""
    from curation.tables.expressions.syntax import parse  # which opens the table engine

    try:
        yield from (name[0] for name in parse(text).columns if len(name) > 1)
    except (ValueError, RecursionError):
        return


def _rows(row: AnyRow) -> tuple[Row, ...]:
    return tuple(one for one in (row.members if isinstance(row, Joint) else (row,)) if isinstance(one, Row))


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
    return {
        name: section[name].model_dump(mode="json", exclude_none=True, exclude=ELSEWHERE)
        for name in names
        if name in section
    }
