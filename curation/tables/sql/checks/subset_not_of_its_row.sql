-- tables: listed_pairs, subsets
-- Of a pair that a preference set lists, a subset has the id and the columns of a row that lists it.
select s.selection, s.pair_id, s.external_id, s.carried
from subsets as s
semi join listed_pairs as p
    on least(p.chosen_trace_id, p.rejected_trace_id) = least(s.chosen_trace_id, s.rejected_trace_id)
    and greatest(p.chosen_trace_id, p.rejected_trace_id) = greatest(s.chosen_trace_id, s.rejected_trace_id)
anti join listed_pairs as r
    on least(r.chosen_trace_id, r.rejected_trace_id) = least(s.chosen_trace_id, s.rejected_trace_id)
    and greatest(r.chosen_trace_id, r.rejected_trace_id) = greatest(s.chosen_trace_id, s.rejected_trace_id)
    and r.external_id is not distinct from s.external_id and r.carried is not distinct from s.carried
order by s.selection, s.pair_id
