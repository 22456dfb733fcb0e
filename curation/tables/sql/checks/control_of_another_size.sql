-- tables: arms, subsets
-- warning
-- A control has as many pairs as its selection, unless it takes all.
with
sizes as (select selection as arm, count(*) as pairs from subsets group by selection),
counted as (select a.*, coalesce(s.pairs, 0) as pairs from arms as a left join sizes as s using (arm))
select c.arm, c.pairs, t.pairs as of_selection
from counted as c
join counted as t using (selection, generator_pairs, budget)
where t.treatment and c.drawn_from <> 'all' and c.pairs <> t.pairs
order by all
