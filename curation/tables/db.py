"""DuckDB over the tables: a view per table for questions, and the queries of `curation/tables/sql` for stages."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from curation.core.delimiters import DELIMITER
from curation.core.errors import CurationError
from curation.core.params import BASELINE, read
from curation.core.study import Study
from curation.tables import contracts, findings
from curation.tables.contracts import SIDES
from curation.tables.declared import DECLARED, register_declared
from curation.tables.ids import database
from curation.tables.measurements import RUNS
from curation.tables.outdated import refuse_renamed
from curation.tables.texts import normal_text

SQL = Path(__file__).parent / "sql"
PARTS = {  # tables kept in parts: what names the parts
    "traces": ("generators",),
    "judgments": ("judges",),
    "preferences": ("pairwise_judges",),
    "pair_scores": ("scorers",),
    "selections": ("selections",),
    "subsets": ("selections", "arms"),
    "unpaired": ("selections", "arms"),
    "results": (BASELINE, "runs", "models"),
}
PART_COLUMNS = {  # of views of tables whose parts do not say which they are: the column that does
    "pair_scores": "scorer",
    "subsets": "selection",
    "unpaired": "selection",
}
SAFE = {  # settings, the last of which keeps all others as they are
    "memory_limit": "'2GB'",
    "threads": "2",
    "temp_directory": "''",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}
# whole billionths are added, so that neither the order of the rows nor the number of cores changes the last digit; what
# is beyond them is added in its order
BILLIONTHS = "try_cast(x as decimal(28, 9))"
EXACT_MEAN = f"""(
    coalesce(sum({BILLIONTHS})::double, 0)
    + coalesce(sum(x::double order by x) filter ({BILLIONTHS} is null and x is not null), 0)
) / nullif(count(x), 0)"""
OF_SUBSETS = ("subsets", "unpaired")
READ_OF_SUBSETS = ("traces", "pairs", *OF_SUBSETS, "reliability")
TRAINED = "trained"  # the view of the table `runs`, which the view `runs` joins to what params declare
# all that `connect` may make
VIEWS = (*contracts.TABLES, TRAINED, "deltas", *DECLARED, "truth", "candidates", "findings", "fits")


def query(name: str, frames: Mapping[str, pl.DataFrame], **params: Any) -> pl.DataFrame:
    """The rows of `curation/tables/sql/<name>.sql` over `frames`, which it sees as tables, with its `$name`
    parameters set."""
    with database().cursor() as connection:
        for view, frame in frames.items():
            connection.register(view, frame.to_arrow())
        rows: pl.DataFrame = connection.sql((SQL / f"{name}.sql").read_text(), params=params or None).pl()
        return rows


def connect(
    params: str | Path | Study = "params.yaml", safe: bool = False, subsets: Collection[str] | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with one view per table that exists beside `params` (a path, or what was read of it),
    `deltas`, all judges long, and what params declares: `arms`, `runs`, `scales`, `subset_rules` and
    `ranking_judges`; `truth`, which side of a pair is right; `candidates`, what expressions of selections name; and
    `findings`, what one should see of each subset. `normal_text` of two texts that are the same is equal, and
    `delimiter_in` of a text is its first delimiter of reasoning, '' where it has none. `exact_mean` is `avg`, the same
    on however many threads.

    Views are made from the names that params declares, so a deleted judge's file is not read; with `subsets` only what
    findings of these are read from. `safe`: its SQL opens no file, no network and no extension, and changes no setting;
    it has the tables from pyarrow. Raises CurationError on bad params.
    """
    study = params if isinstance(params, Study) else read(Path(params))
    data = study.path.parent / contracts.DATA
    connection = duckdb.connect()
    source = _Files(connection, safe)
    try:
        connection.execute(f"create macro normal_text(text) as {normal_text('text')}")
        connection.execute(f"create macro exact_mean(x) as {EXACT_MEAN}")
        connection.execute(f"create macro delimiter_in(text) as regexp_extract(text, '{DELIMITER}')")
        for name in contracts.TABLES if subsets is None else READ_OF_SUBSETS:
            files = part_files(study, name, data) if name in PARTS else [contracts.path(name, data=data)]
            if subsets is not None and name in OF_SUBSETS:
                files = [file for file in files if file.stem in subsets]
            _view(source, TRAINED if name == "runs" else name, [file for file in files if file.exists()])
        if subsets is None:
            _deltas_view(source, study, data)
        register_declared(connection, study)
        _runs_view(connection)
        _findings_view(source, study, data)
        if subsets is None:
            _candidates_view(source, study, data)
        for setting, value in SAFE.items() if safe else ():
            connection.execute(f"set {setting} = {value}")
    except (duckdb.Error, ValueError, OSError) as error:
        raise CurationError(
            f"a table is damaged, delete it and `dvc repro` makes it again: {' '.join(str(error).split())}"
        ) from None
    return connection


def absent_parts(study: Study) -> list[Path]:
    """The files that tables kept in parts lack, of those tables that have some: a failed stage has none, because DVC
    removes it first."""
    data = study.path.parent / contracts.DATA
    absent: list[Path] = []
    for name in PARTS:
        files = part_files(study, name, data)
        missing = [file for file in files if not file.exists()]
        absent += missing if len(missing) < len(files) else []
    return absent + [
        file
        for name in study.dimensions
        if not (file := contracts.path("deltas", name, data)).exists() and (data / "deltas").exists()
    ]


def part_files(study: Study, table: str, data: Path) -> list[Path]:
    """Where the parts of a table lie, whether or not they are there."""
    return [
        contracts.arm_path(table, name, data) if section == "arms" else contracts.path(table, name, data)
        for section in PARTS[table]
        for name in ([BASELINE] if section == BASELINE else _names(study, section))
    ]


def _names(study: Study, section: str) -> Iterable[str]:
    names: Iterable[str] = study.models.folders if section == "models" else getattr(study, section)
    return names


class _Files:
    """Parquet files as SQL names them: read by DuckDB itself, or by pyarrow where DuckDB may open none."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, safe: bool) -> None:
        self.connection, self.safe = connection, safe

    def rows_of(self, file: Path) -> str:
        """What stands after `from`."""
        if not self.safe:
            return f"read_parquet({_quote(file)})"
        from pyarrow import dataset

        self.connection.register(str(file), dataset.dataset(file, format="parquet"))
        return '"' + str(file).replace('"', '""') + '"'


def _view(files: _Files, name: str, parts: list[Path]) -> None:
    """A view of the rows of `parts`, with the name of each row's part where the rows do not say it."""
    part_column = PART_COLUMNS.get(name)
    if not parts:
        return
    for file in parts:
        refuse_renamed(name, file)
    columns = {file: "*" if part_column is None else f"{_quote(file.stem)} as {part_column}, *" for file in parts}
    selects = [f"select {columns[file]} from {files.rows_of(file)}" for file in parts]
    files.connection.execute(f"create view {name} as {' union all by name '.join(selects)}")


def _deltas_view(files: _Files, study: Study, data: Path) -> None:
    """`deltas`, a row per pair, judge and dimension, over the wide file of each judge."""
    selects = []
    for name, dimensions in study.dimensions.items():
        file = contracts.path("deltas", name, data)
        if file.exists():
            refuse_renamed("deltas", file)
            rows = files.rows_of(file)
            selects += [
                f"select pair_id, '{name}' as judge, '{d}' as dimension, "
                f"chosen_{d} as chosen, rejected_{d} as rejected, delta_{d} as delta, "
                f"n_{d} as n, sd_{d} as sd, within_noise_{d} as within_noise, "
                f"{f'bias_{d}' if name in study.pairwise_judges else 'null::double'} as bias "
                f"from {rows}"
                for d in dimensions
            ]
    if selects:
        files.connection.execute(f"create view deltas as {' union all '.join(selects)}")


def _runs_view(connection: duckdb.DuckDBPyConnection) -> None:
    """`runs`: what params declare of each, and what came of it, null where it was not trained."""
    if TRAINED not in views(connection):
        columns = ", ".join(f"null::varchar as {name}" for name in RUNS.schema.names if name != "run")
        connection.execute(f"create view {TRAINED} as select null::varchar as run, {columns} limit 0")
    connection.execute(f"create view runs as select * from declared_runs left join {TRAINED} using (run)")


def _findings_view(files: _Files, study: Study, data: Path) -> None:
    """`truth`; `findings` where there is a subset, `fits` where methods were looked at."""
    files.connection.execute(f"create view truth as {findings.truth(study, data, files.rows_of)}")
    if {"subsets", "unpaired", "traces", "pairs"} <= set(views(files.connection)):
        files.connection.execute(f"create view findings as {(SQL / 'findings.sql').read_text()}")
    if "examples" in views(files.connection):
        files.connection.execute(f"create view fits as {(SQL / 'fits.sql').read_text()}")


def _candidates_view(files: _Files, study: Study, data: Path) -> None:
    """`candidates`, pairs with what expressions name beside them: chosen, rejected, prompt, and each judge and
    scorer, are a column that holds a row."""
    if not {"pairs", "traces", "prompts"} <= set(views(files.connection)):
        return
    traces = "select * exclude (reasoning, completion) from traces"
    if "renderings" in views(files.connection):
        counted = "select trace_id, tokens, reasoning_tokens, completion_tokens from renderings"
        traces = f"from ({traces}) left join ({counted}) using (trace_id)"
    joined = [(side, f"({traces})", "trace_id", f"{side}_trace_id") for side in SIDES]
    joined.append(("prompt", "(select * exclude (prompt, messages) from prompts)", "prompt_id", "prompt_id"))
    for table, names in (("deltas", study.dimensions), ("pair_scores", study.scorers)):
        paths = {name: contracts.path(table, name, data) for name in names}
        joined += [(name, files.rows_of(file), "pair_id", "pair_id") for name, file in paths.items() if file.exists()]
    columns = ", ".join(f'row{number}.whole as "{name}"' for number, (name, *_) in enumerate(joined))
    joins = [
        f"left join (select own.{theirs} as id, own as whole from {rows} as own) as row{number} "
        f"on row{number}.id = p.{ours}"
        for number, (_, rows, theirs, ours) in enumerate(joined)
    ]
    files.connection.execute(f"create view candidates as select p.*, {columns} from pairs as p {' '.join(joins)}")


def _quote(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of the views that `connect` made, in order."""
    made = "select view_name from duckdb_views() where not internal and view_name not like '%.parquet' order by all"
    return [name for (name,) in connection.sql(made).fetchall()]


def questions() -> dict[str, str]:
    """The documented questions: name and SQL text."""
    return {file.stem: file.read_text() for file in sorted((SQL / "questions").glob("*.sql"))}


def checks() -> dict[str, str]:
    """The checks, each of which returns no rows on sound tables: name and SQL text."""
    return {file.stem: file.read_text() for file in sorted((SQL / "checks").glob("*.sql"))}
