-- tables: traces
-- warning
-- A generator's traces have reasoning, or none has. Where some have, a pair may differ in that alone.
select generator, count(*) as traces, sum((reasoning is null)::int)::bigint as without_reasoning
from traces
where reasoning is not null or completion is not null
group by generator
having without_reasoning between 1 and traces - 1
order by generator
