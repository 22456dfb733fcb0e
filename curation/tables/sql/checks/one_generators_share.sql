-- tables: subsets, traces
-- warning
-- No generator writes more than $generator of one side of a subset, unless it is the only one there.
with
sides as (
    select s.selection, 'chosen' as side, t.generator
    from subsets as s
    join traces as t on t.trace_id = s.chosen_trace_id
    union all
    select s.selection, 'rejected' as side, t.generator
    from subsets as s
    join traces as t on t.trace_id = s.rejected_trace_id
),
shares as (select selection, side, generator, count(*) as pairs from sides group by all)
select selection, side, generator, round(pairs / sum(pairs) over (partition by selection, side), 4) as share
from shares
qualify pairs > $generator * sum(pairs) over (partition by selection, side)
    and count(*) over (partition by selection, side) > 1
order by all
