-- tables: pairs, traces
-- A pair is identical exactly when its traces say the same, in reasoning and completion, but for Unicode's normal form,
-- line ends and the blanks around them.
with
normal as (
    select trace_id, normal_text(coalesce(reasoning, '')) || chr(31) || normal_text(completion) as text
    from traces
    where completion is not null
)
select p.pair_id, p.identical, c.text as chosen, r.text as rejected
from pairs as p
join normal as c on c.trace_id = p.chosen_trace_id
join normal as r on r.trace_id = p.rejected_trace_id
where p.identical <> (c.text = r.text)
order by p.pair_id
