-- tables: pairs, subsets
-- Every row of a subset is a candidate pair of its prompt: as it is or, in a control, with its sides swapped.
select s.selection, s.pair_id, s.chosen_trace_id, s.rejected_trace_id
from subsets as s
left join pairs as p using (pair_id)
where p.prompt_id is distinct from s.prompt_id
    or [least(s.chosen_trace_id, s.rejected_trace_id), greatest(s.chosen_trace_id, s.rejected_trace_id)]
    <> [least(p.chosen_trace_id, p.rejected_trace_id), greatest(p.chosen_trace_id, p.rejected_trace_id)]
order by all
