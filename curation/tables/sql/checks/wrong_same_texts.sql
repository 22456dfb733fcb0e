-- tables: pairs, traces
-- same_texts_as is, of the pairs of one prompt with the same two texts, the id of the one whose traces have the
-- smallest ids, and null where a pair's texts are its own.
with
ranked as (
    select
        p.pair_id, p.same_texts_as,
        first_value(p.pair_id) over (same_texts order by p.chosen_trace_id, p.rejected_trace_id) as first_id,
        count(*) over (same_texts) as pairs
    from pairs as p
    join traces as c on c.trace_id = p.chosen_trace_id
    join traces as r on r.trace_id = p.rejected_trace_id
    window same_texts as (partition by p.prompt_id, c.text_id, r.text_id)
)
select pair_id, same_texts_as, first_id, pairs
from ranked
where same_texts_as is distinct from case when pairs > 1 then first_id end
order by pair_id
