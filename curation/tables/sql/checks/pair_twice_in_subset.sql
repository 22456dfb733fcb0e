-- tables: subsets
-- No subset has two traces as a pair twice, not even once in either order.
select
    selection, least(chosen_trace_id, rejected_trace_id) as one_trace_id,
    greatest(chosen_trace_id, rejected_trace_id) as other_trace_id, count(*) as times
from subsets
group by all
having count(*) > 1
order by all
