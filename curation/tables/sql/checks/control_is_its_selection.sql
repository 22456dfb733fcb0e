-- tables: arms, subsets, unpaired, subset_rules
-- warning
-- A control that draws others has some: pairs, and traces where its selection labels them. A selection of nearly all
-- leaves none to draw.
with
learnt as (
    select selection, 'pairs' as what, pair_id as id, null::boolean as label from subsets
    union all
    select u.selection, 'labelled traces' as what, u.trace_id as id, u.label
    from unpaired as u
    join subset_rules as r using (selection)
    where r.examples = 'labelled'
),
itself as (  -- several that say the same are one
    select selection, generator_pairs, budget, min(arm) as arm
    from arms
    where treatment
    group by selection, generator_pairs, budget
),
sides as (
    select c.arm, c.drawn_from, t.arm as of_arm
    from arms as c
    join itself as t using (selection, generator_pairs, budget)
    where c.drawn_from <> 'own'
),
own as (
    select s.arm, c.what, count(*) as drawn, count(t.id) as shared
    from sides as s
    join learnt as c on c.selection = s.arm
    left join learnt as t
        on t.selection = s.of_arm and t.what = c.what and t.id = c.id and t.label is not distinct from c.label
    group by s.arm, c.what
)
select arm, what, drawn, shared
from own
where shared = drawn
order by all
