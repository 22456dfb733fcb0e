-- tables: pairs, traces
-- Both traces of a pair are completions of its prompt, written by the generators that it names.
with
sides as (
    select pair_id, 'chosen' as side, prompt_id, chosen_trace_id as trace_id, chosen_model as model from pairs
    union all
    select pair_id, 'rejected' as side, prompt_id, rejected_trace_id as trace_id, rejected_model as model from pairs
)
select s.pair_id, s.side, s.trace_id
from sides as s
left join traces as t using (trace_id)
where t.completion is null or t.prompt_id <> s.prompt_id or t.generator <> s.model
order by s.pair_id, s.side
