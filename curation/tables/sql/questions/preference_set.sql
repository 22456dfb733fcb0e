-- What does a preference set hold, and what of it is there twice or contradicted?
-- Of each source of kind pairs: how many of what. Texts are the same in Unicode's NFC and but for blanks around them,
-- and nearly the same but for case and blanks; a pair of texts is contradicted where one row prefers the one, and
-- another row the other.
with
said as (
    select
        r.source, r.prompt_id, r.trace_id, r.generator, t.text_id, t.characters,
        lower(trim(regexp_replace(concat_ws(' ', r.reasoning, r.completion), '\s+', ' ', 'g'))) as nearly
    from responses as r
    join traces as t using (trace_id)
),
alike as (
    select
        source, trace_id,
        count(*) over (partition by prompt_id, text_id) > 1 as same,
        count(distinct generator) over (partition by prompt_id, text_id) > 1 as of_two_models,
        count(distinct text_id) over (partition by prompt_id, nearly) > 1 as nearly_same
    from said
),
asked as (
    select
        source,
        lower(trim(regexp_replace(
            array_to_string(list_transform(prompt, lambda turn: turn.content), ' '), '\s+', ' ', 'g'
        ))) as nearly
    from prompts
    where source in (select source from responses)
),
prompts_alike as (select source, count(*) over (partition by source, nearly) > 1 as nearly_same from asked),
compared as (
    select
        l.source, l.prompt_id, l.verdict, c.text_id as chosen, r.text_id as rejected,
        c.characters - r.characters as longer
    from listed_pairs as l
    join said as c on c.trace_id = l.chosen_trace_id
    join said as r on r.trace_id = l.rejected_trace_id
),
two_texts as (
    select
        source, count(*) > 1 as in_several_rows,
        count(*) filter (verdict = 'chosen' and chosen < rejected) as for_one,
        count(*) filter (verdict = 'chosen' and chosen > rejected) as for_other
    from compared
    where chosen <> rejected
    group by source, prompt_id, least(chosen, rejected), greatest(chosen, rejected)
),
counts as (
    select 1 as place, source, 'prompts nearly the same as another' as what,
        count(*) filter (nearly_same) as n, count(*) as of_all
    from prompts_alike
    group by source
    union all
    select 2, source, 'responses the same as another to their prompt',
        count(*) filter (same), count(*)
    from alike
    group by source
    union all
    select 3, source, 'responses the same as another model''s',
        count(*) filter (of_two_models), count(*)
    from alike
    group by source
    union all
    select 4, source, 'responses nearly the same as another',
        count(*) filter (nearly_same), count(*)
    from alike
    group by source
    union all
    select 5, source, 'comparisons of the same text',
        count(*) filter (chosen = rejected), count(*)
    from compared
    group by source
    union all
    select 6, source, 'comparisons that are ties',
        count(*) filter (verdict in ('tie', 'both_bad')), count(*)
    from compared
    group by source
    union all
    select 7, source, 'comparisons without a verdict',
        count(*) filter (verdict is null), count(*)
    from compared
    group by source
    union all
    select 8, source, 'pairs of texts in several rows',
        count(*) filter (in_several_rows), count(*)
    from two_texts
    group by source
    union all
    select 9, source, 'pairs of texts that are contradicted',
        count(*) filter (for_one > 0 and for_other > 0), count(*)
    from two_texts
    group by source
    union all
    select 10, source, 'verdicts for the longer response',
        count(*) filter (longer > 0), count(*) filter (longer <> 0)
    from compared
    where verdict = 'chosen' and chosen <> rejected
    group by source
)
select source, what, n, of_all as "of", round(n / nullif(of_all, 0), 3) as share
from counts
order by source, place
