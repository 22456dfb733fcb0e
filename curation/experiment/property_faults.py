"""What is wrong with the expressions of a contrast that can be known before there is a pair: what is the same of all,
and what is set against itself."""

import itertools
from collections.abc import Iterator, Mapping

import polars as pl

from curation.core.messages import show_value
from curation.core.references import NAME_GENERATORS
from curation.core.study import Study
from curation.selection.column_names import OF_GENERATORS, SOFT
from curation.tables.contracts import SIDES
from curation.tables.expressions.evaluation import evaluate
from curation.tables.expressions.syntax import parse

SCORED = (*SIDES, "delta", OF_GENERATORS, SOFT)  # columns of a judge that are made of the scores of a dimension
OF_GENERATOR = ("generator", "family", "scale_b")  # of a side, what params.yaml says of who wrote it


def find_constant(places: Mapping[str, str], study: Study) -> Iterator[str]:
    """A line about each of the expressions, by where they stand, that is the same of all pairs the study may have."""
    for place, text in places.items():
        if _is_constant(text, study):
            shown = show_value(text)
            yield f"{place}: {shown} is the same of all pairs, so there is no slope; name what they differ in"


def find_twice(places: Mapping[str, str]) -> Iterator[str]:
    """A line about each of the expressions that stands there already."""
    first = dict[str, str]()
    for place, text in places.items():
        if (other := first.setdefault(" ".join(text.split()), place)) != place:
            yield f"{place}: is what {other} is, so the two cannot be told apart; leave one out"


def find_circular(values: Mapping[str, str], by: str, where: str | None, study: Study) -> Iterator[str]:
    """A line about what a slope of `values`, by where they stand, is set against or picked by that is made of the same
    scores: it would be there, and its p small, whatever the scores were."""
    for place, value in values.items():
        for other, text in (("trend.by", by), ("trend.where", where or "true")):
            if both := sorted(_find_scores(value, study) & _find_scores(text, study)):
                judge, dimension = both[0]
                what = "set against" if other == "trend.by" else "picked by"
                yield (
                    f"{other}: {show_value(text)} is made of {judge}'s scores of {dimension}, as is {place}; scores "
                    f"that are {what} themselves give a slope by construction; name another judge's, or what the "
                    "generators differ in"
                )


def _is_constant(text: str, study: Study) -> bool:
    """Whether an expression has one value, or none, for all pairs of the generators that may write them; False where
    something else decides it."""
    named = parse(text).columns
    known = [(f"{side}_model",) for side in SIDES] + [(side, name) for side in SIDES for name in OF_GENERATOR]
    if parse(text).has_window or not set(named) <= set(known):
        return False
    pairs = _list_pairs(study)
    if not named:
        pairs = pl.DataFrame({"chosen_model": ["a"]})
    elif pairs.is_empty():  # or not known
        return False
    return evaluate({"value": text}, pairs)["value"].n_unique() == 1


def _list_pairs(study: Study) -> pl.DataFrame:
    """What is known of the sides of each pair of generators, either way round; no rows where users' files name them."""
    generators, pair, rows = study.generators, study.pair, list[dict[str, object]]()
    if any(one.kind in NAME_GENERATORS for one in generators.values()):
        return pl.DataFrame()
    either = itertools.product(pair.chosen or generators, pair.rejected or generators)
    for one, other in itertools.chain.from_iterable((pair, pair[::-1]) for pair in either):  # labels may be reversed
        if one != other or pair.within_generator:
            rows.append({})
            for side, name in zip(SIDES, (one, other), strict=True):
                settings = generators[name]
                of_side = {"generator": name, "family": settings.family, "scale_b": settings.scale_b}
                rows[-1] |= {f"{side}_model": name} | {f"{side}.{field}": value for field, value in of_side.items()}
    return pl.DataFrame(rows, schema_overrides={f"{side}.scale_b": pl.Float64() for side in SIDES})


def _find_scores(text: str, study: Study) -> set[tuple[str, str]]:
    """The judges and dimensions whose scores an expression is made of; of a panel, its members' too."""
    found = set[tuple[str, str]]()
    for judge, column in (name for name in parse(text).columns if len(name) == 2):
        for dimension in study.dimensions.get(judge, []):
            if column in [f"{kind}_{dimension}" for kind in SCORED]:
                found |= {(judge, dimension), *_of_panel(judge, dimension, study)}
    return found


def _of_panel(judge: str, dimension: str, study: Study) -> Iterator[tuple[str, str]]:
    if (panel := study.delta.panels.get(judge)) is not None:
        yield from ((member.judge, member.dimension) for member in panel.members)
