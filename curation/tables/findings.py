"""What findings of subsets rest on: how each subset is made, what each selection ranks by, and which side is right."""

from collections.abc import Callable, Iterator
from pathlib import Path

from curation.core.study import Study
from curation.tables import contracts

RATED = (
    *contracts.JUDGED_IN_ORDERS,
    "prompt_mean",
    "prompt_sd",
    "generator_delta",
    "p_chosen",
)  # what expressions call a judge's columns
GRADED = "correct"  # the dimension of a judge of answers: 1 for right, 0 for wrong
NO_TRUTH = "select null::bigint as pair_id, null::double as chosen, null::double as rejected, false as graded limit 0"


def subset_rules(study: Study) -> Iterator[tuple[str, str, str, str, str]]:
    """Of each subset its name, which pairs its selection keeps, where its own pairs come from, its labels, and what its
    unpaired examples are: the traces of its pairs, or labelled ones."""
    examples = {
        name: "of_pairs" if selection.unpaired is None else "labelled" for name, selection in study.selections.items()
    }
    for name, selection in study.selections.items():
        yield name, selection.keep.kind, "own", "as_is", examples[name]
    for name, arm in study.arms.items():
        control, kept = study.controls[arm.control], study.selections[arm.selection].keep.kind
        yield name, kept, control.pairs, control.labels, examples[arm.selection]


def ranking_judges(study: Study) -> Iterator[tuple[str, str, str]]:
    """Of each selection its name, and each judge and dimension that it ranks by."""
    for name, selection in study.selections.items():
        for judge, dimensions in study.dimensions.items():
            for dimension in dimensions:
                if {(judge, f"{kind}_{dimension}") for kind in RATED} & set(selection.ranking_columns):
                    yield name, judge, dimension


def truth(study: Study, data: Path, rows_of: Callable[[Path], str]) -> str:
    """The view `truth` as SQL: how right each side of a pair is, by the judge that reliability takes for the truth. It
    grades answers where its dimension is called correct. `rows_of` names a file's rows."""
    judge = study.reliability.truth
    if judge is None or not (file := contracts.path("deltas", judge, data)).exists():
        return NO_TRUTH
    name = study.dimensions[judge][0]
    graded = str(name == GRADED).lower()
    columns = f"chosen_{name} as chosen, rejected_{name} as rejected, {graded} as graded"
    return f"select pair_id, {columns} from {rows_of(file)}"
