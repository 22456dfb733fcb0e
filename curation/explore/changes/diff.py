"""What changed between two data versions, all of it: the sections, their figures by name, and the causes."""

from collections.abc import Collection
from typing import Any, NamedTuple

import polars as pl

from curation.core.progress import progress
from curation.explore.changes.causes import Cause, Causes
from curation.explore.changes.context import Context, Section
from curation.explore.changes.deltas import compare_deltas
from curation.explore.changes.gains import compare_contrasts, compare_gains
from curation.explore.changes.kept import compare_arms, compare_selections
from curation.explore.changes.renaming import Renamed, rename
from curation.explore.changes.scores import compare_scores
from curation.explore.changes.tables import compare_tables
from curation.explore.changes.version import Version

SECTIONS = ("tables", "scores", "deltas", "selections", "arms", "contrasts", "gains")
Figure = float | int | bool | str | None


class Diff(NamedTuple):
    """`sections` are tables, scores, deltas, selections, arms, contrasts and gains. `notes` say what could not be
    compared; what is `renamed` is compared under its later name."""

    before: Version
    after: Version
    sections: dict[str, Section]
    causes: list[Cause]
    notes: list[str]
    renamed: list[Renamed]

    def figures(self) -> dict[str, Figure]:
        """Every figure by its section and name, as `selections:overlap.top_step_coherence`."""
        return {
            f"{section}:{column}.{'.'.join(str(row[part]) for part in body.names)}": value
            for section, body in self.sections.items()
            for row in body.figures.to_dicts()
            for column, value in row.items()
            if column not in body.names
        }

    def not_here(self, places: Collection[str]) -> dict[str, bool]:
        """The tables at these places that a version has and this machine has not, and whether both have the same."""
        lacking = (name for version in (self.before, self.after) for place in places for name in version.lacks(place))
        outs = self.before.outs, self.after.outs
        return {name: len({of[name].md5 if name in of else None for of in outs}) == 1 for name in sorted(lacking)}

    def to_json(self, with_rows: bool) -> dict[str, Any]:
        """All of it as JSON has it; 64-bit ids are text."""
        sections = {
            name: {"figures": body.figures.to_dicts()}
            | ({"rows": _text_ids(body.rows).to_dicts()} if with_rows else {})
            for name, body in self.sections.items()
        }
        return {
            "before": self.before.name, "after": self.after.name, **sections,
            "not_compared": [name for name, same in self.not_here(["data"]).items() if not same],
            "causes": [cause._asdict() for cause in self.causes], "notes": self.notes,
            "renamed": [one._asdict() for one in self.renamed],
        }  # fmt: skip


def _text_ids(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(name).cast(pl.String) for name in rows.columns if name in ("id", "pair_id"))


def diff(before: Version, after: Version, rows: Collection[str] = ()) -> Diff:
    """What changed from one version to the other; of the sections in `rows` the rows that changed too. A table that one
    version has not on this machine is left out, and the version's notes say so."""
    renamed = rename(before, after)
    count = sum(len({*before.parts(table), *after.parts(table)})
                for table in ("judgments", "preferences", "deltas", "selections"))  # fmt: skip
    with progress("diff", count, "tables") as shown:
        context, causes = Context(before, after, shown, rows), Causes(before, after, renamed)
        sections = {
            "tables": compare_tables(context),
            "scores": compare_scores(context),
            "deltas": compare_deltas(context),
            "selections": compare_selections(context, causes),
            "arms": compare_arms(context),
            "contrasts": compare_contrasts(context),
            "gains": compare_gains(context),
        }
    return Diff(before, after, sections, causes.all(), [*before.notes, *after.notes], renamed)
