-- Deltas of one dimension by one judge. Grain: pair. Parameters: dimension, expected (use expected_score where there is one).
-- delta is null where a side has no scored repeat; n is the smaller side's scored repeats, spread the root of the summed variances.
with
scored as (
    select trace_id, repeat, case when $expected then coalesce(expected_score, score) else score end as score
    from judgments
    where dimension = $dimension and status = 'scored'
),
rated as (
    select
        trace_id,
        list_sum(list(score order by repeat)) / count(*) as score,
        count(*)::integer as n,
        case when count(*) > 1 then list_var_samp(list(score order by repeat)) end as variance
    from scored
    group by trace_id
)
select
    p.pair_id,
    c.score as chosen,
    r.score as rejected,
    c.score - r.score as delta,
    least(coalesce(c.n, 0), coalesce(r.n, 0))::integer as n,
    sqrt(c.variance + r.variance) as spread
from pairs as p
left join rated as c on c.trace_id = p.chosen_trace_id
left join rated as r on r.trace_id = p.rejected_trace_id
order by p.pair_id
