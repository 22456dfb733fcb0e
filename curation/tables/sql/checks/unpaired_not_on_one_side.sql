-- tables: subsets, unpaired, subset_rules
-- The unpaired traces are those that stand on one side only of their subset, unless its selection labels traces itself.
-- Their label is true where that is chosen.
with
sides as (
    select selection, chosen_trace_id as trace_id, true as label from subsets
    union
    select selection, rejected_trace_id as trace_id, false as label from subsets
),
one_sided as (
    select selection, trace_id, bool_and(label) as label
    from sides
    group by selection, trace_id
    having count(*) = 1
)
select selection, trace_id, o.label as side_is_chosen, u.label
from one_sided as o
full join unpaired as u using (selection, trace_id)
join subset_rules as r using (selection)
where r.examples = 'of_pairs' and o.label is distinct from u.label
order by selection, trace_id
