-- tables: subsets, unpaired, judgments
-- No text to learn from, reasoning included, contains what a judge wrote about it.
with
sides as (
    select selection, pair_id, chosen_trace_id as trace_id, chosen_reasoning as reasoning, chosen as said from subsets
    union all
    select selection, pair_id, rejected_trace_id as trace_id, rejected_reasoning as reasoning, rejected as said
    from subsets
    union all
    select u.selection, null as pair_id, u.trace_id, u.reasoning, u.completion as said
    from unpaired as u
    anti join subsets as s
        on s.selection = u.selection and u.trace_id in (s.chosen_trace_id, s.rejected_trace_id)
)
select s.selection, s.pair_id, s.trace_id, j.judge, j.dimension, j.repeat
from sides as s
join judgments as j using (trace_id)
where length(j.rationale) >= 20 and contains(concat_ws(chr(10), s.reasoning, s.said[1].content), j.rationale)
order by all
