-- tables: arms, subsets, unpaired, subset_rules
-- warning
-- A control has as many pairs as its selection, unless it takes all; and as many examples where these are labelled.
with
examples as (
    select u.selection, count(*) as examples
    from unpaired as u
    join subset_rules as r using (selection)
    where r.examples = 'labelled'
    group by u.selection
),
pairs as (select selection, count(*) as pairs from subsets group by selection),
itself as (  -- several that say the same are one
    select selection, generator_pairs, budget, min(arm) as arm
    from arms
    where treatment
    group by selection, generator_pairs, budget
),
counted as (
    select a.*, coalesce(p.pairs, 0) as pairs, coalesce(e.examples, 0) as labelled
    from arms as a
    left join pairs as p on p.selection = a.arm
    left join examples as e on e.selection = a.arm
)
select c.arm, c.pairs, t.pairs as of_selection, c.labelled, t.labelled as labelled_of_selection
from counted as c
join itself as i using (selection, generator_pairs, budget)
join counted as t on t.arm = i.arm
where c.drawn_from <> 'all' and (c.pairs <> t.pairs or c.labelled <> t.labelled)
order by all
