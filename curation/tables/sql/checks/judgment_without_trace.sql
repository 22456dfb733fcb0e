-- tables: judgments, traces
-- Every judgment is of a trace.
select j.trace_id, j.judge, j.dimension, j.repeat
from judgments as j
anti join traces as t using (trace_id)
order by all
