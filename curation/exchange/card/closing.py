"""What a reader must know before using the rows, under which licences, how to check them and how to cite them."""

import hashlib
import re
from collections.abc import Iterator

import curation
from curation.exchange.card.facts import Facts
from curation.exchange.card.header import title
from curation.exchange.card.markdown import code, fence, listed, section, table
from curation.experiment.estimate import THIS_RUN


def limits(facts: Facts) -> list[str]:
    """The section on limits: what the tables say, and what was not looked at."""
    return section("Limits", [f"- {sentence}" for sentence in _limits(facts)], [""])


def _limits(facts: Facts) -> Iterator[str]:
    yield from _suspects(facts)
    if (truth := facts.study.reliability.truth) is None:
        yield "No judge was taken for the truth, so how often the chosen answer is the right one is not known."
    else:
        yield f"Right and wrong are what {code(truth)} says."
    if facts.ask("contrasts", f"select 1 from contrasts where scope = '{THIS_RUN}' limit 1"):
        yield "No arm was trained with two seeds: what was learnt holds for these runs, on other prompts."
    elif not facts.ask("comparisons", "select 1 from comparisons where gain is not null limit 1"):
        yield "What a model learns from these rows was not measured."
    if any(source.kind == "reasoning_gym" and source.split == "train" for source in facts.study.sources.values()):
        yield "Prompts are made from templates; they are not what people ask."
    if undeclared := [f"`{one.section}.{one.name}`" for one in facts.licences if not one.licence]:
        yield f"No license is declared for {listed(undeclared)}."
    yield "The answers are models' own and may be wrong; no filter for personal data or harmful content was applied."


def _suspects(facts: Facts) -> Iterator[str]:
    """What a selection ranks by that is suspect."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in facts.ask("ranking_judges reliability", """
        select distinct r.selection, judge, dimension, measure
        from ranking_judges as r join reliability using (judge, dimension)
        where suspect and list_contains($names, r.selection) order by all""", names=facts.selections):  # fmt: skip
        found.setdefault((row["selection"], f"{row['judge']}.{row['dimension']}"), []).append(f"`{row['measure']}`")
    for (name, judge), measures in found.items():
        suspect = "is suspect" if len(measures) == 1 else "are suspect"
        yield f"{code(name)} ranks by {code(judge)}, of which {listed(measures)} {suspect}."


def licences(facts: Facts) -> list[str]:
    """The section on licenses, an entry a line."""
    rows = [
        (f"`{one.section}.{one.name}`", code(one.licence) if one.licence else "not declared") for one in facts.licences
    ]
    told = ["Rows come under the licenses of what they were made from.", ""] if rows else []
    return section("Licenses", told, table(("of", "license"), rows))


def verifying() -> list[str]:
    """The section on how the release is checked."""
    told = "`SHA256SUMS` has the hash of every file, `study/params.yaml` every setting, and `study/data/` the tables:"
    return section(
        "How to verify it",
        [told, ""],
        fence("sha256sum -c SHA256SUMS\ncuration verify-release .", "sh"),
        ["The first says that every file is as it was released, the second that the rows follow from what is here. "
         f"Neither needs a network or a key. It was made with `curation` {curation.__version__}.", ""],
    )  # fmt: skip


def citing(facts: Facts) -> list[str]:
    """The section on how to cite it. The version is of the rows alone: the same rows have the same."""
    sums = [hashlib.sha256((facts.folder / config.file).read_bytes()).hexdigest() for config in facts.configs]
    version = hashlib.sha256("".join(sums).encode()).hexdigest()[:12]
    key = f"{re.sub('[^a-z0-9]+', '-', facts.configs[0].arm)}-{version}"
    called = title(facts.configs).replace("_", r"\_")
    note = f"Version {version}, made with curation {curation.__version__}"
    return section(
        "How to cite it", fence(f"@misc{{{key},\n  title = {{{called}}},\n  note = {{{note}}}\n}}", "bibtex")
    )
