-- tables: prompts, traces
-- Every trace is of a prompt of the train split.
select t.trace_id, t.generator, t.prompt_id, p.split
from traces as t
left join prompts as p using (prompt_id)
where p.split is distinct from 'train'
order by t.trace_id
