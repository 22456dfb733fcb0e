-- How often does a pairwise judge change its verdict when the two traces change places?
-- position_inconsistency is the share of the pairs and repeats with a verdict in both orders that get two different
-- ones. first_position_rate is the share of verdicts, ties left out, for the trace shown first: 0.5 is fair.
with
in_both_orders as (
    select pair_id, judge, dimension, repeat, count(distinct verdict) > 1 as flipped
    from preferences
    where verdict is not null and "order" <> 'unknown'
    group by pair_id, judge, dimension, repeat
    having count(distinct "order") = 2
),
flips as (
    select judge, dimension, avg(flipped::integer) as position_inconsistency, count(*) as pairs
    from in_both_orders
    group by judge, dimension
),
wins as (
    select
        judge, dimension, count(*) as verdicts, avg((verdict = 'tie')::integer) as verdict_tie_rate,
        avg(((verdict = 'chosen') = ("order" = 'chosen_first'))::integer) filter (verdict <> 'tie')
            as first_position_rate
    from preferences
    where verdict is not null and "order" <> 'unknown'
    group by judge, dimension
)
select
    judge, dimension, round(position_inconsistency, 3) as position_inconsistency, pairs,
    round(first_position_rate, 3) as first_position_rate, round(verdict_tie_rate, 3) as verdict_tie_rate, verdicts
from flips
join wins using (judge, dimension)
order by judge, dimension
