"""What `curation why` says of a verdict or a draw in numbers, against SQL over the tables as they are written, which
ranks and counts by itself.

Kinds of fault: a rank, a room or a cut of other rows than the selection's; a window that sees others once the selection
is restored from its table; two rules that hold together and are counted as if each held alone."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import world
from hypothesis import given
from hypothesis import strategies as st
from test_controls import control
from test_select import BUDGETS, KEEPS, LINES, SHARES, shared, tables

from curation.experiment.controls import Params as Control
from curation.experiment.draw_reasons import Held, explain_draw, has_it
from curation.experiment.drawing import control_rows, seed_of
from curation.selection.candidates import from_frames
from curation.selection.reasons import Reasons, Why
from curation.selection.restored import restore
from curation.selection.rules import Params
from curation.selection.select import select

NEAR = "abs(chosen.characters - rejected.characters) <= 10"
TARGETS = (
    "avg(rubric.chosen_logic) over () - 3", "count(*) over () / 10", "case when prompt_id = 1 then 1.0 end",
    "count(*) over (partition by prompt_id)", "rubric.generator_delta_logic",
)  # fmt: skip
MATCH = "chosen_model"
VALUES = (
    "rubric.delta_logic", "rubric.delta_logic - avg(rubric.delta_logic) over (partition by prompt_id)",
    "case when count(*) over (partition by prompt_id) > 2 then rubric.delta_logic end",
    "-rubric.delta_logic", "rubric.generator_delta_logic",
)  # fmt: skip
# SplitMix64 of an id from a seed, as `ranking.draws` says it
DRAW = """
create macro times(a, b) as ((a::uhugeint * b::uhugeint) % 18446744073709551616::uhugeint)::ubigint;
create macro plus(a, b) as ((a::uhugeint + b::uhugeint) % 18446744073709551616::uhugeint)::ubigint;
create macro one(x) as times(xor(x, x >> 30), 13787848793156543929::ubigint);
create macro two(x) as times(xor(x, x >> 27), 10723151780598845931::ubigint);
create macro three(x) as xor(x, x >> 31);
create macro mixed(x) as three(two(one(plus(x, 11400714819323198485::ubigint))));
create macro draw(id, seed) as mixed(xor(plus(id::hugeint + 18446744073709551616, 0), mixed(seed::ubigint)));
"""
# what of a selection's table its numbers follow from; a reason's place is in the order in which they apply
CAME = """
create table came as
select p.*, s.reason::varchar as reason, list_position($reasons, s.reason::varchar) as place, s.margin,
    d.chosen_logic, d.delta_logic, q.source, g.mean, c.tokens + r.tokens as tokens,
    draw(p.pair_id, $seed) as draw, if($stratified, q.source, '') as stratum, $kind as kind
from pairs p join selections s using (pair_id) join rubric d using (pair_id) join prompts q using (prompt_id)
join renderings c on c.trace_id = p.chosen_trace_id join renderings r on r.trace_id = p.rejected_trace_id
left join generator_deltas g on g.chosen_model = p.chosen_model and g.rejected_model = p.rejected_model;
"""


class Written:
    """A small study's tables on disk, a selection of them restored from its own, and SQL over all of these."""

    def __init__(self, text: str, changes: dict[str, Any], folder: Path) -> None:
        made = tables(text)
        pairs = from_frames(deltas={"rubric": made["rubric"]}, **{k: v for k, v in made.items() if k != "rubric"})
        self.settings = Params.model_validate(world.PLAIN | {"value": "rubric.delta_logic"} | changes)
        self.whole = select("s", self.settings, pairs)
        self.verdicts = self.whole.verdicts.with_columns(pl.col("reason").cast(pl.String))
        self.db = duckdb.connect()
        for name, rows in (made | {"selections": self.verdicts}).items():
            rows.write_parquet(folder / f"{name}.parquet")
            self.db.execute(f"create view {name} as from '{folder}/{name}.parquet'")
        self.db.execute(DRAW)
        keep = self.settings.keep.kind
        self.db.execute(CAME, {
            "reasons": self.settings.reasons, "seed": self.settings.seed % 2**64, "kind": keep,
            "stratified": self.settings.strata is not None,
        })  # fmt: skip
        self.db.execute(f"alter table came add column target double; update came set target = ({self._target()})")
        self.db.execute(
            "alter table came add column key double; update came set key = case kind when 'top' then -margin"
            " when 'bottom' then margin when 'nearest' then round(abs(margin - target), 6) end"
        )
        self.restored = restore("s", self.settings, pairs, self.verdicts.select("pair_id", "reason", "margin"))

    def _target(self) -> str:
        """What each is to be near to, as a query whose windows see what the selection's do: all that came to be scored
        or, where one of these repeats another, what is left then."""
        target = getattr(self.settings.keep, "target", None)
        if not isinstance(target, str):
            return f"{target or 'null'}"
        text = target.replace("rubric.generator_delta_logic", "mean").replace("rubric.", "")
        left = f"place >= {self.place('unscored')}"
        if "over" not in target:
            left = "true"
        elif self.count(f"place = {self.place('repeated')}"):
            left = f"place > {self.place('repeated')}"
        seen = f"select pair_id, {text} as value from came where {left}"
        return f"select value from ({seen}) t where t.pair_id = came.pair_id"

    def count(self, where: str) -> int:
        (number,) = self.db.execute(f"select count(*) from came where {where}").fetchone()
        return int(number)

    def place(self, reason: str) -> int:
        return self.settings.reasons.index(reason) + 1

    def rows(self, sql: str) -> dict[int, dict[str, Any]]:
        """What a query says of each pair."""
        rows = self.db.sql(sql).pl()
        return {row.pop("pair_id"): row for row in rows.to_dicts()}

    def numbers(self) -> dict[int, dict[str, Any]]:
        """By pair what its verdict follows from, as SQL counts it."""
        places = {reason: self.place(reason) for reason in ("outside_band", "per_prompt", "generator_share", "kept")}
        last, key = places["kept"], self.settings.keep.kind in ("top", "bottom", "nearest")
        return {
            "ranked": self.rows(
                f"""select pair_id, row_number() over w as rank, count(*) over (partition by stratum) as of,
                    count(*) filter (place = {last}) over (partition by stratum) as kept,
                    if({key}, count(*) over (partition by stratum, key), 1) as tied, margin,
                    if({key}, (select margin from came k where k.place = {last} and k.stratum = came.stratum
                        order by key desc, draw desc limit 1), null) as cut, stratum,
                    sum(if(place > {places['generator_share']}, tokens, 0)) over (w rows unbounded preceding)
                        + if(place = {places['generator_share']}, tokens, 0) as spent
                from came where place >= {places['generator_share']}
                window w as (partition by stratum order by key, draw)"""
            ),
            "of_prompt": self.rows(
                f"""select pair_id, margin, row_number() over (partition by prompt_id order by key, draw) as rank,
                    count(*) over (partition by prompt_id) as of,
                    if({key}, count(*) over (partition by prompt_id, key), 1) as tied
                from came where place >= {places['per_prompt']}"""
            ),
            "by_value": self.rows(
                f"""select pair_id, margin, row_number() over (order by margin, draw) as rank, count(*) over () as of
                from came where place >= {places['outside_band']}"""
            ),
            "turned": self.rows(
                """select a.pair_id, b.pair_id as reverse, a.margin, b.margin as reverse_margin from came a join came b
                on a.chosen_trace_id = b.rejected_trace_id and a.rejected_trace_id = b.chosen_trace_id"""
            ),
        }  # fmt: skip

    def rooms(self) -> dict[str, int]:
        """By stratum the room of the budget there."""
        sizes = dict(self.db.execute(
            f"select stratum, count(*) from came where place >= {self.place('generator_share')} group by 1 order by 1"
        ).fetchall())  # fmt: skip
        total, budget = sum(sizes.values()), self.settings.budget or {}
        total = int(budget["pairs"]) if "pairs" in budget else total
        if "share" in budget:
            total = int(Fraction(str(budget["share"])) * total)
        return shared(sizes, total, self.settings.strata.shares) if self.settings.strata else {"": total}


def check(made: Written) -> None:
    """Every number of every pair is what SQL says."""
    reasons, counted, rooms = Reasons(made.restored), made.numbers(), made.rooms()
    for row, pair in enumerate(reasons.ids.tolist()):
        why = reasons.explain(row)
        assert why == Reasons(made.whole).explain(row)
        check_one(made, pair, why, counted, rooms)


def check_one(made: Written, pair: int, why: Why, counted: Any, rooms: dict[str, int]) -> None:
    said, how = why.numbers, made.settings
    if why.reason in ("kept", "over_budget", "generator_share"):
        of = counted["ranked"][pair]
        assert {name: said[name] for name in ("rank", "of", "kept", "tied")} == {
            name: of[name] for name in ("rank", "of", "kept", "tied")
        }
        assert said["room"] == rooms[of["stratum"]] and said.get("stratum", "") == of["stratum"]
        assert said.get("margin") == of["margin"] and said.get("cut") == of["cut"]
        if how.has_token_budget:
            assert said["tokens_so_far"] == of["spent"] and said["budget_tokens"] == how.budget["tokens"]
            assert why.reason == "generator_share" or (why.reason == "kept") == (of["spent"] <= how.budget["tokens"])
    elif why.reason == "per_prompt":
        assert said == counted["of_prompt"][pair] | {"limit": how.limits.per_prompt}
    elif why.reason == "outside_band":
        of = counted["by_value"][pair]
        assert said["margin"] == of["margin"]
        if how.keep.kind == "quantiles":
            low, high = (int(Fraction(str(end)) * of["of"]) for end in (how.keep.low, how.keep.high))
            assert (said["rank"], said["of"], said["first"], said["last"]) == (of["rank"], of["of"], low + 1, high)
    elif why.reason == "reversed":
        assert said == counted["turned"][pair]
    elif why.reason == "repeated":
        alike = f"same_texts_as = (select same_texts_as from came where pair_id = {pair})"
        stays = made.rows(
            f"""select {pair} as pair_id, arg_min(pair_id, (chosen_trace_id, rejected_trace_id)) as stays
            from came where place > {made.place("repeated")} and {alike}"""
        )
        assert said == stays[pair]


def check_draws(made: Written, how: Control, seed: int) -> None:
    """What is said of every pair that a control could draw is what SQL ranks by draw."""
    drawn_by = seed_of(made.restored, seed) % 2**64
    never = ["identical", "unscored", "repeated", *(made.settings.require if how.require else [])]
    lots = made.rows(
        f"""with could as (
            select * from came where reason not in {tuple(never)} and margin is not null and (target is not null or
            kind <> 'nearest') qualify same_texts_as is null
            or row_number() over (partition by same_texts_as order by chosen_trace_id, rejected_trace_id) = 1
        ), pool as (
            select * from could qualify row_number() over (partition by least(chosen_trace_id, rejected_trace_id),
            greatest(chosen_trace_id, rejected_trace_id) order by key, draw) = 1
        ), kept as (select {MATCH if how.match else "''"} as alike, count(*) as room from came where reason = 'kept'
            group by 1)
        select pair_id, row_number() over (partition by alike order by draw(pair_id, {drawn_by})) as rank,
            count(*) over (partition by alike) as of, coalesce(room, 0) as room
        from (select *, {MATCH if how.match else "''"} as alike from pool) left join kept using (alike)"""
    )
    drawn = set(control_rows(how, seed, made.whole)[0].tolist())
    for row, pair in enumerate(Reasons(made.restored).ids.tolist()):
        why = explain_draw(how, seed, made.restored, row, Held(row in drawn, 0))
        assert has_it(why) == (row in drawn)
        if how.pairs == "all":
            assert has_it(why) == (pair in lots) and why.numbers["of"] == len(lots)
        else:
            assert ("rank" in why.numbers) == (pair in lots)
            assert {name: why.numbers.get(name) for name in lots.get(pair, {})} == lots.get(pair, {})
            assert pair not in lots or has_it(why) == (lots[pair]["rank"] <= lots[pair]["room"])


def listing(lines: Any) -> str:
    """A listing of the lines, in which a trace that ends in 4 says what that of its prompt that ends in 1 does."""

    def said(line: Any) -> Any:
        return line[0], *(1 if end == 4 else end for end in line[1:3])

    groups = [[n for n, other in enumerate(lines, 1) if said(other) == said(line)] for line in lines]
    firsts = [min(group, key=lambda n: lines[n - 1][1:3]) if len(group) > 1 else None for group in groups]
    return "\n".join(
        f"{n} {p} {10 * p + c}>{10 * p + r} {'-' if value is None else value} "
        f"{'identical' if identical or {c, r} == {1, 4} else ''}{'' if first is None else f' as {first}'}"
        for n, ((p, c, r, value, identical), first) in enumerate(zip(lines, firsts, strict=True), 1)
    )


@given(
    st.lists(LINES, min_size=1, max_size=24, unique_by=lambda line: line[:3]),
    KEEPS | st.sampled_from([{"kind": "nearest", "target": text} for text in TARGETS]), st.sampled_from(VALUES),
    BUDGETS | st.builds(lambda n: {"tokens": float(n)}, st.integers(0, 60)), st.none() | st.integers(1, 3), SHARES,
    st.sampled_from([None, "equal", "proportional"]), st.integers(-3, 3), st.booleans(),
)  # fmt: skip
def test_every_number_of_a_verdict_is_what_sql_counts(
    tmp_path_factory: pytest.TempPathFactory, lines: Any, keep: Any, value: str, budget: Any, most: Any, share: Any,
    shares: Any, seed: int, near: bool,
) -> None:  # fmt: skip
    if "over" in str(keep.get("target")):
        value = VALUES[0]  # a table does not say which of those without a number a window of a target saw
    divided = shares and budget and "tokens" not in budget
    changes = {
        "value": value, "keep": keep, "budget": budget, "seed": seed,
        "limits": {"per_prompt": most, "generator_share": share}, "require": {"near": NEAR} if near else {},
        "strata": {"by": "prompt.source", "shares": shares} if divided else None,
    }  # fmt: skip
    check(Written(listing(lines), changes, tmp_path_factory.mktemp("sql")))


@given(
    st.lists(LINES, min_size=1, max_size=24, unique_by=lambda line: line[:3]),
    KEEPS | st.just({"kind": "nearest", "target": TARGETS[-1]}), BUDGETS, st.integers(-3, 3),
    st.sampled_from(["drawn", "all"]), st.booleans(), st.sampled_from([None, "own"]),
)  # fmt: skip
def test_every_number_of_a_draw_is_what_sql_counts(
    tmp_path_factory: pytest.TempPathFactory, lines: Any, keep: Any, budget: Any, seed: int, pairs: Any, match: bool,
    require: Any,
) -> None:  # fmt: skip
    changes = {"keep": keep, "budget": budget, "seed": seed, "require": {"near": NEAR}}
    made = Written(listing(lines), changes, tmp_path_factory.mktemp("sql"))
    how = control(pairs=pairs, match=[MATCH] if match and pairs == "drawn" else [], require=require)
    check_draws(made, how, seed + 1)
