-- tables: arms, subsets
-- warning
-- A control that draws other pairs has some. A selection of nearly all pairs leaves none to draw.
with
sides as (
    select c.arm, c.drawn_from, t.arm as of_arm
    from arms as c
    join arms as t using (selection, generator_pairs, budget)
    where t.treatment and c.drawn_from <> 'own'
),
own as (select s.arm, count(*) as pairs, count(t.pair_id) as shared
    from sides as s
    join subsets as c on c.selection = s.arm
    left join subsets as t on t.selection = s.of_arm and t.pair_id = c.pair_id
    group by s.arm)
select arm, pairs, shared
from own
where shared = pairs
order by all
