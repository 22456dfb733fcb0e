-- tables: judgments, traces
-- No judge scores a trace without a completion.
select j.trace_id, j.judge, j.dimension, j.repeat, j.score
from judgments as j
join traces as t using (trace_id)
where t.completion is null and j.score is not null
order by all
