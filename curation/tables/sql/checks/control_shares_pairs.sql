-- tables: arms, subsets, unpaired, subset_rules
-- warning
-- A control that draws other pairs has none of its selection's; nor of its labelled traces, where it takes such.
with
itself as (  -- several that say the same are one
    select selection, generator_pairs, budget, min(arm) as arm
    from arms
    where treatment
    group by selection, generator_pairs, budget
),
beside as (
    select c.arm, t.arm as of_arm
    from arms as c
    join itself as t using (selection, generator_pairs, budget)
    where c.drawn_from = 'drawn'
),
learnt as (
    select selection as arm, 'pairs' as what, pair_id as id from subsets
    union all
    select u.selection as arm, 'labelled traces' as what, u.trace_id as id
    from unpaired as u
    join subset_rules as r using (selection)
    where r.examples = 'labelled'
),
counted as (select arm, what, count(*) as examples from learnt group by arm, what),
shared as (
    select b.arm, b.of_arm, c.what, count(*) as shared
    from beside as b
    join learnt as c on c.arm = b.arm
    join learnt as t on t.arm = b.of_arm and t.what = c.what and t.id = c.id
    group by b.arm, b.of_arm, c.what
)
select
    s.arm as selection, s.what, c.examples, s.shared, t.examples as of_selection,
    format(
        'shares {} {} with its selection: {:.0f}% of the control''s, {:.0f}% of the selection''s',
        s.shared, s.what, 100.0 * s.shared / c.examples, 100.0 * s.shared / t.examples
    ) as finding
from shared as s
join counted as c on c.arm = s.arm and c.what = s.what
join counted as t on t.arm = s.of_arm and t.what = s.what
order by all
