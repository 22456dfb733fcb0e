-- tables: listed_pairs, traces
-- warning
-- No row of a preference set prefers one of two texts, where another row prefers the other.
with
preferred as (
    select l.source, l.prompt_id, c.text_id as chosen, r.text_id as rejected
    from listed_pairs as l
    join traces as c on c.trace_id = l.chosen_trace_id
    join traces as r on r.trace_id = l.rejected_trace_id
    where l.verdict = 'chosen'
),
two_texts as (
    select source, count(distinct chosen) = 2 as contradicted
    from preferred
    where chosen <> rejected
    group by source, prompt_id, least(chosen, rejected), greatest(chosen, rejected)
)
select source, count(*) filter (contradicted) as contradicted, count(*) as pairs_of_texts
from two_texts
group by source
having bool_or(contradicted)
order by source
