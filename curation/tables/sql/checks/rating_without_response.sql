-- tables: ratings, responses
-- Every rating is of a response of its own preference set.
select g.trace_id, g.dimension, g.source
from ratings as g
left join responses as r using (trace_id)
where r.source is distinct from g.source
order by g.trace_id, g.dimension
