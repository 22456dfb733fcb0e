-- tables: preferences, pairs
-- A verdict is on a candidate pair of unequal texts.
select v.judge, v.pair_id, v."order", v.repeat
from preferences as v
left join pairs as p on p.pair_id = v.pair_id
where p.pair_id is null or p.identical
