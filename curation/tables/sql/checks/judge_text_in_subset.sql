-- tables: subsets, judgments
-- No text to learn from, reasoning included, contains what a judge wrote about it.
select s.selection, s.pair_id, j.judge, j.dimension, j.repeat
from subsets as s
join judgments as j on j.trace_id in (s.chosen_trace_id, s.rejected_trace_id)
where length(j.rationale) >= 20
    and contains(
        case
            when j.trace_id = s.chosen_trace_id then concat_ws(chr(10), s.chosen_reasoning, s.chosen[1].content)
            else concat_ws(chr(10), s.rejected_reasoning, s.rejected[1].content)
        end,
        j.rationale
    )
order by all
