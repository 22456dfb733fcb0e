-- tables: arms, subsets
-- warning
-- A control that draws other pairs has none of its selection's.
with
beside as (
    select c.arm, t.arm as of_arm
    from arms as c
    join arms as t using (selection, generator_pairs, budget)
    where t.treatment and c.drawn_from = 'drawn'
)
select
    b.arm as selection, count(*) as pairs, count(t.pair_id) as shared,
    format('{} of its {} pairs are its selection''s own', count(t.pair_id), count(*)) as finding
from beside as b
join subsets as c on c.selection = b.arm
left join subsets as t on t.selection = b.of_arm and t.pair_id = c.pair_id
group by b.arm
having count(t.pair_id) > 0
order by all
