-- tables: selections, subsets
-- A selection's subset has exactly the pairs that it keeps, with their margins. The arms of the grid have subsets of
-- their own.
with
kept as (select selection, pair_id, margin from selections where kept),
own as (select * from subsets where selection in (select distinct selection from selections))
select selection, pair_id, k.pair_id is not null as kept, s.pair_id is not null as in_subset
from kept as k
full join own as s using (selection, pair_id)
where k.pair_id is null or s.pair_id is null or k.margin is distinct from s.margin
order by selection, pair_id
