"""What version 0.1 called by another name. A params file or a table of that version is refused once, with the lines to
write or the command to run.

Names that SQL expressions of params.yaml use are those of columns: `tie`, `rubric.spread_logic`, `reference.cut`.
"""

SECTIONS = {"screen": "decontaminate", "tokens": "renderings"}
KEYS = {"pair": {"ties": "identical"}, "audit": {"ties": "identical"}}  # by section
ADDED = {"pair": {"empty": "drop"}}  # keys that a section of version 0.1 lacks, with the values that change least
INNER = {  # keys by where they stand, which DVC's run cache passes over
    "sources.*.tasks.*.size": "prompts",
    "screen.ngram.size": "n",
    "decontaminate.ngram.size": "n",
}
REPLACED = {"calibrate": {"fit_share": ("folds", "5")}}  # keys by section that became others, with their values
MOVED = {"evaluate": {"system": "student"}}  # keys by section: where they stand now
TABLES = {"screened": "decontamination", "tokens": "renderings"}
COLUMNS = {  # by table; a name that ends in `_` is the beginning of several
    "pairs": {"tie": "identical"},
    "deltas": {"spread_": "sd_"},
    "pair_scores": {"cut": "truncated"},
    "subsets": {"place": "curriculum_position"},
    "unpaired": {"place": "curriculum_position"},
}
VALUES = {"status": {"cut": "truncated"}}  # by column
REASONS = {"tie": "identical"}  # of selections
PATTERNS, EXTRACT = "patterns", "extract"  # of a judge of kind answer, where their entries changed too
COMMANDS = {"strays": "orphans"}


def new_column(table: str, name: str) -> str | None:
    """What the column `name` of a table of version 0.1 is called now; None where its name is the same."""
    for old, new in COLUMNS.get(table, {}).items():
        if name == old or (old.endswith("_") and name.startswith(old)):
            return new + name.removeprefix(old)
    return None
