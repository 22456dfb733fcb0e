-- tables: pairs, traces
-- A pair is identical exactly when its two texts are equal but for white space around them.
with
stripped as (
    select trace_id, trim(completion, concat(' ', chr(9), chr(10), chr(13))) as text
    from traces
    where completion is not null
)
select p.pair_id, p.identical, c.text as chosen, r.text as rejected
from pairs as p
join stripped as c on c.trace_id = p.chosen_trace_id
join stripped as r on r.trace_id = p.rejected_trace_id
where p.identical <> (c.text = r.text)
order by p.pair_id
