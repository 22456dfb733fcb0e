-- tables: deltas, generator_deltas, pairs
-- A generator delta is the mean delta of its pairs, and its n counts those that have one.
with
means as (
    select p.chosen_model, p.rejected_model, d.judge, d.dimension, avg(d.delta) as mean, count(d.delta) as n
    from pairs as p
    join deltas as d using (pair_id)
    group by all
)
select chosen_model, rejected_model, judge, dimension, m.mean as mean_of_pairs, g.mean, m.n as pairs, g.n
from means as m
full join generator_deltas as g using (chosen_model, rejected_model, judge, dimension)
where m.n is distinct from g.n or (m.mean is null) <> (g.mean is null) or abs(m.mean - g.mean) > 1e-8
order by all
