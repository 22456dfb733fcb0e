-- tables: responses, traces
-- A trace that a preference set holds is its response, as it is.
select t.trace_id, t.generator, r.source
from traces as t
join responses as r using (trace_id)
where t.prompt_id <> r.prompt_id or t.generator <> r.generator or t.sample_index <> r.sample_index
    or t.reasoning is distinct from r.reasoning or t.completion is distinct from r.completion
    or t.external_id is distinct from r.external_id or t.finish_reason <> r.finish_reason
order by t.trace_id
