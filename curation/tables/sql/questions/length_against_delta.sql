-- Does a judge prefer the longer trace?
-- correlation is that of the delta and the log of the ratio of chosen's to rejected's characters: near 0 without
-- length bias, above 0 where the longer is judged better, null where either is constant. Identical texts do not count.
with
lengths as (
    select trace_id, length(completion) as characters
    from traces
    where length(completion) > 0
),
ratios as (
    select p.pair_id, ln(c.characters / r.characters) as log_ratio
    from pairs as p
    join lengths as c on c.trace_id = p.chosen_trace_id
    join lengths as r on r.trace_id = p.rejected_trace_id
    where not p.identical
),
scored as (
    select d.judge, d.dimension, d.delta, r.log_ratio
    from deltas as d
    join ratios as r using (pair_id)
    where d.delta is not null
)
select
    judge, dimension,
    case
        when min(delta) < max(delta) and min(log_ratio) < max(log_ratio) then round(corr(delta, log_ratio), 3)
    end as correlation,
    round(avg(log_ratio), 3) as mean_log_ratio,
    count(*) as pairs
from scored
group by judge, dimension
order by judge, dimension
