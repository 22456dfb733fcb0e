"""What the study is, in words made from params.yaml."""

from collections.abc import Iterator, Mapping, Sequence

from curation.core.text import say_count
from curation.explore.report.asking import Asked

ORDERS = {
    "ladder": "the chosen trace is by the generator that stands first in {ladder}",
    "scale": "the chosen trace is by the generator with more parameters",
    "both": "every two traces are two pairs, one for each order",
    "listed": "pairs and their order are those of the preference sets",
}
KEEPS = {"top": "the highest", "bottom": "the lowest", "random": "random ones"}
MOST = 12  # names that a sentence lists


def say_study(asked: Asked) -> Iterator[tuple[str, str]]:
    """Sentences, each under a heading of a word or two. What the study does not have is left out."""
    study = asked.study
    train = [name for name, source in study.sources.items() if source.split == "train"]
    if train:
        yield "Prompts", f"Train prompts are of {_listed(train)}."
    if study.benchmarks:
        splits = [f"{name} ({study.splits[name].replace('_', ' ')})" for name in study.splits]
        yield "Benchmarks", f"Students are measured on {_listed(splits)}."
    if study.generators:
        sizes = {name: f"{one.scale_b:g} B" for name, one in study.generators.items() if one.scale_b is not None}
        yield "Generators", f"Traces are by {_listed([_with(name, sizes) for name in study.generators])}."
    yield "Pairs", f"{_begin(ORDERS[study.pair.order].format(ladder=' > '.join(study.pair.ladder)))}."
    kinds = {name: body.kind for name, body in (study.judges | study.pairwise_judges).items()}
    if kinds:
        panels = f" Panels: {_listed(list(study.delta.panels))}." if study.delta.panels else ""
        yield "Judges", f"Traces and pairs are judged by {_listed([_with(name, kinds) for name in kinds])}.{panels}"
    if truth := study.reliability.truth:
        yield "Truth", f"What is right is what {truth} says."
    for name in list(study.selections)[:MOST]:
        yield f"Selection {name}", f"{_say_selection(asked, name)}."
    if study.runs:
        methods = f"{_listed(list(study.grid.methods))}" if study.grid.methods else "the declared methods"
        yield "Grid", f"{say_count(len(study.runs), 'run')} over {say_count(len(study.arms), 'arm')}: {methods}."
    if study.contrasts:
        primary = study.compare.primary
        said = f" The primary one is {primary}." if primary else ""
        yield "Contrasts", f"{say_count(len(study.contrasts), 'contrast is', 'contrasts are')} declared.{said}"


def _say_selection(asked: Asked, name: str) -> str:
    settings = asked.study.selections[name]
    by = "" if settings.value is None else f" by {settings.value}"
    must = f", of those with {' and '.join(settings.require.values())}" if settings.require else ""
    if settings.budget is None:
        return f"Keeps every candidate that nothing drops{must}" if not by else f"Keeps every candidate{by}{must}"
    sizes = " and ".join(f"{size:g} {unit}" for unit, size in settings.budget.items())
    return f"Keeps {sizes}, {KEEPS.get(settings.keep.kind, settings.keep.kind)}{by}{must}"


def _begin(sentence: str) -> str:
    """With a capital letter, and names in it as they are."""
    return sentence[:1].upper() + sentence[1:]


def _with(name: str, said: Mapping[str, str]) -> str:
    return f"{name} ({said[name]})" if name in said else name


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:MOST])
    more = len(names) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])])
