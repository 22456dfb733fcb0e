"""The same work in bare DuckDB, one query a table: python -m bench.tables.duckdb_job FOLDER PAIRS

The best few come by top-N and a look-up among them, which is faster than a window over all rows; equal values come in
the order of a hash.
"""

import sys
from typing import NamedTuple

import duckdb

from bench.tables.cases import BAND, DIMENSIONS, JUDGES, LADDER, NEAR, budget, quotas
from bench.tables.steps import enter, run

PARQUET = "(format parquet, compression zstd, compression_level 1)"
PAIRS = f"""
    with t as (
        select trace_id, prompt_id, generator, text_id, list_position({list(LADDER)}, generator) as rung
        from 'data/traces/*.parquet'),
    p as (
        select (concat('0x', left(md5(concat(c.trace_id, chr(31), r.trace_id)), 16))::ubigint >> 1)::bigint as pair_id,
        c.prompt_id, c.trace_id as chosen_trace_id, r.trace_id as rejected_trace_id,
        c.generator as chosen_model, r.generator as rejected_model, c.text_id = r.text_id as identical,
        c.text_id as chosen_text, r.text_id as rejected_text
    from t c join t r on c.prompt_id = r.prompt_id and c.rung < r.rung),
    same as (
        select prompt_id, chosen_text, rejected_text,
            arg_min(pair_id, (chosen_trace_id, rejected_trace_id)) as same_texts_as
        from p group by all having count(*) > 1)
    select p.* exclude (chosen_text, rejected_text), same_texts_as
    from p left join same using (prompt_id, chosen_text, rejected_text)
    order by pair_id"""
VERDICTS = """
    with every as (
        select pair_id, prompt_id, chosen_model || ' ' || rejected_model as stratum, {margin} as margin, same_texts_as,
            chosen_trace_id, rejected_trace_id, case when identical then 'identical' {rejection} end as rejection
        from 'duckdb/pairs.parquet' {joins}),
    repeated as (
        select pair_id from every
        where same_texts_as is not null and coalesce(rejection, 'outside_band') = 'outside_band'
        qualify row_number() over (partition by same_texts_as order by chosen_trace_id, rejected_trace_id) > 1),
    c as (
        select pair_id, prompt_id, stratum, margin,
            case when pair_id in (select pair_id from repeated) then 'repeated' else rejection end as rejection
        from every),
    {kept},
    v as (
        select pair_id, margin,
            case when rejection is not null then rejection when pair_id in (select pair_id from kept) then 'kept'
                {late} else 'over_budget' end as reason
        from c)
    select pair_id, reason = 'kept' as kept, reason, margin from v order by pair_id"""
SUBSET = """
    with k as (select * from 'duckdb/selections/{name}.parquet' join 'duckdb/pairs.parquet' using (pair_id) where kept),
    t as (
        select trace_id, completion from 'data/traces/*.parquet'
        where trace_id in (select unnest([chosen_trace_id, rejected_trace_id]) from k))
    select pair_id, k.prompt_id, chosen_trace_id, rejected_trace_id, prompt,
        c.completion as chosen, r.completion as rejected, margin
    from k join 'data/prompts.parquet' using (prompt_id)
    join t c on c.trace_id = chosen_trace_id join t r on r.trace_id = rejected_trace_id
    order by pair_id"""
A, B = "'duckdb/deltas/a.parquet'", "'duckdb/deltas/b.parquet'"
LENGTHS = "(select trace_id, characters from 'data/traces/*.parquet')"
UNSCORED = "when margin is null then 'unscored'"
BEST = (
    "kept as (select pair_id from c where rejection is null order by margin {direction}, hash(pair_id) limit {{count}})"
)
DRAWN = "kept as (select pair_id from c where rejection is null order by hash(pair_id) limit {count})"


class Case(NamedTuple):
    """One selection: a pair's margin, what it is read from beside `pairs`, what rejects a pair, which of the others are
    kept, why one of those may not be."""

    margin: str = "delta_d0"
    joins: str = f"join {A} using (pair_id)"
    rejection: str = UNSCORED
    kept: str = BEST.format(direction="desc")
    late: str = ""


CASES = {
    "random": Case("null::double", "", "", DRAWN),
    "top": Case(),
    "bottom": Case(kept=BEST.format(direction="asc")),
    "band": Case(
        "delta_d1",
        f"join {B} using (pair_id)",
        f"{UNSCORED} when margin not between {BAND[0]} and {BAND[1]} then 'outside_band'",
        DRAWN,
    ),
    "middle_half": Case(
        "delta_d2",
        late="when margin <= (select low from q) or margin > (select high from q) then 'outside_band'",
        kept="""q as (
            select quantile_disc(margin, 0.25) as low, quantile_disc(margin, 0.75) as high
            from c where rejection is null),
        kept as (
            select pair_id from c, q where rejection is null and margin > low and margin <= high
            order by hash(pair_id) limit {count})""",
    ),
    "top_mean": Case(f"({' + '.join(f'delta_{name}' for name in DIMENSIONS)}) / 5"),
    "consensus": Case("least(a.delta_d0, b.delta_d0)", f"join {A} a using (pair_id) join {B} b using (pair_id)"),
    "per_prompt": Case(
        late="when pair_id not in (select pair_id from first) then 'per_prompt'",
        kept="""first as (
            select max(margin) as margin, arg_max(pair_id, margin) as pair_id from c where rejection is null
            group by prompt_id),
        kept as (select pair_id from first order by margin desc, hash(pair_id) limit {count})""",
    ),
    "strata": Case(
        kept="""kept as (
            select unnest(arg_max(pair_id, margin, {most})[:any_value(quota)]) as pair_id
            from c join (values {quotas}) as quotas (stratum, quota) using (stratum) where rejection is null
            group by stratum)""",
    ),
    "near_length": Case(
        rejection=f"when abs(c.characters - r.characters) > {NEAR} then 'near_length' {UNSCORED}",
        joins=f"""join {A} using (pair_id)
        join {LENGTHS} c on c.trace_id = chosen_trace_id
        join {LENGTHS} r on r.trace_id = rejected_trace_id""",
    ),
}


def deltas(judge: str) -> str:
    """The wide deltas of a judge."""
    rated, sides = "", ""
    for name in JUDGES[judge]:
        value, scored = "coalesce(expected_score, score)", f"filter (dimension = '{name}' and status = 'scored')"
        rated += f""", avg({value}) {scored} as s_{name}, count(*) {scored} as n_{name},
            var_samp({value}) {scored} as v_{name}"""
        sides += f""", c.s_{name} as chosen_{name}, r.s_{name} as rejected_{name},
            c.s_{name} - r.s_{name} as delta_{name},
            least(c.n_{name}, r.n_{name})::int as n_{name}, sqrt(c.v_{name} + r.v_{name}) as sd_{name}"""
    return f"""
        with rated as (select trace_id{rated} from 'data/judgments/{judge}.parquet' group by trace_id)
        select pair_id{sides} from 'duckdb/pairs.parquet' p
        join rated c on c.trace_id = p.chosen_trace_id join rated r on r.trace_id = p.rejected_trace_id
        order by pair_id"""


def verdicts(name: str, pairs: int) -> str:
    """A selection's verdict on every pair."""
    given = quotas(pairs)
    words = {
        "{count}": str(budget(pairs)),
        "{most}": str(max(given.values())),
        "{quotas}": ", ".join(str(row) for row in given.items()),
    }
    kept = CASES[name].kept
    for word, number in words.items():
        kept = kept.replace(word, number)
    return VERDICTS.format(**CASES[name]._replace(kept=kept)._asdict())


def main(folder: str, pairs: str) -> None:
    enter(folder, "duckdb")
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")

        def copy(query: str, file: str) -> None:
            connection.execute(f"copy ({query}) to 'duckdb/{file}.parquet' {PARQUET}")

        run(
            lambda: copy(PAIRS, "pairs"),
            lambda judge: copy(deltas(judge), f"deltas/{judge}"),
            lambda name, count: copy(verdicts(name, count), f"selections/{name}"),
            lambda name: copy(SUBSET.format(name=name), f"subsets/{name}"),
            pairs,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
