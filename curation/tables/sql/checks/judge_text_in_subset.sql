-- tables: subsets, judgments
-- No text to learn from contains what a judge wrote about it.
select s.selection, s.pair_id, j.judge, j.dimension, j.repeat
from subsets as s
join judgments as j on j.trace_id in (s.chosen_trace_id, s.rejected_trace_id)
where length(j.rationale) >= 20
    and contains(
        case when j.trace_id = s.chosen_trace_id then s.chosen[1].content else s.rejected[1].content end, j.rationale
    )
order by all
