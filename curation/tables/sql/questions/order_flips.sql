-- How often does a pairwise judge change its verdict when the two traces change places?
-- flips is of the pairs and repeats with a verdict in both orders; first_wins is the share of verdicts but ties that go to the trace shown first, 0.5 for a judge that does not look.
with
in_both_orders as (
    select pair_id, judge, repeat, count(distinct verdict) > 1 as flipped
    from preferences
    where verdict is not null and "order" <> 'unknown'
    group by pair_id, judge, repeat
    having count(distinct "order") = 2
),
flips as (
    select judge, avg(flipped::integer) as flips, count(*) as pairs
    from in_both_orders
    group by judge
),
wins as (
    select judge, avg(((verdict = 'chosen') = ("order" = 'chosen_first'))::integer) filter (verdict <> 'tie') as first_wins,
        avg((verdict = 'tie')::integer) as ties, count(*) as verdicts
    from preferences
    where verdict is not null and "order" <> 'unknown'
    group by judge
)
select judge, round(flips, 4) as flips, pairs, round(first_wins, 4) as first_wins, round(ties, 4) as ties, verdicts
from flips
join wins using (judge)
order by judge
