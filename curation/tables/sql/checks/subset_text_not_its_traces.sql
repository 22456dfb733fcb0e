-- tables: prompts, subsets, traces
-- A subset's prompt is its prompt's messages, with its tools. Chosen and rejected are one assistant message each, the
-- traces' completions, beside the traces' reasoning and whether they were truncated.
select s.selection, s.pair_id
from subsets as s
left join prompts as p using (prompt_id)
left join traces as c on c.trace_id = s.chosen_trace_id
left join traces as r on r.trace_id = s.rejected_trace_id
where s.prompt is distinct from p.prompt
    or s.prompt_messages is distinct from p.messages
    or s.tools is distinct from p.tools
    or s.chosen is distinct from [{'role': 'assistant', 'content': c.completion}]
    or s.rejected is distinct from [{'role': 'assistant', 'content': r.completion}]
    or s.chosen_reasoning is distinct from c.reasoning or s.rejected_reasoning is distinct from r.reasoning
    or s.chosen_truncated is distinct from (c.status = 'truncated')
    or s.rejected_truncated is distinct from (r.status = 'truncated')
order by s.selection, s.pair_id
