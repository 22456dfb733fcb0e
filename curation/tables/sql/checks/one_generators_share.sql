-- tables: subsets, unpaired, subset_rules, traces
-- warning
-- No generator writes more than $generator of one side of a subset, or of one label of its own examples, unless it is
-- the only one there.
with
sides as (
    select s.selection, 'chosen' as side, t.generator
    from subsets as s
    join traces as t on t.trace_id = s.chosen_trace_id
    union all
    select s.selection, 'rejected' as side, t.generator
    from subsets as s
    join traces as t on t.trace_id = s.rejected_trace_id
    union all
    select u.selection, if(u.label, 'desirable', 'undesirable') as side, t.generator
    from unpaired as u
    join subset_rules as r using (selection)
    join traces as t using (trace_id)
    where r.examples = 'labelled'
),
shares as (select selection, side, generator, count(*) as traces from sides group by all)
select selection, side, generator, round(traces / sum(traces) over (partition by selection, side), 4) as share
from shares
qualify traces > $generator * sum(traces) over (partition by selection, side)
    and count(*) over (partition by selection, side) > 1
order by all
