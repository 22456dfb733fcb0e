-- tables: selections, subsets
-- A subset holds exactly the pairs its selection keeps, with their margins.
with
kept as (select selection, pair_id, margin from selections where kept)
select selection, pair_id, k.pair_id is not null as kept, s.pair_id is not null as in_subset
from kept as k
full join subsets as s using (selection, pair_id)
where k.pair_id is null or s.pair_id is null or k.margin is distinct from s.margin
order by selection, pair_id
