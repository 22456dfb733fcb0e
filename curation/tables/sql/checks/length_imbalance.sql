-- tables: subsets, traces
-- warning
-- The chosen traces of a subset, reasoning and answer together, are at most $length times as long as the rejected ones,
-- and the rejected at most $length times as long as the chosen (geometric means). Where both sides of some pair have
-- reasoning, so much longer each part is by itself is said.
with
ratios as (
    select
        s.selection, ln(c.characters / r.characters) as whole,
        ln(nullif(c.reasoning_characters, 0) / nullif(r.reasoning_characters, 0)) as reasoning,
        ln(nullif(c.completion_characters, 0) / nullif(r.completion_characters, 0)) as answer
    from subsets as s
    join traces as c on c.trace_id = s.chosen_trace_id
    join traces as r on r.trace_id = s.rejected_trace_id
    where c.characters > 0 and r.characters > 0
)
select
    selection,
    concat(
        format(
            'the chosen traces of {} pairs are {} times as long as the rejected', count(*), round(exp(avg(whole)), 3)
        ),
        case
            when count(reasoning) > 0
                then format(
                    ': their reasoning {} times, their answers {} times', round(exp(avg(reasoning)), 3),
                    round(exp(avg(answer)), 3)
                )
        end
    ) as finding
from ratios
group by selection
having abs(avg(whole)) > ln($length)
order by selection
