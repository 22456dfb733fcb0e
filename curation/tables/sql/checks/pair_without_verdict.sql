-- tables: pairs, selections
-- Every candidate pair has a verdict in every selection, and every verdict is about a candidate pair.
with
named as (select distinct selection from selections),
due as (select selection, pair_id from named cross join pairs)
select selection, pair_id, 'no verdict' as fault
from due anti join selections using (selection, pair_id)
union all
select selection, pair_id, 'no such pair' as fault
from selections anti join pairs using (pair_id)
order by all
