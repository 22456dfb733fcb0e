"""An expression of params.yaml gives exactly one value for each row, the same every time: what does not is refused when
params are checked, and nothing of it is evaluated before.

Kinds of fault: several values or none for a row, so that they land on other rows; more than one expression; a value
that no table can hold; a value that depends on the clock, the machine or the order of work; text that grows without
bound; whatever reads outside the row.
"""

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from curation.tables.expressions.evaluation import ResultType, evaluate, fault
from curation.tables.expressions.functions import AGGREGATES, OPERATORS, SCALARS, WINDOWS
from curation.tables.expressions.syntax import MOST_CHARACTERS, engine
from curation.tables.user_filter import find_kept

ROOT = Path(__file__).parents[1]
SCHEMA = {
    ("pair_id",): pl.Int64(),
    ("chosen", "characters"): pl.Int64(),
    ("identical",): pl.Boolean(),
    ("prompt", "source"): pl.String(),
}
ROWS = pl.DataFrame({
    "pair_id": [2**63 - 1, 1, 2],
    "chosen.characters": [10, None, 30],
    "identical": [True, None, False],
    "prompt.source": ["a", "b", "a"],
})  # fmt: skip
SEVERAL = [  # values for a row, or rows of their own
    "unnest([1, 2])", "unnest([chosen.characters, 2])", "unnest({'a': 1})", "generate_series(1, 3)", "range(3)",
    "regexp_split_to_table('a b', ' ')", "chosen.*", "*", "* exclude (pair_id)", "columns('c.*')", "columns(*)",
    "(select 1)", "(select 1 union all select 2)", "exists(select 1)", "1 in (select 1)", "1 = any(select 1)",
    "1 = any([1])", "array(select 1)", "avg(chosen.characters)", "count(*)", "sum(1)", "count(*) filter (identical)",
    "chosen.characters - max(chosen.characters)", "first(identical)", "list(pair_id)", "grouping(identical)",
]  # fmt: skip
MORE_THAN_ONE = [
    "1) union all select (2", "1) union select (2", "1) except select (2", "1) intersect select (2", "1), (2", "1, 2",
    "1) as a, (2", "1) limit (0", "1) limit 0 offset (1", "1) order by (1", "1) where (true", "1) from (select 1",
    "1) from range(3) where (true", "1) group by (1", "1) group by all having (true", "1) qualify (true",
    "1) using sample (1", "1; select (2", "1;", "1); drop table candidates; select (1", "", " ", "\n", "--", "/* */",
]  # fmt: skip
ODD = [  # of a sort that tables do not hold
    "interval 1 day", "'1 day'::interval", "date '2020-01-01'", "timestamp '2020-01-01'", "time '12:00'", "[1]", "[]",
    "array[1]", "{'a': 1}", "{}", "map {1: 2}", "row(1, 2)", "(1, 2)", "struct_pack(a := 1)", "'a'::blob",
    "encode('a')", "'1'::bit", "'a'::enum('a', 'b')", "null", "1::uhugeint", "9" * 50, "1" * 5000,
    "'00000000-0000-0000-0000-000000000000'::uuid", "max(pair_id, 2) over ()", "list(pair_id) over ()",
    "histogram(pair_id) over ()", "'2020-01-01'::timestamptz", "union_value(a := 1)", "'{}'::variant",
]  # fmt: skip
OTHERWISE = [  # another time, on another machine, in another order
    "random()", "now()", "current_timestamp", "current_date", "today()", "uuid()", "gen_random_uuid()", "uuidv7()",
    "nextval('x')", "setseed(0.5)", "current_setting('threads')", "getvariable('x')", "getenv('HOME')",
    "current_localtime()", "age(timestamp '2020-01-01')", "ago(interval 1 day)", "version()", "current_user",
    "current_database()", "current_query()", "txid_current()", "pg_sleep(10)", "sleep_ms(10000)", "error('x')",
    "reservoir_quantile(pair_id, 0.5) over ()", "stats(pair_id)", "alias(pair_id)", "write_log('x')",
    "random() over ()",
]  # fmt: skip
OUTSIDE = [
    "read_text('/etc/passwd')", "read_csv('/etc/passwd')", "glob('*')", "query('select 1')", "pragma_version()",
    "duckdb_settings()", "load_aws_credentials()", "json_serialize_sql('select 1')", "?", "$1", "$name", "#1",
    "default", "candidates", "rowid", "\"row of candidates\"", "list_transform([1], x -> x)",
    "list_transform([1], lambda x: x)", "list_reduce([1, 2], (a, b) -> a + b)", "lambda x: x", "'a' collate nocase",
    "chosen.characters.abs()", "main.abs(1)", "system.main.pg_sleep(1)", "row_number() over w", "nosuch(1)",
]  # fmt: skip
GROWING = [
    "repeat('a', 2000000000)", "length(repeat('a', 2000000000))", "len(range(2000000000))",
    "rpad('a', 2000000000, 'b')", "lpad('a', 2000000000, 'b')",
    "list_sum(range(2000000000))", "printf('%2000000000d', 1)", "bar(1, 0, 1, 2000000000)",
    "format('{:2000000000}', 1)", "length(" + "replace(" * 30 + "'aaaaaaaaaa'" + ", 'a', 'aaaaaaaaaa')" * 30 + ")",
    "length(string_agg(prompt.source, ',') over ())", "1e400::varchar || repeat('a', 2000000000)",
    "regexp_replace('a', 'a', 'aaaa', 'g')", "list_resize([1], 2000000000)[1]",
]  # fmt: skip
FAILING = [
    "'a'::int",
    "5 % 0",
    "ntile(0) over (order by pair_id)",
    "quantile_cont(pair_id, 2) over ()",
    "1 +",
    "(",
    "'",
]
DEEP = ["(" * 2000 + "1" + ")" * 2000, "1" + "+1" * 2000, "not " * 2000 + "identical", "case when true then " * 2000]
ACCEPTED: dict[str, ResultType] = {
    "chosen.characters": "number", "\"chosen\".characters": "number", "1": "number", "1 -- why": "number",
    "1 /* why */": "number", "-chosen.characters": "number", "1_000": "number", "1e400": "number", "1/0": "number",
    "'nan'::double": "number", "null::int": "number", "sum(pair_id) over ()": "number", "170::hugeint": "number",
    "row_number() over ()": "number", "avg(chosen.characters) over (partition by prompt.source)": "number",
    "lag(pair_id, 1, 0 order by pair_id) over ()": "number", "count(*) over ()": "number",
    "quantile_cont(chosen.characters, 0.5) over ()": "number", "try_cast('a' as int)": "number",
    "case when identical then 1 else 0 end": "number", "coalesce(chosen.characters, 0)": "number",
    "identical or prompt.source like 'a%'": "boolean", "prompt.source in ('a', 'b')": "boolean",
    "chosen.characters between 1 and 2": "boolean", "prompt.source ~ '^(a+)+$'": "boolean",
    "chosen.characters is not null": "boolean", "prompt.source || ' ' || identical": "name", "'$$'": "name",
    "split_part(prompt.source, '-', 1)": "name", "hash(pair_id) % 5": "name",
}  # fmt: skip


@pytest.mark.parametrize(
    "expression", [*SEVERAL, *MORE_THAN_ONE, *ODD, *OTHERWISE, *OUTSIDE, *GROWING, *FAILING, *DEEP]
)
def test_what_could_give_anything_but_one_value_a_row_is_refused_in_one_line(expression: str) -> None:
    for result_type in ("any", "number", "boolean", "name"):
        message = fault(expression, SCHEMA, result_type)
        assert message and "\n" not in message and len(message) < 600


@pytest.mark.parametrize("expression", ACCEPTED)
def test_what_is_accepted_runs_and_gives_one_value_a_row(expression: str) -> None:
    assert fault(expression, SCHEMA, ACCEPTED[expression]) is None
    values = evaluate({"value": expression}, ROWS)["value"]
    assert values.len() == ROWS.height
    assert (
        values.dtype.is_numeric()
        if ACCEPTED[expression] == "number"
        else values.dtype in (pl.Boolean, pl.String, pl.UInt64)
    )


def test_what_the_check_has_not_seen_is_refused_when_it_runs() -> None:
    """As in a notebook, which evaluates what it likes."""
    with pytest.raises(ValueError, match=r"calls unnest\(\), which an expression may not"):
        evaluate({"value": "unnest([1, 2])"}, ROWS)
    with pytest.raises(ValueError, match=r"^value: 'pair_id::date' is of type DATE$"):
        evaluate({"value": "pair_id::date"}, ROWS)


def test_a_long_one_is_refused_before_it_is_parsed() -> None:
    message = fault("(" * (MOST_CHARACTERS + 1), SCHEMA, "any")
    assert message and message.endswith("has more than 100,000 characters; write it shorter") and len(message) < 300


def test_every_function_that_may_be_called_is_one_of_duckdbs_and_does_not_vary() -> None:
    """A name that DuckDB drops or makes volatile is found here."""
    rows = engine().execute("select function_name, function_type, stability from duckdb_functions()").fetchall()
    steady = {(name, kind) for name, kind, stability in rows if stability in ("CONSISTENT", None)}
    assert {name for name, kind in steady if kind in ("scalar", "macro")} >= SCALARS | OPERATORS
    assert {name for name, kind in steady if kind in ("aggregate", "macro")} >= AGGREGATES
    assert {name for name, kind in steady if kind == "window"} >= WINDOWS


def test_the_page_lists_them() -> None:
    page = (ROOT / "docs/selections.md").read_text()
    listed = set(re.findall(r"`(\w+)`", page.split("\n## Functions\n")[1].split("\n## ")[0]))
    of_operators = {"ilike_escape", "not_ilike_escape", "like_escape", "not_like_escape"}
    assert listed - {"case", "in", "between", "coalesce", "like"} == SCALARS - of_operators | AGGREGATES | WINDOWS


NAMES = [f"model-{number}" for number in range(24)]
CHUNK, CHUNKS = 2_000, 24  # as a file's blocks: of one chunk DuckDB kept the order


@pytest.mark.parametrize("listed", [1, 9, 23])
@pytest.mark.parametrize("negated", ["", "not "])
@pytest.mark.parametrize("column", ["chosen_model", "number"])
def test_a_value_stands_on_the_row_that_it_is_of_however_many_constants_are_listed(
    column: str, negated: str, listed: int
) -> None:
    """Kind of fault: a plan that gives rows in another order than they came in. DuckDB made a join of `in` with nine
    constants and more, so that other rows were kept than the expression says."""
    number = [row % len(NAMES) for row in range(CHUNK * CHUNKS)]
    rows = pl.DataFrame({"chosen_model": [NAMES[one] for one in number], "number": number})
    constants = ", ".join(f"'{NAMES[one]}'" if column == "chosen_model" else str(one) for one in range(listed))
    expression = f"{column} {negated}in ({constants})"
    blocks = pl.concat([rows[start : start + CHUNK] for start in range(0, rows.height, CHUNK)], rechunk=False)
    columns = {(name,): blocks[name].to_arrow() for name in rows.columns}
    chunked = {
        name: pa.chunked_array([values[start : start + CHUNK] for start in range(0, len(values), CHUNK)])
        for name, values in columns.items()
    }
    expected = [(one < listed) != bool(negated) for one in number]
    assert evaluate({"kept": expression}, blocks)["kept"].to_list() == expected
    assert find_kept(expression, chunked).tolist() == expected
