-- tables: subsets, unpaired, subset_rules, traces
-- warning
-- The chosen traces of a subset, reasoning and answer together, are at most $length times as long as the rejected ones,
-- and the rejected at most $length times as long as the chosen (geometric means). Where both sides of some pair have
-- reasoning, so much longer each part is by itself is said. The same of desirable and undesirable examples where a
-- selection labels traces itself.
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
),
labelled as (
    select
        selection, count(*) as traces,
        exact_mean(if(u.label, ln(t.characters), null)) - exact_mean(if(u.label, null, ln(t.characters))) as longer
    from unpaired as u
    join subset_rules as r using (selection)
    join traces as t using (trace_id)
    where r.examples = 'labelled' and t.characters > 0
    group by selection
)
select
    selection,
    concat(
        format(
            'the chosen traces of {} pairs are {} times as long as the rejected', count(*),
            round(exp(exact_mean(whole)), 3)
        ),
        case
            when count(reasoning) > 0
                then format(
                    ': their reasoning {} times, their answers {} times', round(exp(exact_mean(reasoning)), 3),
                    round(exp(exact_mean(answer)), 3)
                )
        end
    ) as finding
from ratios
group by selection
having round(abs(exact_mean(whole)), 6) > round(ln($length), 6)
union all
select
    selection,
    format(
        'of {} labelled traces the desirable are {} times as long as the undesirable', traces, round(exp(longer), 3)
    ) as finding
from labelled
where round(abs(longer), 6) > round(ln($length), 6)
order by all
