"""Tables in data/ that were made under another params.yaml than the one beside them: of another study, or of this one
before an edit."""

from collections.abc import Iterator
from contextlib import suppress

import duckdb
import polars as pl

from curation.core.errors import CurationError
from curation.core.messages import first_names
from curation.core.study import Study
from curation.tables.contracts import DATA

REFUSED = {"traces": "generators", "judgments": "judges", "preferences": "pairwise_judges"}  # table: its section
WAYS_OUT = "`curation aside` moves a study's tables away, `curation orphans --delete` deletes what an edit left behind"
MOST_NAMED = 3
FIRST_IDS = {  # of each part of a table: its name, and an id that another table must have
    ("traces", "prompts"): "select generator, min(prompt_id) as prompt_id from traces group by all",
    ("judgments", "traces"): "select judge, min(trace_id) as trace_id from judgments group by all",
    ("pairs", "traces"): "select 'pairs', min(chosen_trace_id) as trace_id from pairs having trace_id is not null",
}


def refuse_undeclared(study: Study) -> None:
    """Nothing. Raises CurationError if there are traces, judgments or preferences of names that the study does not
    declare: a later stage would refuse them, when calls are paid for."""
    if lines := list(find_undeclared(study)):
        raise CurationError(f"{'; '.join(lines)}; {WAYS_OUT}")


def refuse_other_prompts(traces: pl.DataFrame, prompts: pl.DataFrame) -> None:
    """Nothing. Raises CurationError if a trace is of a prompt that is not there: one of the tables is another
    study's, or was made before an edit."""
    ids = traces["prompt_id"].unique()
    if lost := ids.len() - int(ids.is_in(prompts["prompt_id"].implode()).sum()):
        raise CurationError(
            f"{DATA / 'traces'}: {lost} of the {ids.len()} prompts that its traces are of are not in "
            f"{DATA / 'prompts.parquet'}: made before an edit, or by another study; `dvc repro` makes both anew, "
            "`curation aside` moves another study's tables away"
        )


def find_undeclared(study: Study) -> Iterator[str]:
    """A line for each table with parts that the study does not declare, of those that stages refuse then."""
    for table, section in REFUSED.items():
        files = sorted((study.path.parent / DATA / table).glob("*.parquet"))
        if names := [f"'{file.stem}'" for file in files if file.stem not in study.names(section)]:
            yield f"{DATA / table}: {study.path} declares no {first_names(names, MOST_NAMED)}"


def find_unlike(connection: duckdb.DuckDBPyConnection, study: Study, views: list[str]) -> Iterator[str]:
    """A line for each table, of those seen through `db.connect`, that does not go with params.yaml or with the table
    that its rows refer to, as far as the first row of each part tells. Of a table that cannot be read, what asks for
    its rows tells."""
    with suppress(duckdb.Error):
        if "prompts" in views:
            sources = connection.sql("select distinct source from prompts order by all").fetchall()
            if others := [f"'{name}'" for (name,) in sources if name not in study.sources]:
                yield f"prompts are of {first_names(others, MOST_NAMED)}, which {study.path} does not declare"
    for (table, referred), ids in FIRST_IDS.items():
        if table in views and referred in views:
            with suppress(duckdb.Error):
                key = f"{referred.removesuffix('s')}_id"
                rows = connection.sql(f"from ({ids}) anti join {referred} using ({key}) order by all").fetchall()
                if names := [str(name) for name, _ in rows]:
                    where = "" if names == [table] else f" of {first_names(names, MOST_NAMED)}"
                    yield f"{table}{where} are of other {referred} than are there"
