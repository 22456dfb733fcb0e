-- tables: judgments, traces
-- No judge scores a trace without a completion, but as one without an answer.
select j.trace_id, j.judge, j.dimension, j.repeat, j.score
from judgments as j
join traces as t using (trace_id)
where t.completion is null and j.score is not null and j.status <> 'no_answer'
order by all
