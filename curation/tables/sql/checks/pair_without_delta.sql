-- tables: deltas, pairs
-- Every pair has one row per judge and dimension in deltas, and every row of deltas is of a pair.
with
rated as (select distinct judge, dimension from deltas),
due as (select pair_id, judge, dimension from pairs cross join rated)
select pair_id, judge, dimension, 'no delta' as fault
from due anti join deltas using (pair_id, judge, dimension)
union all
select pair_id, judge, dimension, 'no such pair' as fault
from deltas anti join pairs using (pair_id)
order by all
