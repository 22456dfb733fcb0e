-- tables: listed_pairs, responses
-- Both sides of a listed pair are responses of its own preference set to its own prompt.
select p.listed_id, p.source, p.chosen_trace_id, p.rejected_trace_id
from listed_pairs as p
left join responses as c on c.trace_id = p.chosen_trace_id
left join responses as r on r.trace_id = p.rejected_trace_id
where c.source is distinct from p.source or c.prompt_id is distinct from p.prompt_id
    or r.source is distinct from p.source or r.prompt_id is distinct from p.prompt_id
order by p.listed_id
