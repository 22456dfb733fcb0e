-- tables: deltas
-- A delta is chosen - rejected, each rounded to nine decimals, and null where one of them is.
select pair_id, judge, dimension, chosen, rejected, delta
from deltas
where (delta is null) <> (chosen is null or rejected is null) or abs(chosen - rejected - delta) > 2e-9
order by pair_id, judge, dimension
