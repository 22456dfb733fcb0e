-- tables: prompts, unpaired, traces
-- An unpaired example's prompt is its prompt's messages, with its tools. Its completion is one assistant message, its
-- trace's, beside the trace's reasoning and whether it was truncated.
select u.selection, u.trace_id
from unpaired as u
left join prompts as p using (prompt_id)
left join traces as t using (trace_id)
where u.prompt is distinct from p.prompt
    or u.prompt_messages is distinct from p.messages
    or u.tools is distinct from p.tools
    or u.completion is distinct from [{'role': 'assistant', 'content': t.completion}]
    or u.reasoning is distinct from t.reasoning or u.truncated is distinct from (t.status = 'truncated')
order by u.selection, u.trace_id
