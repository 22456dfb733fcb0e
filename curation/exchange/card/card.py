"""The dataset card of a release: what is in it, how it was made, and how far that can be believed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.calls.counts import WHOSE
from curation.core.errors import write_whole
from curation.core.progress import progress
from curation.core.study import Study
from curation.exchange.card.biases import biases
from curation.exchange.card.closing import citing, limits, verifying
from curation.exchange.card.closing import licences as say_licences
from curation.exchange.card.contents import contents
from curation.exchange.card.costs import costs
from curation.exchange.card.decontaminating import decontamination
from curation.exchange.card.deltas import FOLDER, deltas
from curation.exchange.card.facts import Config, Facts, Licence
from curation.exchange.card.header import header, title
from curation.exchange.card.judges import judges
from curation.exchange.card.learnt import learnt
from curation.exchange.card.making import making
from curation.exchange.card.selecting import selecting
from curation.tables.db import connect, views

CARD = "README.md"
SECTIONS = (making, selecting, judges, deltas, biases, decontamination, costs, learnt, limits, say_licences)


def write(
    folder: Path,
    study: Study,
    configs: Sequence[Config],
    licences: Sequence[Licence] = (),
    calls: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """`folder`, which holds the file of each of the configs, holds README.md and its pictures too. Returns the names
    of the files, within `folder`, that were written.

    `licences` has the licence of each source and generator that a row comes from, `calls` the rows of
    `calls.counts.count_calls`, of which this study's count; the study's tables lie beside its params.yaml. The same
    tables, params and calls give the same bytes. What a table that is not there would say is left out.
    """
    own = [row for row in calls if row["of"] == WHOSE[0]]
    with connect(study) as connection, progress("card", len(SECTIONS), "sections") as shown:
        connection.execute("set threads = 1")  # sums of floats in one order
        facts = Facts(folder, study, configs, licences, own, connection, frozenset(views(connection)))
        (folder / FOLDER).mkdir(exist_ok=True)
        lines = [*header(facts), f"# {title(configs)}", "", *contents(facts)]
        for part in SECTIONS:
            lines += part(facts)
            shown.advance(note=part.__name__)
        lines += [*verifying(), *citing(facts)]
    write_whole(folder / CARD, "\n".join(lines).encode())
    pictures = sorted(f"{FOLDER}/{file.name}" for file in (folder / FOLDER).iterdir())
    if not pictures:
        (folder / FOLDER).rmdir()
    return [CARD, *pictures]


__all__ = ["CARD", "Config", "Licence", "write"]
