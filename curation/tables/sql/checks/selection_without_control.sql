-- tables: runs
-- warning
-- Beside every run on a selection there is one on a control of it, with the same method, generators, budget and seed.
select t.method, t.selection, t.generator_pairs, t.budget, t.seed
from runs as t
anti join (select * from runs where not treatment) as c using (method, selection, generator_pairs, budget, seed)
where t.treatment
order by all
